//! The exchange states closed bars otherwise than before: the newer reading wins, and the report names them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    support::{Exchange, Folder},
    workflow::{SYMBOLS, assert_ended_once, klines, request},
};

const DAYS: &str = "2026-03-01:2026-03-02";

fn rows(text: &str) -> BTreeMap<i64, &str> {
    let open = |line: &str| serde_json::from_str::<Value>(line).unwrap()[0].as_i64().unwrap();
    text.lines().map(|line| (open(line), line)).collect()
}

#[test]
fn the_newer_reading_wins_and_is_reported() {
    let folder = Folder::new();
    let calm = Exchange::hostile("");
    let first = folder.run(&request(&folder, "first.json", DAYS, &json!({})), calm.url());
    assert!(SYMBOLS.iter().all(|symbol| first["coverage"][symbol].get("restated").is_none()), "{first}");
    let before = klines(&folder);

    let other = Exchange::hostile("restate:0.004,seed:5");
    let again = request(&folder, "again.json", DAYS, &json!({"refresh": true}));
    let report = folder.run(&again, other.url());
    let after = klines(&folder);
    for (index, symbol) in SYMBOLS.into_iter().enumerate() {
        let (before, after) = (rows(&before[index]), rows(&after[index]));
        assert_eq!(before.len(), after.len());
        let changed: Vec<i64> =
            after.iter().filter(|(open, row)| before[open] != **row).map(|(open, _)| *open).collect();
        assert!((2..100).contains(&changed.len()), "{changed:?}");
        let (from, to) = (*after.keys().next().unwrap(), *after.keys().last().unwrap() + 60_000);
        let served: Vec<String> = other.klines(symbol, "1m", from, to).iter().map(Value::to_string).collect();
        assert!(after.values().eq(served.iter()), "the export is what the exchange says now");
        let coverage = &report["coverage"][symbol];
        assert_eq!(coverage["restated"], changed.len(), "{symbol}");
        assert_eq!(coverage["restated_at"], json!(changed[..changed.len().min(10)]), "{symbol}");
    }
    let last = folder.json(&["run", &again, "--again", "--exchange", other.url()]);
    assert!(SYMBOLS.iter().all(|symbol| last["coverage"][symbol].get("restated").is_none()), "{last}");
    assert!(klines(&folder) == after);
    assert_ended_once(&folder, 3);
}
