//! A bar is closed when the exchange's clock says so, however wrong the clock of this machine is.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use streamforge_events::rfc3339;

use crate::{
    support::{Exchange, Folder},
    workflow::{SYMBOLS, assert_ended_once, klines, request},
};

const MINUTE: i64 = 60_000;

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

#[test]
fn the_bar_of_now_is_never_stored_whoever_is_late() {
    for skew in [-7 * MINUTE, 0, 7 * MINUTE] {
        let (folder, exchange) = (Folder::new(), Exchange::hostile(&format!("open:0.5,skew:{skew}")));
        let from = now() / MINUTE * MINUTE - 60 * MINUTE;
        let range = format!("{}/{}", rfc3339(from), rfc3339(from + 120 * MINUTE));
        let started = now();
        folder.run(&request(&folder, "request.json", &range, &json!({})), exchange.url());
        let (earliest, latest) = (started.min(started + skew), now().min(now() + skew));
        assert_ended_once(&folder, 1);
        for (symbol, exported) in SYMBOLS.into_iter().zip(klines(&folder)) {
            let rows: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let last = rows.last().unwrap()[0].as_i64().unwrap();
            // All bars that were closed by both clocks when the run began, none that was not when it was over.
            assert!(last + MINUTE > earliest / MINUTE * MINUTE - MINUTE, "{skew} {symbol}");
            assert!(last + MINUTE <= latest, "{skew} {symbol}: {last} was open");
            // The exchange adds the bar of now here, too.
            let mut served = exchange.klines(symbol, "1m", from, last + MINUTE);
            served.retain(|row| row[0].as_i64().is_some_and(|open| open <= last));
            let is_same = rows.len() == served.len() && rows.iter().zip(&served).all(|(row, served)| row == served);
            assert!(is_same, "{skew} {symbol}: a bar has changed after it was stored");
        }
    }
}
