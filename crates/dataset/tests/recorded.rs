//! The baselines over recorded bars come out as they did in another implementation.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
};

use flate2::read::GzDecoder;
use streamforge_dataset::{Dataset, Definition, FRACTIONS, Panel, SymbolBars, baseline};
use streamforge_events::Interval;

const RECORDINGS: &str = "../../../shared/data/klines_native/15m_2024-12-30_2026-04-30";

/// Mean squared errors of the logarithm and QLIKE over five windows, by pandas and scikit-learn.
const EXPECTED: [(&str, f64, f64); 5] = [
    ("last value", 0.2433, 0.7946),
    ("EWMA", 0.2150, 0.6296),
    ("HAR", 0.1779, 0.6309),
    ("HAR + clock", 0.1575, 0.5878),
    ("HAR + clock + market", 0.1523, 0.5860),
];

fn recorded() -> Option<Panel> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(RECORDINGS);
    if !folder.is_dir() {
        eprintln!("skipped: there are no recordings in {}", folder.display());
        return None;
    }
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    Some(Panel::new(Interval::M15, files.iter().map(|file| bars(file)).collect()).unwrap())
}

/// Reads rows of twelve fields; no text in them holds a comma.
fn bars(file: &Path) -> SymbolBars {
    let name = file.file_name().unwrap().to_str().unwrap().split('-').next().unwrap();
    let mut bars = SymbolBars {
        symbol: name.parse().unwrap(),
        open_time: vec![],
        high: vec![],
        low: vec![],
        close: vec![],
        volume: vec![],
        quote_volume: vec![],
        taker_buy_volume: vec![],
    };
    for line in BufReader::new(GzDecoder::new(File::open(file).unwrap())).lines() {
        let line = line.unwrap();
        let fields: Vec<&str> = line.split(',').map(|field| field.trim_matches(['[', ']', '"'])).collect();
        let number = |field: usize| fields[field].parse::<f64>().unwrap();
        bars.open_time.push(fields[0].parse().unwrap());
        bars.high.push(number(2));
        bars.low.push(number(3));
        bars.close.push(number(4));
        bars.volume.push(number(5));
        bars.quote_volume.push(number(7));
        bars.taker_buy_volume.push(number(9));
    }
    bars
}

#[test]
fn baselines_are_as_good_as_elsewhere() {
    let Some(panel) = recorded() else { return };
    let definition = Definition::standard(Interval::M15, 16).unwrap().with_baselines().unwrap();
    let dataset = Dataset::compute(&panel, &definition);
    let folds = dataset.walk_forward(&FRACTIONS, definition.embargo()).unwrap();
    let scores = baseline::scores(&dataset, &definition, &folds).unwrap();
    for (what, scores) in [
        ("volatility", &scores.volatility),
        ("qlike", &scores.volatility_qlike),
        ("direction", &scores.direction),
        ("log loss", &scores.direction_log_loss),
    ] {
        for (name, score) in scores {
            println!("{what:10} {name:22} {:.4} ± {:.4} {:.3?}", score.mean, score.spread, score.windows);
        }
    }
    for (name, mse, qlike) in EXPECTED {
        for (found, expected) in [(&scores.volatility[name], mse), (&scores.volatility_qlike[name], qlike)] {
            assert_eq!(found.windows.len(), 5);
            assert!((found.mean / expected - 1.0).abs() < 0.02, "{name}: {} for {expected}", found.mean);
        }
    }
}
