//! Klines a second on the whole way: exchange, loader, log, connector, store; then the graph.

use std::{env, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{Unit, binary, figure};

const RUNS: usize = 3;
const REQUEST: &str = "examples/ten-symbols.json";

/// Loads the demo's market into an empty folder, several times.
pub(super) fn run() -> Result<()> {
    let exchange = env::var("EXCHANGE").unwrap_or_else(|_| "synthetic:42".to_owned());
    let program = binary("streamforge")?;
    let mut rates = Vec::new();
    for _ in 0..RUNS {
        let end = one(&program, &exchange)?;
        let rows = end["records_written"].as_f64().context("the run did not tell its records")?;
        let seconds = end["seconds"].as_f64().context("the run did not tell its time")?;
        rates.push(rows / seconds);
    }
    figure(&format!("klines from {exchange} into the store, graph included"), Unit::PerSecond("klines"), rates);
    Ok(())
}

fn one(program: &Path, exchange: &str) -> Result<Value> {
    let folder = tempfile::tempdir()?;
    let output = Command::new(program)
        .args(["run", REQUEST, "--json", "--exchange", exchange, "--data-dir"])
        .arg(folder.path())
        .output()?;
    ensure!(output.status.success(), "the run failed: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    Ok(serde_json::from_str(text.lines().last().context("the run printed nothing")?)?)
}
