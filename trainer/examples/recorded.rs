//! Trains on a folder of recorded klines and prints the scores: `cargo run --release --example recorded -- FOLDER [SETTING=JSON]…`.
#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, Result};
use flate2::read::GzDecoder;
use gnn_trainer::{Journal, Plan, Progress, train};
use serde_json::{Map, Value, json};
use streamforge_dataset::{Dataset, Panel, Score, SymbolBars};
use streamforge_events::Interval;

/// Keeps nothing and tells the end of each fit.
struct Silent;

impl Journal for Silent {
    fn is_stopped(&self) -> bool {
        false
    }

    fn load(&self, _: &str) -> Option<Vec<u8>> {
        None
    }

    fn save(&self, _: &str, _: Vec<u8>) {}

    fn progress(&self, progress: &Progress) {
        eprintln!("{} {:?}", progress.fit, progress.epoch);
    }
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().context("name a folder of recorded klines")?;
    let mut settings = Map::new();
    for argument in arguments {
        let (name, value) = argument.split_once('=').context("settings are name=value")?;
        settings.insert(name.to_owned(), serde_json::from_str(value)?);
    }
    let interval: Interval =
        settings.remove("interval").and_then(|value| value.as_str()?.parse().ok()).unwrap_or(Interval::M15);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.sort();
    let symbols: Vec<SymbolBars> = files.iter().map(|file| bars(file)).collect::<Result<_>>()?;
    let plan = plan(&symbols, interval, &settings)?;
    let panel = Panel::new(interval, symbols)?;
    tch::set_num_threads(1);
    let started = Instant::now();
    let dataset = Dataset::compute(&panel, &plan.definition);
    let trained = train(&plan, &panel, &dataset, None, 0, &Silent, 2)?;
    println!("{:.1} s, {} features", started.elapsed().as_secs_f64(), plan.definition.features.len());
    let scores = &trained.card.scores;
    for (target, scores) in
        [("volatility", &scores.volatility), ("direction", &scores.direction), ("log loss", &scores.direction_log_loss)]
    {
        println!("{target}");
        let mut rows: Vec<(&String, &Score)> = scores.iter().collect();
        rows.sort_by(|left, right| left.1.mean.total_cmp(&right.1.mean));
        for (name, score) in rows {
            println!("  {name:24} {:.4} ± {:.4}  {:.4?}", score.mean, score.spread, score.windows);
        }
    }
    for verdict in &trained.card.verdicts {
        println!("{}", verdict.words);
    }
    Ok(())
}

fn plan(symbols: &[SymbolBars], interval: Interval, settings: &Map<String, Value>) -> Result<Plan> {
    let names: Vec<_> = symbols.iter().map(|bars| &bars.symbol).collect();
    let mut parameters = json!({
        "symbols": names, "interval": interval, "from": 0, "to": 4_000_000_000_000_i64, "model": "recorded",
    });
    for (name, value) in settings {
        parameters[name] = value.clone();
    }
    let command = json!({
        "command": "start", "queue_id": "wf-multi-gnn_train-20250101-a1b2c3", "target": "gnn-trainer",
        "type": "gnn_train", "task": "gnn-trainer-0000", "parameters": parameters,
    });
    Plan::parse(&serde_json::from_value(command)?).map_err(anyhow::Error::msg)
}

/// Reads rows of twelve fields, or of those that a CSV with a header names.
fn bars(file: &Path) -> Result<SymbolBars> {
    let name = file.file_name().and_then(|name| name.to_str()?.split('-').next()).context("a file has a name")?;
    let mut bars = SymbolBars {
        symbol: name.parse()?,
        open_time: vec![],
        high: vec![],
        low: vec![],
        close: vec![],
        volume: vec![],
        quote_volume: vec![],
        taker_buy_volume: vec![],
    };
    let is_csv = file.to_string_lossy().contains(".csv");
    for line in BufReader::new(GzDecoder::new(File::open(file)?)).lines() {
        let line = line?;
        let fields: Vec<&str> = line.split(',').map(|field| field.trim_matches(['[', ']', '"', ' '])).collect();
        let Ok(open_time) = fields[0].parse() else { continue };
        let number = |field: usize| fields.get(field).map_or(Ok(0.0), |field| field.parse::<f64>());
        bars.open_time.push(open_time);
        bars.high.push(number(2)?);
        bars.low.push(number(3)?);
        bars.close.push(number(4)?);
        bars.volume.push(number(5)?);
        bars.quote_volume.push(if is_csv { number(5)? * number(4)? } else { number(7)? });
        bars.taker_buy_volume.push(if is_csv { number(5)? / 2.0 } else { number(9)? });
    }
    Ok(bars)
}
