//! A live market of 200 symbols on the whole platform: from a frame to the store, and from a closed bar to a prediction.

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use streamforge_bus::{Bus, StoredRecord};
use streamforge_events::{
    Clocks, DepthBatch, Interval, KlineBatch, Millis, PredictionBatch, Symbol, TimeRange, TradeBatch,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::{
    Unit, binary, figure,
    load::quantile,
    model,
    process::{children, resident},
};

/// At the usual pace of the measurement 18,000 trades a second beside 2,000 differences of books and some bars.
///
/// One symbol too many: one of them began to trade later.
const MARKET: &str = "synthetic:42,symbols=201,pace=";
const START: &str = "2024-06-01T12:07:30Z";
/// A week and a day before that: the model looks back a week.
const MODEL_FROM: Millis = 1_716_552_450_000;
const SYMBOLS: usize = 200;
/// Symbols of the model.
const PREDICTED: usize = 10;
const TOPIC: &str = "market-data";
const CONNECTOR: &str = "knative-trigger-streamforge-arango-connector";
/// What comes in this time is not counted: books and caches are filled.
const WARM_UP: Duration = Duration::from_mins(1);
const MEASURED: Duration = Duration::from_mins(4);
/// How exactly moments are seen.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Runs the market at its own speed and looks at the log.
pub(super) fn run() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let runtime = Runtime::new()?;
    let mut exchange = Told::start(Command::new(binary("streamforge")?).args([
        "exchange",
        "serve",
        "--json",
        "--source",
        &format!("{MARKET}{}", pace()),
        "--start",
        START,
        // To compress is the exchange's work, which is not what is measured.
        "--faults",
        "ws-plain:1",
        "--listen",
        "127.0.0.1:0",
    ]))?;
    let url = format!("http://{}", exchange.line()?["listening"].as_str().context("no address")?);
    let symbols = symbols(&runtime, &url)?;
    publish_model(&runtime, &folder, &symbols)?;
    let data = folder.path().join("data");
    let mut platform = Told::start(
        Command::new(binary("streamforge")?)
            .args([
                "up",
                "--json",
                "--ingress",
                "127.0.0.1:0",
                "--api",
                "127.0.0.1:0",
                "--exchange",
                &url,
                "--data-dir",
            ])
            .arg(&data),
    )?;
    platform.line()?;
    for request in requests(&symbols) {
        let published = Command::new(binary("streamforge")?)
            .args(["publish", "--broker", "workflows", "--type", "io.streamforge.workflow.requested.v1", "--data"])
            .arg(request.to_string())
            .arg("--data-dir")
            .arg(&data)
            .stdout(Stdio::null())
            .status()?;
        ensure!(published.success(), "a request was refused");
    }
    let bus = streamforge_bus::open(&format!("sqlite://{}/bus.db", data.display()))?;
    thread::sleep(WARM_UP);
    let mut seen = Seen::new(&runtime, bus)?;
    let begun = Instant::now();
    while begun.elapsed() < MEASURED {
        runtime.block_on(seen.look())?;
        thread::sleep(LOOK_EVERY);
    }
    let memory = children(platform.0.id())?.into_iter().filter(|process| is_loader(*process));
    let memory = memory.map(resident).collect::<Result<Vec<_>>>()?;
    seen.tell(begun.elapsed());
    figure("resident memory of loader-ws then", Unit::Mebibytes, memory);
    figure("resident memory of the platform then", Unit::Mebibytes, vec![resident(platform.0.id())?]);
    Ok(())
}

/// How many times as often as usual they trade; the load of the measurement.
fn pace() -> String {
    std::env::var("PACE").unwrap_or_else(|_| "1500".to_owned())
}

/// A process that says on its first line where it is; it is killed when dropped.
struct Told(Child);

impl Told {
    fn start(command: &mut Command) -> Result<Self> {
        Ok(Self(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?))
    }

    fn line(&mut self) -> Result<Value> {
        let output = self.0.stdout.take().context("its output is no pipe")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        serde_json::from_str(&line).with_context(|| format!("it did not start: {line:?}"))
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        // Workers see the end of their standard input and go too.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn symbols(runtime: &Runtime, url: &str) -> Result<Vec<Symbol>> {
    let client = streamforge_exchange::Client::new(streamforge_exchange::ClientConfig::new(url))?;
    let information = runtime.block_on(client.exchange_info(&[]))?;
    let symbols = information.symbols.into_iter().map(|entry| entry.symbol).filter(|symbol| symbol.as_str().is_ascii());
    let symbols: Vec<Symbol> = symbols.take(SYMBOLS).collect();
    ensure!(symbols.len() == SYMBOLS, "the exchange has {} symbols", symbols.len());
    Ok(symbols)
}

fn publish_model(runtime: &Runtime, folder: &TempDir, symbols: &[Symbol]) -> Result<()> {
    let objects = folder.path().join("data/objects");
    std::fs::create_dir_all(&objects)?;
    let range = TimeRange::new(MODEL_FROM, MODEL_FROM + 86_400_000)?;
    runtime.block_on(async {
        let objects = streamforge_store::open_objects(&format!("file://{}", objects.display())).await?;
        model::publish(objects, Interval::M1, symbols.iter().take(PREDICTED).cloned().collect(), range).await
    })
}

/// One for what is predicted, with the history behind it, and one for the whole market.
fn requests(symbols: &[Symbol]) -> [Value; 2] {
    let streams =
        ["ws_trades", "ws_candles_1m", "ws_orderbook"].map(|kind| json!({"target": "loader-ws", "type": kind}));
    let market = json!({"symbols": symbols, "time_range": "2024-06-01:2024-06-01", "requests": streams});
    let predictions = json!({
        "symbols": symbols.iter().take(PREDICTED).collect::<Vec<_>>(), "time_range": "2024-05-24:2024-06-01",
        "requests": [
            {"target": "loader-producer", "type": "api_candles_1m"},
            {"target": "predictor", "type": "realtime_gnn_infer", "model": model::NAME},
        ],
    });
    [predictions, market]
}

fn is_loader(process: u32) -> bool {
    let line = std::fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap_or_default();
    line.split('\0').next().is_some_and(|program| program.ends_with("/loader-ws"))
}

/// What the log has shown.
struct Seen {
    bus: Arc<dyn Bus>,
    /// Next record by partition: of those that the connector has stored, and of all.
    stored: Vec<u64>,
    ahead: Vec<u64>,
    /// When the bar of a symbol came from the exchange.
    bars: HashMap<(Symbol, Millis), f64>,
    frames: u64,
    storing: Vec<f64>,
    predicting: Vec<f64>,
}

impl Seen {
    fn new(runtime: &Runtime, bus: Arc<dyn Bus>) -> Result<Self> {
        let (stored, ahead) = runtime.block_on(async {
            let stored = bus.committed(CONNECTOR, TOPIC).await?;
            anyhow::Ok((stored.into_iter().map(Option::unwrap_or_default).collect(), bus.end_offsets(TOPIC).await?))
        })?;
        let (storing, predicting) = (Vec::new(), Vec::new());
        Ok(Self { bus, stored, ahead, bars: HashMap::new(), frames: 0, storing, predicting })
    }

    /// Looks at what the connector has committed since the last time, and at what is new.
    async fn look(&mut self) -> Result<()> {
        let now = now();
        let committed = self.bus.committed(CONNECTOR, TOPIC).await?;
        let ends = self.bus.end_offsets(TOPIC).await?;
        for (partition, end) in (0_u32..).zip(ends) {
            let index = usize::try_from(partition)?;
            while self.ahead[index] < end {
                for record in self.bus.fetch(TOPIC, partition, self.ahead[index], 100, usize::MAX).await? {
                    self.ahead[index] = record.offset + 1;
                    self.note_new(&record, now)?;
                }
            }
        }
        for (partition, end) in (0_u32..).zip(committed) {
            let index = usize::try_from(partition)?;
            let end = end.unwrap_or_default();
            while self.stored[index] < end {
                let wanted = usize::try_from(end - self.stored[index])?.min(100);
                for record in self.bus.fetch(TOPIC, partition, self.stored[index], wanted, usize::MAX).await? {
                    self.stored[index] = record.offset + 1;
                    self.note_stored(&record, now)?;
                }
            }
        }
        Ok(())
    }

    fn note_new(&mut self, record: &StoredRecord, now: f64) -> Result<()> {
        match kind(record) {
            "io.streamforge.depth.updated.v1" => {
                let batch: DepthBatch = serde_json::from_slice(&record.record.value)?;
                self.frames += batch.updates.len() as u64;
            }
            "io.streamforge.klines.loaded.v1" => {
                let batch: KlineBatch = serde_json::from_slice(&record.record.value)?;
                for (row, clocks) in batch.rows.iter().zip(&batch.clocks) {
                    self.frames += 1;
                    self.bars.insert((batch.symbol.clone(), row.open_time), received(clocks));
                }
            }
            "io.streamforge.prediction.made.v1" => {
                let batch: PredictionBatch = serde_json::from_slice(&record.record.value)?;
                for (open_time, ..) in batch.rows {
                    if let Some(received) = self.bars.get(&(batch.symbol.clone(), open_time)) {
                        self.predicting.push((now - received) * 1000.0);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn note_stored(&mut self, record: &StoredRecord, now: f64) -> Result<()> {
        let clocks = match kind(record) {
            "io.streamforge.trades.loaded.v1" => {
                let batch: TradeBatch = serde_json::from_slice(&record.record.value)?;
                self.frames += batch.clocks.len() as u64;
                batch.clocks
            }
            "io.streamforge.klines.loaded.v1" => serde_json::from_slice::<KlineBatch>(&record.record.value)?.clocks,
            _ => return Ok(()),
        };
        self.storing.extend(clocks.iter().map(|clocks| (now - received(clocks)) * 1000.0));
        Ok(())
    }

    fn tell(&self, time: Duration) {
        let frames = f64::from(u32::try_from(self.frames).unwrap_or(u32::MAX)) / time.as_secs_f64();
        figure("live: trades, differences and closed bars", Unit::PerSecond("frames"), vec![frames]);
        for (share, name) in [(0.5, "p50"), (0.99, "p99"), (0.999, "p99.9")] {
            let storing = quantile(&self.storing, share);
            figure(&format!("live: from frame to stored, {name}"), Unit::Milliseconds, vec![storing]);
        }
        for (share, name) in [(0.5, "p50"), (0.99, "p99"), (0.999, "p99.9")] {
            let predicting = quantile(&self.predicting, share);
            let what = format!("live: from closed bar to prediction, {name} of {}", self.predicting.len());
            figure(&what, Unit::Milliseconds, vec![predicting]);
        }
    }
}

fn kind(record: &StoredRecord) -> &str {
    let header = record.record.headers.iter().find(|(name, _)| name == "ce_type");
    header.and_then(|(_, value)| std::str::from_utf8(value).ok()).unwrap_or_default()
}

/// # Units
/// Seconds since the epoch.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// # Units
/// Seconds since the epoch.
fn received(clocks: &Clocks) -> f64 {
    Duration::from_nanos(u64::try_from(clocks.received).unwrap_or_default()).as_secs_f64()
}
