//! What a prediction costs: from exec to the first one, and each new bar of ten symbols after it.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::Command,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use streamforge_events::{Decimal, Interval, Kline, Millis, SeriesId, SeriesKind, Symbol, TimeRange};
use streamforge_store::{Store, Versioned};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::{
    Unit, binary, figure,
    load::quantile,
    model,
    process::{Process, free_port, resident},
    scrape::Scrape,
};

const STARTS: usize = 11;
const SYMBOLS: usize = 10;
const INTERVAL: Interval = Interval::M15;
/// A Monday.
const START: Millis = 1_704_067_200_000;
/// Bars that are stored before the first new one: more than any feature needs.
const HISTORY: u32 = 1_000;
const NEW_BARS: u32 = 300;
const PATIENCE: Duration = Duration::from_secs(20);
const QUEUE_ID: &str = "wf-multi-gnn_infer-20240101-a1b2c3";

/// A store with ten symbols and a registry with a network of the usual size.
struct Market {
    runtime: Runtime,
    store: Arc<dyn Store>,
    folder: TempDir,
    ingress: SocketAddr,
}

/// A running predictor.
struct Running {
    process: Process,
    address: SocketAddr,
}

pub(super) fn run() -> Result<()> {
    let program = binary("predictor")?;
    let market = Market::set()?;
    market.store_bars(0..HISTORY)?;
    let mut starts = Vec::new();
    for number in 0..STARTS {
        starts.push(market.first_prediction(&program, number)?);
    }
    figure("predictor from exec to its first prediction", Unit::Milliseconds, starts);
    market.new_bars(&program)
}

impl Market {
    fn set() -> Result<Self> {
        let runtime = Runtime::new()?;
        let folder = tempfile::tempdir()?;
        let store = runtime.block_on(streamforge_store::open(&url(&folder, "sqlite", "store.db")))?;
        let objects = runtime.block_on(streamforge_store::open_objects(&url(&folder, "file", "objects")))?;
        let symbols = (0..SYMBOLS).map(symbol).collect::<Result<_>>()?;
        let range = TimeRange::new(START, open_time(HISTORY))?;
        runtime.block_on(model::publish(objects, INTERVAL, symbols, range))?;
        Ok(Self { runtime, store, folder, ingress: accept_all()? })
    }

    fn store_bars(&self, bars: std::ops::Range<u32>) -> Result<()> {
        for number in 0..SYMBOLS {
            let series = SeriesId { symbol: symbol(number)?, kind: SeriesKind::Klines(INTERVAL) };
            let rows = bars.clone().map(|bar| Ok(Versioned { version: 1, value: kline(number, bar)? }));
            let rows = rows.collect::<Result<Vec<_>>>()?;
            self.runtime.block_on(self.store.upsert_klines(&series, &rows))?;
        }
        Ok(())
    }

    fn start(&self, program: &Path) -> Result<Running> {
        let (port, metrics) = (free_port()?, free_port()?);
        let mut command = Command::new(program);
        command
            .env("PORT", port.to_string())
            .env("STREAMFORGE_METRICS_PORT", metrics.to_string())
            .env("STREAMFORGE_STORE_URL", url(&self.folder, "sqlite", "store.db"))
            .env("STREAMFORGE_OBJECTS_URL", url(&self.folder, "file", "objects"))
            .env("STREAMFORGE_INGRESS_URL", format!("http://{}", self.ingress))
            .env("STREAMFORGE_LOG", "error");
        let process = Process::start(&mut command)?;
        Ok(Running { process, address: SocketAddr::from(([127, 0, 0, 1], port)) })
    }

    /// Time from the start of the process until the newest bar is predicted, the runtime's library loaded on the way.
    fn first_prediction(&self, program: &Path, number: usize) -> Result<f64> {
        let started = Instant::now();
        let running = self.start(program)?;
        let last = open_time(HISTORY - 1);
        let command = command("gnn_infer", &json!({"from": last, "to": last + 1}))?;
        while TcpStream::connect(running.address).is_err() {
            ensure!(started.elapsed() < PATIENCE, "the predictor does not listen");
            thread::yield_now();
        }
        running.post("control.start", &format!("first-{number}"), &command)?;
        let elapsed = milliseconds(started.elapsed());
        let predicted = Scrape::of(running.process.id())?.value("predictor_predictions_total")?;
        ensure!(predicted > 9.5, "{predicted} of {SYMBOLS} symbols were predicted");
        Ok(elapsed)
    }

    /// Lets one bar after another become the newest.
    fn new_bars(&self, program: &Path) -> Result<()> {
        let running = self.start(program)?;
        let started = Instant::now();
        while TcpStream::connect(running.address).is_err() {
            ensure!(started.elapsed() < PATIENCE, "the predictor does not listen");
            thread::yield_now();
        }
        running.post("control.start", "subscribe", &command("realtime_gnn_infer", &json!({}))?)?;
        let mut scrape = Scrape::of(running.process.id())?;
        let (mut networks, mut answers) = (Vec::new(), Vec::new());
        for bar in HISTORY..HISTORY + NEW_BARS {
            self.store_bars(bar..bar + 1)?;
            let event = new_bar(bar)?;
            let before = scrape.value("predictor_inference_duration_seconds_sum")?;
            let sent = Instant::now();
            running.post("klines.loaded", &format!("bar-{bar}"), &event)?;
            answers.push(milliseconds(sent.elapsed()));
            networks.push((scrape.value("predictor_inference_duration_seconds_sum")? - before) * 1000.0);
        }
        let memory = resident(running.process.id())?;
        for (share, name) in [(0.5, "p50"), (0.99, "p99")] {
            let network = quantile(&networks, share);
            figure(&format!("newest bar of {SYMBOLS} symbols, network, {name}"), Unit::Milliseconds, vec![network]);
            let answer = quantile(&answers, share);
            let what = format!("newest bar of {SYMBOLS} symbols, read, predicted, stored and told, {name}");
            figure(&what, Unit::Milliseconds, vec![answer]);
        }
        figure("resident memory of the predictor then", Unit::Mebibytes, vec![memory]);
        Ok(())
    }
}

impl Running {
    /// Posts an event, which must be done.
    fn post(&self, kind: &str, id: &str, payload: &Value) -> Result<()> {
        let body = payload.to_string();
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        write!(
            stream,
            "POST / HTTP/1.1\r\nhost: 127.0.0.1\r\nce-specversion: 1.0\r\nce-id: {id}\r\nce-source: /bench\r\n\
             ce-type: io.streamforge.{kind}.v1\r\nce-queueid: {QUEUE_ID}\r\ncontent-type: application/json\r\n\
             connection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len(),
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        ensure!(answer.starts_with("HTTP/1.1 204"), "the predictor answered {answer}");
        Ok(())
    }
}

/// Takes every event and keeps none.
fn accept_all() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    listener.set_nonblocking(true)?;
    thread::spawn(move || -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let accept = axum::Router::new().fallback(|| async { axum::http::StatusCode::ACCEPTED });
            axum::serve(tokio::net::TcpListener::from_std(listener)?, accept).await?;
            Ok(())
        })
    });
    Ok(address)
}

fn symbol(number: usize) -> Result<Symbol> {
    Ok(format!("S{number}USDT").parse()?)
}

fn open_time(bar: u32) -> Millis {
    INTERVAL.advance(START, bar)
}

fn kline(symbol: usize, bar: u32) -> Result<Kline> {
    let close = 100_000 + u128::from(bar) * (7_919 + symbol as u128) % 997;
    let decimal = |mantissa| Decimal::from_parts(mantissa, 2).context("a number of few digits");
    Ok(Kline {
        open_time: open_time(bar),
        open: decimal(close)?,
        high: decimal(close + 50)?,
        low: decimal(close - 50)?,
        close: decimal(close)?,
        volume: decimal(1_000)?,
        close_time: open_time(bar + 1) - 1,
        quote_asset_volume: decimal(100_000 + close)?,
        number_of_trades: 10,
        taker_buy_base_asset_volume: decimal(400)?,
        taker_buy_quote_asset_volume: decimal(40_000)?,
    })
}

fn command(kind: &str, more: &Value) -> Result<Value> {
    let symbols = (0..SYMBOLS).map(symbol).collect::<Result<Vec<_>>>()?;
    let mut parameters = json!({"model": "gnn", "symbols": symbols, "interval": INTERVAL});
    for (name, value) in more.as_object().into_iter().flatten() {
        parameters[name] = value.clone();
    }
    Ok(json!({
        "command": "start", "queue_id": QUEUE_ID, "target": "predictor", "type": kind, "timestamp": 1_704_067_200.0,
        "telemetry_id": "predictor__a1b2c3", "task": "infer-1", "attempt": 1, "parameters": parameters,
    }))
}

fn new_bar(bar: u32) -> Result<Value> {
    let rows = vec![kline(0, bar)?];
    let batch = streamforge_events::KlineBatch {
        symbol: symbol(0)?,
        interval: INTERVAL,
        batch: 0,
        read_at: open_time(bar + 1),
        rows,
        clocks: Vec::new(),
    };
    Ok(serde_json::to_value(batch)?)
}

fn url(folder: &TempDir, scheme: &str, name: &str) -> String {
    format!("{scheme}://{}/{name}", folder.path().display())
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
