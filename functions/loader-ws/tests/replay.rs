//! The loader on a recording with gaps: the same is published at any speed, and no gap but those of the recording.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
    time::Duration,
};

use loader_ws::{Assignment, Checkpoint, Kind, Listening};
use streamforge_events::{
    DepthBatch, EventType, FeedInterrupted, GapState, Interval, KlineBatch, StreamKind, Symbol, TradeBatch, data,
    event_type,
};
use streamforge_exchange::{
    Client, ClientConfig,
    recording::{Recorder, Rotation},
    simulator::{Clock, Counters, Playing, SimulatorConfig, Source, serve},
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    time::timeout,
};

/// 2024-06-01T12:07:30Z.
const NOW: i64 = 1_717_243_650_000;
const PATIENCE: Duration = Duration::from_mins(5);
const SYMBOLS: [&str; 2] = ["BTCUSDT", "X35USDT"];
/// A century of market in less than a second.
const FASTEST: f64 = 1e9;

struct Server {
    url: String,
    counters: Arc<Counters>,
    _stop: oneshot::Sender<()>,
}

async fn start(config: SimulatorConfig) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let counters = Arc::clone(&config.counters);
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(serve(listener, config, async move {
        let _ = stopped.await;
    }));
    Server { url, counters, _stop: stop }
}

fn symbols() -> Vec<Symbol> {
    SYMBOLS.map(|symbol| symbol.parse().unwrap()).into()
}

/// Records a market until it has met all its failures and has gone on for a while.
async fn record(folder: &Path, faults: &str, most: u64) {
    let mut config = SimulatorConfig::new(Source::parse("synthetic:42,symbols=40,pace=5").unwrap());
    config.clock = Clock::StartingAt(NOW, 60.0);
    config.faults = faults.parse().unwrap();
    let server = start(config).await;
    let client = Client::new(ClientConfig::new(&server.url)).unwrap();
    let kinds = [StreamKind::Trades, StreamKind::Klines(Interval::M1), StreamKind::OrderBook];
    let recorder = Recorder::new(client, &server.url, &symbols(), &kinds, folder, Rotation::default()).await.unwrap();
    let sent = || server.counters.frames();
    let enough = async {
        while server.counters.faults() < most {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let until = sent() + 3_000;
        while sent() < until {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, recorder.run(enough)).await.unwrap().unwrap();
}

/// All that was published, without what depends on the moment.
#[derive(Debug, Default, PartialEq)]
struct Published {
    trades: BTreeMap<(Symbol, i64), String>,
    bars: BTreeMap<(Symbol, i64), String>,
    /// First and last update of each difference, and the checksum after them.
    updates: BTreeMap<Symbol, Vec<(u64, u64)>>,
    checksums: BTreeMap<Symbol, u32>,
    gaps: BTreeSet<(String, String, u64, u64, &'static str)>,
}

async fn play(folder: &Path, speed: f64) -> Published {
    let source = Source::capture(folder).unwrap();
    let mut config = SimulatorConfig::new(source);
    config.clock = Clock::StartingAt(config.source.begins().unwrap(), speed);
    config.playing = Playing::Whole;
    let server = start(config).await;
    let assignment =
        Assignment { symbols: symbols(), kinds: vec![Kind::Trades, Kind::Klines(Interval::M1), Kind::Depth] };
    let client = Client::new(ClientConfig::new(&server.url)).unwrap();
    let url = server.url.replacen("http", "ws", 1);
    let listening = Listening::to_recording(client, &url, assignment, Checkpoint::default());
    let (sender, mut parcels) = mpsc::channel(1);
    let task = tokio::spawn(listening.run(sender));
    let mut published = Published::default();
    loop {
        let parcel = timeout(PATIENCE, parcels.recv()).await.unwrap().unwrap();
        for event in &parcel.events {
            match event_type(event).unwrap() {
                EventType::TradesLoaded => {
                    let batch: TradeBatch = data(event).unwrap();
                    let rows = batch.rows.into_iter();
                    published.trades.extend(rows.map(|row| ((batch.symbol.clone(), row.trade_id), format!("{row:?}"))));
                }
                EventType::KlinesLoaded => {
                    let batch: KlineBatch = data(event).unwrap();
                    let rows = batch.rows.into_iter();
                    published.bars.extend(rows.map(|row| ((batch.symbol.clone(), row.open_time), format!("{row:?}"))));
                }
                EventType::DepthUpdated => {
                    let batch: DepthBatch = data(event).unwrap();
                    let updates = published.updates.entry(batch.symbol.clone()).or_default();
                    updates.extend(batch.updates.iter().map(|update| (update.first, update.last)));
                    published.checksums.insert(batch.symbol, batch.checksum);
                }
                _ => {
                    let FeedInterrupted { symbol, stream, from, to, state, .. } = data(event).unwrap();
                    let state = match state {
                        GapState::Open => "open",
                        GapState::Filled => "filled",
                        GapState::Left => "left",
                    };
                    published.gaps.insert((symbol.to_string(), stream, from, to, state));
                }
            }
        }
        if parcel.is_over {
            task.abort();
            return published;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_recording_has_no_gap_at_any_speed() {
    let folder = tempfile::tempdir().unwrap();
    record(folder.path(), "", 0).await;
    let contents = Source::capture(folder.path()).unwrap().contents().cloned().unwrap();
    let recorded = |kind: StreamKind| -> u64 {
        contents.records.values().flatten().filter(|(other, _)| *other == kind).map(|(_, count)| count).sum()
    };
    let slowly = play(folder.path(), 4.0).await;
    assert_eq!(slowly.gaps, BTreeSet::new());
    assert_eq!(slowly.trades.len() as u64, recorded(StreamKind::Trades));
    assert_eq!(slowly.bars.len() as u64, recorded(StreamKind::Klines(Interval::M1)));
    assert!(slowly.bars.len() >= 2 && slowly.updates.len() == 2, "{}", slowly.bars.len());
    assert_eq!(play(folder.path(), FASTEST).await, slowly);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gaps_of_a_recording_are_the_same_at_any_speed() {
    let folder = tempfile::tempdir().unwrap();
    record(folder.path(), "ws-drop:0.003,ws-swap:0.003,ws-cut:0.0005,ws-most:15", 15).await;
    let slowly = play(folder.path(), 4.0).await;
    let states: BTreeSet<&str> = slowly.gaps.iter().map(|gap| gap.4).collect();
    assert!(states.contains("open") && states.contains("left"), "{states:?}");
    assert_eq!(play(folder.path(), FASTEST).await, slowly);
}
