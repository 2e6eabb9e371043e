//! Finds the recordings of a folder by their names.

use std::path::{Path, PathBuf};

use streamforge_events::{Interval, Symbol};

use super::{fail, recording::Layout};
use crate::Error;

const EXPECTED: &str = "SYMBOL-INTERVAL.ndjson, SYMBOL-INTERVAL.csv or SYMBOL-aggTrades*.ndjson, plain or with .gz";

/// What a file's name promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Klines { interval: Interval, layout: Layout },
    AggTrades,
}

/// All recordings directly inside `folder`, by name.
pub(super) fn find(folder: &Path) -> Result<Vec<(PathBuf, String, Content)>, Error> {
    let unreadable = |error: std::io::Error| fail(folder, format!("the folder cannot be read: {error}"));
    let mut files = Vec::new();
    let mut subfolders = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        if path.is_dir() {
            subfolders.push(name.to_owned());
        } else if let Some((symbol, content)) = parse(name) {
            files.push((path.clone(), symbol, content));
        }
    }
    if files.is_empty() {
        subfolders.sort();
        let hint = match &subfolders[..] {
            [] => String::new(),
            names => format!("; did you mean a folder inside it: {}?", names.join(", ")),
        };
        return Err(fail(folder, format!("no recording in it; expected {EXPECTED}{hint}")));
    }
    files.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(files)
}

fn parse(name: &str) -> Option<(String, Content)> {
    let plain = name.strip_suffix(".gz").unwrap_or(name);
    let (stem, layout) = match plain.rsplit_once('.')? {
        (stem, "ndjson") => (stem, Layout::Arrays),
        (stem, "csv") => (stem, Layout::Columns),
        _ => return None,
    };
    let (symbol, content) = match stem.split_once("-aggTrades") {
        Some((symbol, _)) if layout == Layout::Arrays => (symbol, Content::AggTrades),
        _ => {
            let (symbol, interval) = stem.rsplit_once('-')?;
            (symbol, Content::Klines { interval: interval.parse().ok()?, layout })
        }
    };
    symbol.parse::<Symbol>().ok()?;
    Some((symbol.to_owned(), content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_is_inside() {
        let klines = |interval, layout| Some(Content::Klines { interval, layout });
        for (name, symbol, content) in [
            ("BTCUSDT-15m.ndjson.gz", "BTCUSDT", klines(Interval::M15, Layout::Arrays)),
            ("BTCUSDT-1M.csv", "BTCUSDT", klines(Interval::Mo1, Layout::Columns)),
            ("币安人生USDT-1h.csv.gz", "币安人生USDT", klines(Interval::H1, Layout::Columns)),
            ("XRPETH-aggTrades-2019-10-11_13.ndjson.gz", "XRPETH", Some(Content::AggTrades)),
            ("XRPETH-aggTrades.csv", "", None),
            ("BTCUSDT-2m.ndjson", "", None),
            ("README.md", "", None),
            ("-1h.csv", "", None),
        ] {
            let expected = content.map(|content| (symbol.to_owned(), content));
            assert_eq!(parse(name), expected, "{name}");
        }
    }

    #[test]
    fn an_empty_folder_is_refused_with_what_was_expected() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("inner")).unwrap();
        let error = find(folder.path()).unwrap_err().to_string();
        assert!(error.contains("SYMBOL-INTERVAL.ndjson") && error.contains("inner"), "{error}");
        assert!(find(&folder.path().join("absent")).unwrap_err().to_string().contains("absent"));
    }
}
