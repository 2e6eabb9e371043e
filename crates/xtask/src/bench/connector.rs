//! The connector on a real Kafka: klines a second into the store and into a database, beside one in Python.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use streamforge_bus::{Bus, Record, TopicConfig};
use streamforge_events::{EventType, Interval, KlineBatch};
use streamforge_servers::{
    Kafka, Server as _,
    kafka::{Settings, Speed},
};
use tokio::runtime::Runtime;

use super::{
    Unit, binary, figure,
    process::Process,
    python::Program,
    store::{START, kline},
};

const RUNS: usize = 3;
const TOPIC: &str = "market-data";
const GROUP: &str = "knative-trigger-streamforge-arango-connector";
/// As many as the topic has in the manifests.
const PARTITIONS: u32 = 12;
/// Klines of an event, as the loader sends them.
const ROWS: usize = 1000;
const SYMBOLS: usize = 10;
/// Events for the two stores and for the slow one of Python.
const EVENTS: usize = 1000;
const PATIENCE: Duration = Duration::from_mins(5);

/// Whose connector, and where it writes to.
enum Connector {
    Files,
    Database,
    Python,
}

/// Lets each connector store the same events in turns, each into an empty store.
pub(super) fn run() -> Result<()> {
    let runtime = Runtime::new()?;
    let kinds = [
        ("the connector, SQLite", Connector::Files),
        ("the connector, a double of ArangoDB", Connector::Database),
        ("a connector in Python, the same double", Connector::Python),
    ];
    let double = build_double()?;
    let mut rates: [Vec<f64>; 3] = Default::default();
    for _ in 0..RUNS {
        for ((_, kind), rates) in kinds.iter().zip(&mut rates) {
            rates.push(one(&runtime, kind, &double)?);
        }
    }
    for ((name, _), rates) in kinds.iter().zip(&rates) {
        figure(&format!("Kafka to store: klines by {name}"), Unit::PerSecond("klines"), rates.clone());
    }
    let ratios = rates[1].iter().zip(&rates[2]).map(|(ours, theirs)| ours / theirs).collect();
    figure("Kafka to the double: how many times as fast as Python, turn by turn", Unit::Times, ratios);
    Ok(())
}

/// Klines a second of one connector, from its first commit to its last.
fn one(runtime: &Runtime, kind: &Connector, double: &Path) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let kafka = Kafka::start(&Settings { speed: Speed::OfWork, ..Settings::default() })?;
    let bus = streamforge_bus::open(&kafka.url())?;
    runtime.block_on(publish(&bus))?;
    let (_double, address) = start_double(double)?;
    match kind {
        Connector::Python => {
            let program =
                Program::start("connector.py", &[&kafka.bootstrap(), TOPIC, "python", &format!("http://{address}")])?;
            follow(runtime, &bus, "python", program.id())
        }
        Connector::Files | Connector::Database => {
            let mut command = Command::new(binary("streamforge")?);
            command.args(["up", "--json", "--ingress", "127.0.0.1:0", "--api", "127.0.0.1:0", "--bus", &kafka.url()]);
            command.arg("--data-dir").arg(folder.path());
            if matches!(kind, Connector::Database) {
                command.args(["--store", &format!("arangodb://{address}/streamforge")]);
            }
            let platform = Process::start(&mut command)?;
            follow(runtime, &bus, GROUP, platform.id())
        }
    }
}

/// Klines a second while a group works off its lag.
fn follow(runtime: &Runtime, bus: &Arc<dyn Bus>, group: &str, process: u32) -> Result<f64> {
    let deadline = Instant::now() + PATIENCE;
    let mut first: Option<(Instant, u64)> = None;
    loop {
        let lag: u64 = runtime.block_on(bus.lag(group, TOPIC))?.iter().sum();
        let now = Instant::now();
        match first {
            None if lag < EVENTS as u64 => first = Some((now, lag)),
            Some((began, at_first)) if lag == 0 => {
                return Ok(count(at_first * ROWS as u64) / (now - began).as_secs_f64());
            }
            _ => {}
        }
        ensure!(now < deadline, "{group} still lags by {lag} events");
        ensure!(Path::new(&format!("/proc/{process}")).exists(), "the connector ended");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Puts the events of all symbols on the topic.
async fn publish(bus: &Arc<dyn Bus>) -> Result<()> {
    bus.create_topic(TOPIC, &TopicConfig { partitions: PARTITIONS, ..TopicConfig::default() }).await?;
    for first in (0..EVENTS).step_by(50) {
        bus.publish_many(TOPIC, (first..first + 50).map(event).collect::<Result<_>>()?).await?;
    }
    Ok(())
}

/// One event in the log's binary mode.
fn event(number: usize) -> Result<Record> {
    let (symbol, batch) = (format!("S{}USDT", number % SYMBOLS), number / SYMBOLS);
    let rows = (0..ROWS).map(|row| kline(batch * ROWS + row, 0)).collect::<Result<_>>()?;
    let batch = KlineBatch {
        symbol: symbol.parse()?,
        interval: Interval::M1,
        batch: batch.try_into()?,
        read_at: START,
        rows,
        clocks: Vec::new(),
    };
    let attributes = [
        ("specversion", "1.0"),
        ("id", &format!("bench-{number}")),
        ("source", "/streamforge/bench"),
        ("type", EventType::KlinesLoaded.as_str()),
        ("subject", &symbol),
        ("partitionkey", &symbol),
    ];
    let mut headers = attributes.map(|(name, value)| (format!("ce_{name}"), value.as_bytes().to_vec())).to_vec();
    headers.push(("content-type".to_owned(), b"application/json".to_vec()));
    Ok(Record { key: Some(symbol.into_bytes()), headers, value: serde_json::to_vec(&batch)?, timestamp: START })
}

/// Builds the server that speaks `ArangoDB`'s protocol, which only tests and this need.
fn build_double() -> Result<PathBuf> {
    let arguments = ["build", "--locked", "--release", "-p", "streamforge-store", "--features", "test-util"];
    let built = Command::new("cargo").args(arguments).args(["--example", "arangodb-double"]).status()?;
    ensure!(built.success(), "the double of ArangoDB cannot be built");
    let path = binary("streamforge")?.with_file_name("examples").join("arangodb-double");
    fs::metadata(&path).with_context(|| format!("find {}", path.display()))?;
    Ok(path)
}

fn start_double(program: &Path) -> Result<(Process, String)> {
    let mut child = Command::new(program).arg("127.0.0.1:0").stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let output = child.stdout.take().context("a piped stdout")?;
    let process = Process(child);
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    let (_, url) = line.split_once("arangodb://").context("the double did not say where it is")?;
    let (address, _) = url.split_once('/').context("the double has no database")?;
    Ok((process, address.to_owned()))
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52 klines")]
fn count(klines: u64) -> f64 {
    klines as f64
}
