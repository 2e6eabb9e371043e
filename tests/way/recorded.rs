//! Recorded markets come out of the store as they went in; skipped where the recordings are not there.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use flate2::read::GzDecoder;
use serde_json::json;

use crate::support::Folder;

const SYMBOLS: [&str; 2] = ["BTCUSDT", "ETHUSDT"];
const DAY: i64 = 86_400_000;
const RECORDINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/klines_native");

/// Puts the recorded lines of a range, and a day on either side, into a folder that can be replayed.
///
/// Returns the lines of the range itself by symbol, none if nothing is recorded here.
fn replay(folder: &Folder, part: &str, interval: &str, from: i64, to: i64) -> Option<[Vec<String>; 2]> {
    let recordings = Path::new(RECORDINGS).join(part);
    if !recordings.is_dir() {
        eprintln!("skipped: there are no recordings in {}", recordings.display());
        return None;
    }
    Some(SYMBOLS.map(|symbol| {
        let file = File::open(recordings.join(format!("{symbol}-{interval}.ndjson.gz"))).unwrap();
        let open_time = |line: &str| line[1..line.find(',').unwrap()].parse::<i64>().unwrap();
        let near: Vec<String> = BufReader::new(GzDecoder::new(file))
            .lines()
            .map(Result::unwrap)
            .filter(|line| (from - DAY..to + DAY).contains(&open_time(line)))
            .collect();
        folder.write(&format!("replay/{symbol}-{interval}.ndjson"), near.join("\n") + "\n");
        near.into_iter().filter(|line| (from..to).contains(&open_time(line))).collect()
    }))
}

#[test]
fn each_stored_row_equals_the_recorded_line() {
    let folder = Folder::new();
    let (from, to) = (1_738_368_000_000, 1_743_465_600_000);
    let Some(recorded) = replay(&folder, "15m_2024-12-30_2026-04-30", "15m", from, to) else { return };
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
    let Some(recorded) = replay(&folder, "1h_outage_2023-03", "1h", from, to) else { return };
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
