//! What a unit costs as the work grows x1, x4 and x16: klines and tasks of one workflow, workflows of one folder.
//!
//! A cost that grows faster than the work shows as a time per unit that rises from line to line.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::{Unit, binary, figure};

const RUNS: usize = 3;
const EXCHANGE: &str = "synthetic:42";
/// Listed on the synthetic market all year.
const COINS: [&str; 32] = [
    "BTC", "ETH", "BNB", "SOL", "XRP", "ADA", "DOGE", "AVAX", "LINK", "DOT", "TRX", "LTC", "BCH", "ETC", "XLM", "ATOM",
    "NEAR", "UNI", "AAVE", "FIL", "APT", "ARB", "OP", "SUI", "INJ", "FET", "GRT", "SAND", "CRV", "ALGO", "SHIB",
    "PEPE",
];
/// Each makes a load stage with a task for every symbol.
const INTERVALS: [&str; 10] = ["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h"];
/// Workflows that one folder has seen in the end.
const WORKFLOWS: [usize; 3] = [10, 40, 160];
const PATIENCE: Duration = Duration::from_mins(10);
const PAUSE: Duration = Duration::from_millis(20);

/// Runs workflows of growing sizes, each in an empty folder, and then growing numbers of small ones in one folder.
pub(super) fn run() -> Result<()> {
    for last_day in ["2025-01-30", "2025-04-30", "2026-04-24"] {
        let request = request(&COINS[..10], &["15m"], &format!("2025-01-01:{last_day}"));
        let (rows, times) = repeat(&request)?;
        let times = times.into_iter().map(|time| time / rows * 1e6).collect();
        figure(&format!("growth: time per kline, workflow of {rows} klines"), Unit::Microseconds, times);
    }
    for symbols in [2, 8, 32] {
        let request = request(&COINS[..symbols], &INTERVALS, "2025-01-01:2025-01-01");
        let (_, times) = repeat(&request)?;
        let tasks = symbols * INTERVALS.len();
        #[expect(clippy::cast_precision_loss, reason = "a few hundred tasks")]
        let times = times.into_iter().map(|time| time / tasks as f64 * 1e3).collect();
        figure(&format!("growth: time per task, workflow of {tasks} tasks"), Unit::Milliseconds, times);
    }
    workflows()
}

fn request(coins: &[&str], intervals: &[&str], range: &str) -> Value {
    let symbols: Vec<String> = coins.iter().map(|coin| format!("{coin}USDT")).collect();
    let load = |interval: &&str| json!({"target": "loader-producer", "type": format!("api_candles_{interval}")});
    json!({"symbols": symbols, "time_range": range, "requests": intervals.iter().map(load).collect::<Vec<_>>()})
}

/// Rows of the workflow, and its seconds from the platform's start to its end, run after run.
fn repeat(request: &Value) -> Result<(f64, Vec<f64>)> {
    let mut rows = 0.0;
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("request.json");
        fs::write(&file, request.to_string())?;
        let output = streamforge(&folder.path().join("data"))?
            .args(["run", "--exchange", EXCHANGE])
            .arg(&file)
            .stderr(Stdio::null())
            .output()?;
        ensure!(output.status.success(), "the run failed: {}", String::from_utf8_lossy(&output.stdout));
        let text = String::from_utf8(output.stdout)?;
        let end: Value = serde_json::from_str(text.lines().last().context("the run printed nothing")?)?;
        rows = end["records_written"].as_f64().context("the run did not tell its records")?;
        times.push(end["seconds"].as_f64().context("the run did not tell its time")?);
    }
    Ok((rows, times))
}

/// Small workflows one after another on one platform: does a folder that has seen many make the next ones slower?
fn workflows() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let _platform = Platform::start(&data)?;
    let (mut done, mut newest) = (0, Value::Null);
    for target in WORKFLOWS {
        let mut times = Vec::new();
        for number in done..target {
            let began = Instant::now();
            // A day of its own each, so that none finds its klines loaded.
            let day = format!("2025-{:02}-{:02}", number / 28 + 1, number % 28 + 1);
            publish(&data, number, &request(&COINS[..1], &["1h"], &format!("{day}:{day}")))?;
            newest = wait_for_another(&data, &newest)?;
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
        figure(&format!("growth: a small workflow, {done} to {target} in the folder"), Unit::Milliseconds, times);
        done = target;
    }
    Ok(())
}

fn publish(data: &Path, number: usize, request: &Value) -> Result<()> {
    let output = streamforge(data)?
        .args(["publish", "--broker", "workflows", "--type", "io.streamforge.workflow.requested.v1"])
        .args(["--id", &format!("growth-{number}"), "--data", &request.to_string()])
        .output()?;
    ensure!(output.status.success(), "publishing failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// The newest workflow, once that has finished and is not `before`.
fn wait_for_another(data: &Path, before: &Value) -> Result<Value> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let listed = streamforge(data)?.args(["queues", "list", "--limit", "1"]).output()?;
        let listed: Value = serde_json::from_slice(&listed.stdout).unwrap_or_default();
        let newest = &listed[0];
        if newest["status"] == "finished" && newest["id"] != *before {
            return Ok(newest["id"].clone());
        }
        thread::sleep(PAUSE);
    }
    bail!("the workflow after {before} did not end")
}

fn streamforge(data: &Path) -> Result<Command> {
    let mut command = Command::new(binary("streamforge")?);
    command.args(["--json", "--data-dir"]).arg(data);
    Ok(command)
}

/// A running platform; its workers see the end of their standard input and go with it.
struct Platform(Child);

impl Platform {
    fn start(data: &Path) -> Result<Self> {
        let mut process = streamforge(data)?
            .args(["up", "--exchange", EXCHANGE, "--ingress", "127.0.0.1:0", "--api", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let output = process.stdout.take();
        let platform = Self(process);
        let mut line = String::new();
        BufReader::new(output.context("the platform's output is no pipe")?).read_line(&mut line)?;
        serde_json::from_str::<Value>(&line).context("the platform did not start")?;
        Ok(platform)
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
