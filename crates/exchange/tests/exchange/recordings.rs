//! Recordings of the simulator's streams: each frame as it was sent, and a word for all that is missing.

use std::{collections::BTreeMap, path::Path, time::Duration};

use streamforge_events::{Interval, StreamKind, Symbol};
use streamforge_exchange::{
    Client, Error,
    book::Follower,
    capture::{Capture, Recorded},
    continuity::{Arrival, Continuity, Gap},
    frame::{Frame, frame},
    recording::{Mark, Recorder, Rotation, Summary},
    simulator::{Clock, Source},
};
use tokio::time::timeout;

use crate::server::{NOW, Server, frozen, start};

const PATIENCE: Duration = Duration::from_mins(5);
const KINDS: [StreamKind; 3] = [StreamKind::Trades, StreamKind::OrderBook, StreamKind::Klines(Interval::M1)];

async fn lively(faults: &str) -> Server {
    let mut config = frozen("synthetic:42,symbols=40,pace=5");
    config.clock = Clock::StartingAt(NOW, 60.0);
    config.faults = faults.parse().unwrap();
    start(config).await
}

fn symbols() -> Vec<Symbol> {
    ["BTCUSDT", "X35USDT"].map(|symbol| symbol.parse().unwrap()).into()
}

async fn recorder(server: &Server, symbols: &[Symbol], folder: &Path) -> Result<Recorder, Error> {
    let client = Client::new(server.client_config()).unwrap();
    Recorder::new(client, &server.url, symbols, &KINDS, folder, Rotation::default()).await
}

/// Records until the simulator has sent so many frames and met so many faults.
async fn record(server: &Server, folder: &Path, frames: u64, faults: u64) -> Summary {
    let enough = async {
        while server.counters.frames() < frames || server.counters.faults() < faults {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let recorder = recorder(server, &symbols(), folder).await.unwrap();
    timeout(PATIENCE, recorder.run(enough)).await.unwrap().unwrap()
}

fn read(folder: &Path) -> Vec<Recorded> {
    Capture::open(folder).unwrap().collect::<Result<_, _>>().unwrap()
}

fn marks(frames: &[Recorded]) -> Vec<Mark> {
    frames.iter().filter_map(|frame| Mark::read(&frame.json)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_calm_market_is_recorded_whole() {
    let server = lively("").await;
    let folder = tempfile::tempdir().unwrap();
    let summary = record(&server, folder.path(), 3_000, 0).await;
    assert_eq!((summary.gaps, summary.interruptions, summary.foreign, summary.dropped), (0, 0, 0, 0), "{summary:?}");
    let frames = read(folder.path());
    let of = |stream: &str| frames.iter().filter(|frame| frame.json.contains(&format!("\"{stream}\""))).count() as u64;
    for (stream, count) in &summary.frames {
        assert!(*count > 0, "{summary:?}");
        // The list of streams is the first mark.
        assert_eq!(of(stream), count + 1, "{stream}");
    }
    let info = frames.iter().find(|frame| frame.asked.as_deref().is_some_and(|url| url.contains("exchangeInfo")));
    assert!(info.unwrap().json.contains("X35USDT"));
    assert!(matches!(marks(&frames)[..], [Mark::Begun { .. }, Mark::Connected, Mark::Ended]));
    let size: u64 = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert_eq!((size, summary.files), (summary.bytes, 3));
    let contents = Source::capture(folder.path()).unwrap().contents().cloned().unwrap();
    assert_eq!(contents.records["BTCUSDT"].len(), 3);
    assert_eq!(contents.interruptions, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_says_where_it_is_not_complete() {
    let server = lively("ws-drop:0.003,ws-cut:0.001,ws-garbage:0.003,ws-most:20").await;
    let folder = tempfile::tempdir().unwrap();
    record(&server, folder.path(), 0, 20).await;
    // Goes on where it was, in files of its own, until all books are whole again.
    let sent = server.counters.frames();
    let summary = record(&server, folder.path(), sent + 3_000, 0).await;
    assert_eq!(summary.gaps, 0);
    let frames = read(folder.path());
    let marks = marks(&frames);
    assert!(marks.iter().any(|mark| matches!(mark, Mark::Interrupted { reason } if !reason.is_empty())));
    assert!(marks.iter().any(|mark| matches!(mark, Mark::Foreign { .. })));
    assert_eq!(marks.iter().filter(|mark| matches!(mark, Mark::Begun { .. })).count(), 2);
    let mut trades: BTreeMap<String, Continuity> = BTreeMap::new();
    let mut books: BTreeMap<String, Follower> = BTreeMap::new();
    let mut missing = Vec::new();
    for recorded in &frames {
        match frame(&recorded.json, None) {
            Ok(Frame::AggTrade { symbol, trade }) => {
                if let Arrival::After(gap) = trades.entry(symbol.to_string()).or_default().arrive(trade.id) {
                    missing.push((format!("{}@aggTrade", symbol.to_lowercase()), gap));
                }
            }
            Ok(Frame::Depth { symbol, difference, .. }) => {
                books.entry(symbol.to_string()).or_default().difference(&difference);
            }
            Ok(Frame::Snapshot(snapshot)) => {
                let book = books.entry(recorded.symbol().unwrap().to_owned()).or_default();
                book.snapshot(&snapshot);
            }
            Ok(_) => {}
            Err(error) => panic!("{recorded:?}: {error}"),
        }
    }
    assert!(!missing.is_empty());
    let told: Vec<(String, Gap)> = marks
        .into_iter()
        .filter_map(|mark| match mark {
            Mark::Missing { stream, from, to } => Some((stream, Gap { from, to })),
            _ => None,
        })
        .collect();
    // What lies between the two recordings neither of them can tell, which is one gap of each symbol.
    let untold = missing.iter().filter(|gap| !told.contains(gap)).count();
    assert!(untold <= trades.len(), "{untold} of {missing:?}");
    assert!(books.len() == 2 && books.values().all(|book| book.book().is_some()), "a snapshot follows each break");
}

#[tokio::test]
async fn symbols_that_do_not_exist_are_told() {
    let server = lively("").await;
    let folder = tempfile::tempdir().unwrap();
    let asked: Vec<Symbol> = ["BTCUSDT", "NOBODYUSDT"].map(|symbol| symbol.parse().unwrap()).into();
    let told = recorder(&server, &asked, &folder.path().join("new")).await.unwrap_err().to_string();
    assert!(told.contains("NOBODYUSDT") && !told.contains("(BTCUSDT"), "{told}");
    assert!(!folder.path().join("new").exists(), "nothing was begun");
    let none = recorder(&server, &[], folder.path()).await.unwrap_err().to_string();
    assert!(none.contains("0 streams"), "{none}");
}
