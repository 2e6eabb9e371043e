//! Recorded markets of the exchange, where they are.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::Path,
};

use flate2::read::GzDecoder;

use super::Folder;

pub(crate) const RECORDINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/klines_native");
const DAY: i64 = 86_400_000;

/// Recordings of fifteen minutes over sixteen months.
pub(crate) const QUARTERS: &str = "15m_2024-12-30_2026-04-30";

/// Puts the recorded lines of a range, and a day on either side, into a folder that `replay:` takes.
///
/// Returns the lines of the range itself by symbol, none if nothing is recorded here.
pub(crate) fn replay<const N: usize>(
    folder: &Folder,
    symbols: [&str; N],
    part: &str,
    from: i64,
    to: i64,
) -> Option<[Vec<String>; N]> {
    let recordings = Path::new(RECORDINGS).join(part);
    if !recordings.is_dir() {
        eprintln!("skipped: there are no recordings in {}", recordings.display());
        return None;
    }
    let (interval, _) = part.split_once('_').expect("a part begins with its interval");
    Some(symbols.map(|symbol| {
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
