//! Recorded markets come out of the store as they went in; skipped where the recordings are not there.

use serde_json::json;

use crate::support::{
    Folder,
    recorded::{QUARTERS, replay},
};

const SYMBOLS: [&str; 2] = ["BTCUSDT", "ETHUSDT"];

#[test]
fn each_stored_row_equals_the_recorded_line() {
    let folder = Folder::new();
    let (from, to) = (1_738_368_000_000, 1_743_465_600_000);
    let Some(recorded) = replay(&folder, SYMBOLS, QUARTERS, from, to) else { return };
    let request = folder.request(&SYMBOLS, "15m", "2025-02-01:2025-03-31");
    let report = folder.run(&request, &format!("replay:{}", folder.path("replay").display()));
    assert_eq!(report["records_written"], 2 * 59 * 24 * 4);
    for (symbol, lines) in SYMBOLS.into_iter().zip(recorded) {
        assert_eq!(lines.len(), 59 * 24 * 4);
        for (exported, recorded) in folder.candles(symbol, "15m").lines().zip(&lines) {
            assert_eq!(exported, recorded, "{symbol}");
        }
        assert_eq!(folder.candles(symbol, "15m").lines().count(), lines.len());
    }
}

#[test]
fn an_outage_stays_a_gap() {
    let folder = Folder::new();
    let (from, to) = (1_677_628_800_000, 1_680_307_200_000);
    let Some(recorded) = replay(&folder, SYMBOLS, "1h_outage_2023-03", from, to) else { return };
    let request = folder.request(&SYMBOLS, "1h", "2023-03-01:2023-03-31");
    let report = folder.run(&request, &format!("replay:{}", folder.path("replay").display()));
    // 2023-03-24, 13:00 UTC.
    let missing = 1_679_662_800_000_i64;
    let gap = json!([{"from": missing, "to": missing + 3_600_000, "missing": 1}]);
    for (symbol, lines) in SYMBOLS.into_iter().zip(recorded) {
        let coverage = &report["coverage"][symbol];
        assert_eq!((&coverage["gaps"], &coverage["rows"]), (&gap, &json!(31 * 24 - 1)));
        let exported = folder.candles(symbol, "1h");
        assert!(!exported.contains(&missing.to_string()));
        assert_eq!(exported.lines().collect::<Vec<_>>(), lines);
    }
    // The return over the outage counts for nobody: one bar less, and neither of its two returns.
    assert_eq!(folder.graph()["edges"][0]["observations"], 31 * 24 - 1 - 2);
}
