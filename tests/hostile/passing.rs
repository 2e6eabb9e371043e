//! Failures that pass leave nothing behind: the export is that of a calm exchange, byte for byte.

use std::env;

use serde_json::{Value, json};

use crate::{
    support::{Exchange, Folder},
    workflow::{SYMBOLS, assert_ended_once},
};

/// The failures that pass, in groups that a load survives together.
const GROUPS: [&str; 2] = [
    "html:0.05,error:0.02,cut:0.08,slow:0.1,delay:0.2,microseconds:1,seed:",
    "empty:0.1,short:0.2,repeat:0.1,shuffle:0.3,duplicate:0.3,foreign:0.05,open:0.5,seed:",
];

fn request(folder: &Folder) -> String {
    let part = |target: &str, kind: &str| json!({"target": target, "type": kind});
    let requests = ["api_candles_1m", "api_trades"]
        .map(|kind| [part("loader-producer", kind), part("arango-connector", kind)])
        .concat();
    let request = json!({"symbols": SYMBOLS, "time_range": "2026-03-01:2026-03-04", "requests": requests});
    folder.write("request.json", request.to_string())
}

/// Report without its time, and the exported rows.
fn outcome(exchange: &Exchange) -> (Value, Vec<String>) {
    let folder = Folder::new();
    let mut report = folder.run(&request(&folder), exchange.url());
    report["seconds"] = Value::Null;
    assert_ended_once(&folder, 1);
    let trades = |symbol| folder.command(&["export", "trades", "--symbol", symbol, "--format", "ndjson"]).succeeded();
    (report, SYMBOLS.iter().flat_map(|symbol| [folder.candles(symbol, "1m"), trades(symbol)]).collect())
}

#[test]
fn the_export_is_that_of_a_calm_exchange() {
    let calm = outcome(&Exchange::hostile(""));
    assert_eq!(calm.0["status"], "finished");
    for symbol in SYMBOLS {
        let coverage = &calm.0["coverage"][symbol];
        assert_eq!((&coverage["rows"], &coverage["gaps"]), (&json!(4 * 24 * 60), &json!([])));
    }
    assert!(calm.1.iter().all(|rows| rows.lines().count() > 1_000));
    let seed = env::var("STREAMFORGE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7_u64);
    for group in GROUPS {
        let faults = format!("{group}{seed}");
        eprintln!("STREAMFORGE_SEED={seed}: {faults}");
        let hostile = outcome(&Exchange::hostile(&faults));
        assert_eq!(hostile.0, calm.0, "{faults}");
        assert!(hostile.1 == calm.1, "{faults}: the exports differ");
    }
}
