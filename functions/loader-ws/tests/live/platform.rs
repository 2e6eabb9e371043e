//! The whole platform: one event, a market that moves, and a loader that is killed and told to go again and again.

use std::{collections::BTreeMap, fmt::Debug, fs, path::Path, sync::Arc, time::Duration};

use serde_json::{Value, json};
use streamforge_bus::Bus;
use streamforge_events::{FeedInterrupted, Kline, Symbol};
use streamforge_exchange::simulator::Clock;
use streamforge_function::wire::decode_record;
use tokio::runtime::Runtime;

use crate::{
    exchange::{NOW, start},
    published::Published,
    support::{Answer, Folder, Running, process::Worker, until_within},
};

const PATIENCE: Duration = Duration::from_mins(4);
const MINUTE: i64 = 60_000;

/// What happens to the loaders, one after the other.
const KILLED_AND_HANDED_OVER: [&str; 7] = ["-9", "-TERM", "-9", "-9", "-TERM", "-9", "-9"];

/// A market and what it has to live through.
struct Run<'a> {
    symbols: usize,
    speed: f64,
    faults: &'a str,
    /// Faults that have to have struck.
    least_faults: u64,
    /// How long the market is watched, by its own clock.
    minutes: i64,
    signals: &'a [&'a str],
}

#[test]
fn a_market_stays_whole_whoever_loads_it() {
    Run {
        symbols: 3,
        speed: 10.0,
        faults: "ws-drop:0.002,ws-cut:0.0005,ws-most:30",
        least_faults: 10,
        minutes: 7,
        signals: &["-9", "-TERM", "-9"],
    }
    .hold();
}

#[test]
#[ignore = "takes minutes and optimised binaries: cargo test --release --workspace --all-features --test live -- --ignored"]
fn two_hundred_symbols_stay_whole_for_thirty_minutes() {
    Run::large(&[]).hold();
}

#[test]
#[ignore = "takes minutes and optimised binaries, as the one above"]
fn two_hundred_symbols_stay_whole_while_loaders_come_and_go() {
    Run::large(&KILLED_AND_HANDED_OVER).hold();
}

impl<'a> Run<'a> {
    fn large(signals: &'a [&'a str]) -> Self {
        Self {
            symbols: 200,
            speed: 5.0,
            faults: "ws-drop:0.00002,ws-repeat:0.00002,ws-swap:0.00002,ws-cut:0.000002,ws-half:0.000002,\
                     ws-close:0.000002,ws-garbage:0.00001,ws-burst:0.000002,ws-mute:0.000002,short:0.02,error:0.02,\
                     ws-most:200",
            least_faults: 40,
            minutes: 30,
            signals,
        }
    }

    fn hold(&self) {
        let runtime = Runtime::new().unwrap();
        let exchange = runtime.block_on(start(Clock::StartingAt(NOW, self.speed), self.faults));
        let symbols = symbols(&exchange.url, self.symbols);
        let folder = Folder::new();
        let mut platform = platform(&folder, &exchange.url);
        let queue_id = ask(&folder, &mut platform, &symbols);
        let bus = streamforge_bus::open(&folder.log()).unwrap();
        let mut topic = Topic { bus, next: Vec::new(), published: Published::default() };

        let begin = topic.begin(&runtime, &symbols);
        let mut before = None;
        for (number, signal) in (1..).zip(self.signals) {
            let loader = until_within("the next loader", PATIENCE, || {
                loader(&platform).filter(|loader| Some(loader.pid) != before)
            });
            let share = self.minutes * number / (i64::try_from(self.signals.len()).unwrap() + 1);
            topic.watch(&runtime, &symbols, begin, share, &platform);
            loader.signal(signal);
            before = Some(loader.pid);
        }
        topic.watch(&runtime, &symbols, begin, self.minutes, &platform);
        until_within("enough faults", PATIENCE, || (exchange.counters.faults() >= self.least_faults).then_some(()));
        until_within("an end of all gaps", PATIENCE, || {
            runtime.block_on(topic.read());
            let is_whole = topic.published.open().is_empty() && topic.published.books.len() == symbols.len();
            is_whole.then_some(())
        });
        folder.command(&["queues", "stop", &queue_id]).succeeded();
        until_within("the end of the loader", PATIENCE, || loader(&platform).is_none().then_some(()));
        runtime.block_on(topic.read());
        let is_told = |gap: &FeedInterrupted| gap.why.contains("was not there");
        assert!(self.signals.is_empty() || topic.published.gaps.iter().any(is_told), "{:?}", topic.published.gaps);
        compare(&runtime, &folder, &symbols, &topic.published);
        assert_eq!(folder.dead_letters(), Vec::<Value>::new());
        assert_eq!(platform.stop().code, Some(0));
    }
}

/// The first symbols of the exchange's list but the one that began to trade later.
fn symbols(exchange: &str, count: usize) -> Vec<String> {
    let answer = Answer::get(&format!("{exchange}/api/v3/exchangeInfo"));
    let symbols = answer.body["symbols"].as_array().unwrap().iter();
    let symbols = symbols.map(|symbol| symbol["symbol"].as_str().unwrap()).filter(|symbol| symbol.is_ascii());
    let symbols: Vec<String> = symbols.take(count).map(str::to_owned).collect();
    assert_eq!(symbols.len(), count);
    symbols
}

fn platform(folder: &Folder, exchange: &str) -> Running {
    let jobs = Path::new(env!("CARGO_BIN_EXE_loader-ws")).parent().unwrap().display().to_string();
    let any = "127.0.0.1:0";
    folder.start(&["up", "--ingress", any, "--api", any, "--exchange", exchange, "--job-path", &jobs])
}

/// Publishes the one event, and returns its workflow.
fn ask(folder: &Folder, platform: &mut Running, symbols: &[String]) -> String {
    let state = platform.first_json();
    let ingress = state["ingress"].as_str().unwrap();
    let requests = json!([
        {"target": "loader-ws", "type": "ws_trades"},
        {"target": "loader-ws", "type": "ws_candles_1m"},
        {"target": "loader-ws", "type": "ws_orderbook"},
        {"target": "graph-builder", "type": "realtime_graph", "window": 20, "collection_output": "live"},
    ]);
    let request = json!({"symbols": symbols, "time_range": "2024-06-01:2024-06-01", "requests": requests});
    let headers = [
        ("ce-specversion", "1.0"),
        ("ce-id", "live"),
        ("ce-source", "/test"),
        ("ce-type", "io.streamforge.workflow.requested.v1"),
    ];
    let answer = Answer::post(&format!("{ingress}/streamforge/workflows"), &headers, &request.to_string());
    assert_eq!(answer.status, 202, "{answer:?}");
    until_within("the workflow", PATIENCE, || Some(folder.workflows().first()?["id"].as_str()?.to_owned()))
}

fn compare(runtime: &Runtime, folder: &Folder, symbols: &[String], published: &Published) {
    let names: Vec<&str> = symbols.iter().map(String::as_str).collect();
    runtime.block_on(async {
        published.are_trades_complete(&names).await;
        published.are_bars_complete(&names).await;
        published.are_books_right(&names).await;
    });
    for symbol in names {
        holds("trades", &rows(&published.trades, symbol), || {
            let arguments = ["export", "trades", "--symbol", symbol, "--format", "ndjson"];
            let exported = folder.command(&arguments).succeeded();
            exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        });
        holds("bars", &rows(&published.bars, symbol), || folder.candles(symbol, "1m").lines().map(bar).collect());
    }
    let graph = folder.json(&["export", "graph", "--id", "live"]);
    assert_eq!(graph["nodes"].as_array().map(Vec::len), Some(symbols.len()), "{graph}");
}

/// The rows of a symbol in the order of their numbers.
fn rows<'a, R>(published: &'a BTreeMap<(Symbol, i64), (i64, R)>, symbol: &str) -> Vec<&'a R> {
    published.iter().filter(|((of, _), _)| of.as_str() == symbol).map(|(_, (_, row))| row).collect()
}

/// Waits until the store has as many rows as were published, and compares one by one.
fn holds<R: PartialEq + Debug>(what: &str, published: &[&R], stored: impl Fn() -> Vec<R>) {
    let stored = until_within(&format!("all {what} in the store"), PATIENCE, || {
        let stored = stored();
        (stored.len() == published.len()).then_some(stored)
    });
    for (stored, published) in stored.iter().zip(published) {
        assert_eq!(stored, *published, "{what}");
    }
}

/// A bar from the exchange's twelve fields.
fn bar(line: &str) -> Kline {
    let row: Value = serde_json::from_str(line).unwrap();
    let time = |field: usize| row[field].as_i64().unwrap();
    let decimal = |field: usize| row[field].as_str().unwrap().parse().unwrap();
    Kline {
        open_time: time(0),
        open: decimal(1),
        high: decimal(2),
        low: decimal(3),
        close: decimal(4),
        volume: decimal(5),
        close_time: time(6),
        quote_asset_volume: decimal(7),
        number_of_trades: row[8].as_u64().unwrap(),
        taker_buy_base_asset_volume: decimal(9),
        taker_buy_quote_asset_volume: decimal(10),
    }
}

/// The process that loads now.
fn loader(platform: &Running) -> Option<Worker> {
    let is_loader = |worker: &Worker| {
        let line = fs::read_to_string(format!("/proc/{}/cmdline", worker.pid)).unwrap_or_default();
        line.split('\0').next().is_some_and(|program| program.ends_with("/loader-ws"))
    };
    platform.workers().into_iter().find(is_loader)
}

/// Memory that a process has now.
fn resident(pid: u32) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.map_or_else(String::new, |line| line.trim().to_owned())
}

/// The topic with market data, as far as it was read.
struct Topic {
    bus: Arc<dyn Bus>,
    next: Vec<u64>,
    published: Published,
}

impl Topic {
    /// The time to which the first bars of all symbols came: on a slow machine it is long after the exchange began.
    fn begin(&mut self, runtime: &Runtime, symbols: &[String]) -> i64 {
        until_within("the first bars", PATIENCE * 3, || {
            runtime.block_on(self.read());
            self.come_to(symbols)
        })
    }

    /// Reads until the bars of all symbols have come so many minutes after the beginning.
    fn watch(&mut self, runtime: &Runtime, symbols: &[String], begin: i64, minutes: i64, platform: &Running) {
        until_within("bars", PATIENCE * 3, || {
            runtime.block_on(self.read());
            self.come_to(symbols).filter(|time| *time >= begin + minutes * MINUTE)
        });
        let published = &self.published;
        let loader = loader(platform).map_or_else(String::new, |loader| resident(loader.pid));
        eprintln!(
            "{minutes} min: {} trades, {} bars, {} gaps, {} events filled; loader {loader}, platform {}",
            published.trades.len(),
            published.bars.len(),
            published.gaps.len(),
            published.filled,
            resident(platform.pid()),
        );
    }

    /// The end of the last bar that all symbols have.
    fn come_to(&self, symbols: &[String]) -> Option<i64> {
        let bars = &self.published.bars;
        let last = |symbol: &String| bars.keys().filter(|(of, _)| of.as_str() == symbol).map(|(_, open)| *open).max();
        symbols.iter().map(last).min().flatten().map(|open| open + MINUTE)
    }

    async fn read(&mut self) {
        let ends = self.bus.end_offsets("market-data").await.unwrap();
        self.next.resize(ends.len(), 0);
        for (partition, (next, end)) in (0..).zip(self.next.iter_mut().zip(ends)) {
            while *next < end {
                for stored in self.bus.fetch("market-data", partition, *next, 100, usize::MAX).await.unwrap() {
                    let headers = stored.record.headers.iter();
                    let headers = headers.map(|(name, value)| (name.as_str(), value.as_slice()));
                    self.published.event(&decode_record(headers, &stored.record.value).unwrap());
                    *next = stored.offset + 1;
                }
            }
        }
    }
}
