//! The same request again changes nothing, a wider one adds what is missing, a hopeless one ends with the reason.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Exchange, Folder};

const SYMBOLS: [&str; 2] = ["BTCUSDT", "ETHUSDT"];
const DAY: i64 = 86_400_000;
const BARS_PER_DAY: u64 = 24 * 4;

fn exports(folder: &Folder) -> Vec<String> {
    let klines = SYMBOLS.map(|symbol| folder.candles(symbol, "15m"));
    [klines.to_vec(), vec![folder.graph().to_string()]].concat()
}

fn without_time(mut report: Value) -> Value {
    report["seconds"] = Value::Null;
    report
}

#[test]
fn the_same_request_again_changes_nothing_and_a_wider_one_adds_the_rest() {
    let folder = Folder::new();
    let exchange = Exchange::start(Duration::ZERO);
    let request = folder.request(&SYMBOLS, "15m", "2026-03-03:2026-03-05");
    let first = folder.run(&request, exchange.url());
    let (before, requests) = (exports(&folder), exchange.requests());

    let second = folder.run(&request, exchange.url());
    assert_eq!(without_time(second), without_time(first.clone()));
    assert_eq!(exports(&folder), before);
    assert_eq!((folder.workflows().len(), exchange.requests()), (1, requests));

    let wider = folder.request(&SYMBOLS, "15m", "2026-03-01:2026-03-06");
    let report = folder.run(&wider, exchange.url());
    assert_eq!(report["records_written"], 2 * 3 * BARS_PER_DAY, "two days before and one after are missing");
    assert_ne!(report["queue_id"], first["queue_id"]);
    assert_eq!(folder.workflows().len(), 2);
    for (symbol, before) in SYMBOLS.into_iter().zip(before) {
        let (from, to) = (1_772_323_200_000, 1_772_323_200_000 + 6 * DAY);
        let after = folder.candles(symbol, "15m");
        assert!(after.contains(&before), "what was stored is still there, in one piece");
        let rows: Vec<Value> = after.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(rows, exchange.klines(symbol, "15m", from, to));
    }
}

#[test]
fn what_the_exchange_refuses_for_good_ends_the_workflow_with_its_words() {
    let folder = Folder::new();
    let request = folder.request(&["BTCUSDT", "NOSUCHUSDT"], "1h", "2026-03-01:2026-03-02");
    let ended = folder.command(&["run", &request, "--exchange", "synthetic:42"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let report = ended.last_json();
    assert_eq!(report["status"], "error");
    for text in [report["error_message"].as_str().unwrap(), &ended.stderr] {
        assert!(text.contains("-1121") && text.contains("Invalid symbol."), "{text}");
    }
    let [workflow] = &folder.workflows()[..] else { panic!("one workflow") };
    assert_eq!((&workflow["status"], &workflow["error_message"]), (&json!("error"), &report["error_message"]));
    assert!(folder.dead_letters().is_empty());
}
