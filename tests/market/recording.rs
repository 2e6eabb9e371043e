//! Recorded rows, and markets made of rows that a simulated exchange replays.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
};

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use crate::support::Folder;

const RECORDINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");

/// Returns a folder of recordings, or nothing where there is none.
pub(crate) fn recordings(name: &str) -> Option<PathBuf> {
    let folder = Path::new(RECORDINGS).join(name);
    if !folder.is_dir() {
        eprintln!("skipped: there are no recordings in {}", folder.display());
        return None;
    }
    Some(folder)
}

/// Returns the lines of a packed file.
pub(crate) fn lines(file: &Path) -> Vec<String> {
    let file = File::open(file).unwrap();
    BufReader::new(GzDecoder::new(file)).lines().map(Result::unwrap).collect()
}

/// Rows of twelve fields by symbol, as the exchange sends them.
pub(crate) type Rows = BTreeMap<String, Vec<String>>;

/// Returns the open time of a row, which comes first.
pub(crate) fn open_time(row: &str) -> i64 {
    let (first, _) = row.trim_start_matches('[').split_once(',').unwrap();
    first.parse().unwrap()
}

/// Puts rows into a folder that can be replayed, and returns the exchange's name for it.
pub(crate) fn replayed(folder: &Folder, interval: &str, rows: &Rows) -> String {
    for (symbol, rows) in rows {
        folder.write(&format!("replay/{symbol}-{interval}.ndjson"), rows.join("\n") + "\n");
    }
    format!("replay:{}", folder.path("replay").display())
}

/// Writes a request for the graph of all pairs, and what it needs.
pub(crate) fn request(folder: &Folder, symbols: &[&str], interval: &str, days: &str) -> String {
    let kind = format!("api_candles_{interval}");
    let mut requests =
        vec![json!({"target": "loader-producer", "type": kind}), json!({"target": "arango-connector", "type": kind})];
    if symbols.len() > 1 {
        requests.push(json!({
            "target": "graph-builder", "type": "gnn_graph", "threshold": 0, "k": 0, "minimum_observations": 2,
        }));
    }
    let request = json!({"symbols": symbols, "time_range": days, "requests": requests});
    folder.write("request.json", request.to_string())
}

/// Returns the closes of rows by their open times.
pub(crate) fn closes(rows: &[String]) -> BTreeMap<i64, f64> {
    let close = |row: &String| {
        let row: Value = serde_json::from_str(row).unwrap();
        (row[0].as_i64().unwrap(), row[4].as_str().unwrap().parse().unwrap())
    };
    rows.iter().map(close).collect()
}

/// Loads rows the whole way: each comes out as it went in, and coverage tells the gaps between them.
///
/// Returns the closes, for graphs.
pub(crate) fn assert_whole_way(
    folder: &Folder,
    (interval, days): (&str, &str),
    rows: &Rows,
    next_open: impl Fn(i64) -> i64,
) -> BTreeMap<String, BTreeMap<i64, f64>> {
    let symbols: Vec<&str> = rows.keys().map(String::as_str).collect();
    let exchange = replayed(folder, interval, rows);
    let report = folder.run(&request(folder, &symbols, interval, days), &exchange);
    assert_eq!(report["records_written"], rows.values().map(Vec::len).sum::<usize>());
    for (symbol, rows) in rows {
        let exported = folder.candles(symbol, interval);
        let exported: Vec<&str> = exported.lines().collect();
        assert_eq!(exported.len(), rows.len(), "{symbol}");
        for (exported, row) in exported.iter().zip(rows) {
            assert_eq!(exported, row, "{symbol}");
        }
        let coverage = &report["coverage"][symbol];
        let open_times: Vec<i64> = rows.iter().map(|row| open_time(row)).collect();
        let expected = [
            json!(rows.len()),
            json!(open_times.first()),
            json!(open_times.last()),
            crate::definition::gaps(&open_times, &next_open),
        ];
        let found = ["rows", "first", "last", "gaps"].map(|name| coverage[name].clone());
        assert_eq!(found, expected, "{symbol}");
    }
    rows.iter().map(|(symbol, rows)| (symbol.clone(), closes(rows))).collect()
}

/// Makes a row of a bar that moves.
pub(crate) fn row(open: i64, next: i64, close: &str, volume: &str) -> String {
    let last = next - 1;
    format!(
        r#"[{open},"{close}","{close}","{close}","{close}","{volume}",{last},"1.25000000",7,"0.50","0.62500000","0"]"#
    )
}

/// Makes rows at these open times, with closes that go up and down; another `seed` goes another way.
pub(crate) fn walk(open_times: &[i64], next_open: impl Fn(i64) -> i64, seed: i64) -> Vec<String> {
    let close = |number: i64| 100_000 + (number * number * (7 + seed) + 31 * number * seed) % 997;
    let rows = open_times.iter().zip(0..).map(|(open, number)| {
        let close = close(number);
        row(*open, next_open(*open), &format!("{}.{:02}", close / 100, close % 100), "3.00")
    });
    rows.collect()
}
