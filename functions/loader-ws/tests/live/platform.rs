//! The whole platform: one event, a market that moves, and a loader that is killed and told to go again and again.

use std::{fs, path::Path, sync::Arc, time::Duration};

use serde_json::{Value, json};
use streamforge_bus::Bus;
use streamforge_exchange::simulator::Clock;
use streamforge_function::wire::decode_record;
use tokio::runtime::Runtime;

use crate::{
    exchange::{NOW, start},
    published::Published,
    support::{Answer, Folder, Running, process::Worker, until_within},
};

const SYMBOLS: [&str; 3] = ["BTCUSDT", "ETHUSDT", "X35USDT"];
const SPEED: f64 = 10.0;
const PATIENCE: Duration = Duration::from_mins(4);
/// Trades that have to come before the next one goes.
const TRADES: usize = 150;
/// What happens to the loaders, one after the other.
const SIGNALS: [&str; 5] = ["-9", "-TERM", "-9", "-TERM", "-9"];

#[test]
fn a_market_stays_whole_whoever_loads_it() {
    let runtime = Runtime::new().unwrap();
    let exchange = runtime.block_on(start(Clock::StartingAt(NOW, SPEED), "ws-drop:0.002,ws-cut:0.0005,ws-most:30"));
    let folder = Folder::new();
    let mut platform = platform(&folder, &exchange.url);
    let queue_id = ask(&folder, &mut platform);
    let bus = streamforge_bus::open(&folder.log()).unwrap();
    let mut topic = Topic { bus, next: Vec::new(), published: Published::default() };

    let mut before = None;
    for signal in SIGNALS {
        let loader =
            until_within("the next loader", PATIENCE, || loader(&platform).filter(|loader| Some(loader.pid) != before));
        let count = topic.published.trades.len();
        until_within("more trades", PATIENCE, || {
            runtime.block_on(topic.read());
            (topic.published.trades.len() > count + TRADES).then_some(())
        });
        loader.signal(signal);
        before = Some(loader.pid);
    }
    let bars = topic.published.bars.len();
    until_within("an end of all gaps", PATIENCE, || {
        runtime.block_on(topic.read());
        let is_whole = topic.published.open().is_empty() && topic.published.books.len() == SYMBOLS.len();
        (is_whole && topic.published.bars.len() > bars + SYMBOLS.len()).then_some(())
    });
    folder.command(&["queues", "stop", &queue_id]).succeeded();
    until_within("the end of the loader", PATIENCE, || loader(&platform).is_none().then_some(()));
    runtime.block_on(topic.read());
    // What a stopped loader had asked for stays open; what came is right nevertheless.
    let published = topic.published;
    assert!(published.gaps.iter().any(|gap| gap.why.contains("was not there")), "{:?}", published.gaps);
    runtime.block_on(async {
        published.are_trades_complete(&SYMBOLS).await;
        published.are_bars_complete(&SYMBOLS).await;
        published.are_books_right(&SYMBOLS).await;
    });
    for symbol in SYMBOLS {
        let own = published.trades.keys().filter(|(of, _)| of.as_str() == symbol).count();
        until_within("all trades in the store", PATIENCE, || {
            let arguments = ["export", "trades", "--symbol", symbol, "--format", "ndjson"];
            (folder.command(&arguments).succeeded().lines().count() == own).then_some(())
        });
        let own = published.bars.keys().filter(|(of, _)| of.as_str() == symbol).count();
        until_within("all bars in the store", PATIENCE, || {
            (folder.candles(symbol, "1m").lines().count() == own).then_some(())
        });
    }
    let graph = folder.json(&["export", "graph", "--id", "live"]);
    assert_eq!(graph["nodes"].as_array().map(Vec::len), Some(SYMBOLS.len()), "{graph}");
    assert_eq!(folder.dead_letters(), Vec::<Value>::new());
    assert_eq!(platform.stop().code, Some(0));
}

fn platform(folder: &Folder, exchange: &str) -> Running {
    let jobs = Path::new(env!("CARGO_BIN_EXE_loader-ws")).parent().unwrap().display().to_string();
    let any = "127.0.0.1:0";
    folder.start(&["up", "--ingress", any, "--api", any, "--exchange", exchange, "--job-path", &jobs])
}

/// Publishes the one event, and returns its workflow.
fn ask(folder: &Folder, platform: &mut Running) -> String {
    let state = platform.first_json();
    let ingress = state["ingress"].as_str().unwrap();
    let requests = json!([
        {"target": "loader-ws", "type": "ws_trades"},
        {"target": "loader-ws", "type": "ws_candles_1m"},
        {"target": "loader-ws", "type": "ws_orderbook"},
        {"target": "graph-builder", "type": "realtime_graph", "window": 20, "collection_output": "live"},
    ]);
    let request = json!({"symbols": SYMBOLS, "time_range": "2024-06-01:2024-06-01", "requests": requests});
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

/// The process that loads now.
fn loader(platform: &Running) -> Option<Worker> {
    let is_loader = |worker: &Worker| {
        let line = fs::read_to_string(format!("/proc/{}/cmdline", worker.pid)).unwrap_or_default();
        line.split('\0').next().is_some_and(|program| program.ends_with("/loader-ws"))
    };
    platform.workers().into_iter().find(is_loader)
}

/// The topic with market data, as far as it was read.
struct Topic {
    bus: Arc<dyn Bus>,
    next: Vec<u64>,
    published: Published,
}

impl Topic {
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
