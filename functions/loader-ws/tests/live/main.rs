//! The loader against a market with failures: what it publishes is what the exchange has, and each gap is told of.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod exchange;
mod platform;
mod published;
#[path = "../../../../tests/support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "each target needs its own part")]
mod support;

use std::{sync::Arc, time::Duration};

use exchange::{NOW, Server, client, start};
use loader_ws::{Assignment, Checkpoint, Kind, Listening};
use published::Published;
use streamforge_events::Interval;
use streamforge_exchange::simulator::Clock;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

const SPEED: f64 = 20.0;
/// What is compared with the exchange has to come back before too much has changed, also on a busy machine.
const CALM_SPEED: f64 = 1.0;
const PATIENCE: Duration = Duration::from_mins(4);

fn assignment(symbols: &[&str], kinds: &[Kind]) -> Assignment {
    Assignment { symbols: symbols.iter().map(|symbol| symbol.parse().unwrap()).collect(), kinds: kinds.to_vec() }
}

fn listening(server: &Server, assignment: Assignment, checkpoint: Checkpoint) -> Listening {
    let url = server.url.replacen("http", "ws", 1);
    let mut listening = Listening::new(client(server), &url, assignment, checkpoint);
    listening.feed.shortest_pause = Duration::from_millis(10);
    listening.feed.longest_pause = Duration::from_millis(200);
    listening.feed.silence = Duration::from_secs(2);
    listening.feed.read_timeout = Duration::from_secs(3);
    listening.audit_round = Duration::from_secs(1);
    listening
}

/// Listens until `is_enough`, then as long as a gap is open.
async fn listen(
    server: &Server,
    assignment: &Assignment,
    published: &mut Published,
    mut is_enough: impl FnMut(&Published) -> bool,
    mends: bool,
) {
    let listening = listening(server, assignment.clone(), published.checkpoint.clone());
    let (sender, mut parcels) = mpsc::channel(4);
    let task = tokio::spawn(listening.run(sender));
    let begun = Instant::now();
    while !is_enough(published) || mends && !published.open().is_empty() {
        assert!(begun.elapsed() < PATIENCE, "{} gaps, open {:?}", published.gaps.len(), published.open());
        let parcel = timeout(PATIENCE, parcels.recv()).await.unwrap().unwrap();
        published.take(parcel);
    }
    task.abort();
    let _ = task.await;
}

const SYMBOLS: [&str; 4] = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "X35USDT"];
const KINDS: [Kind; 3] = [Kind::Trades, Kind::Klines(Interval::M1), Kind::Depth];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_calm_market_has_no_gaps() {
    let server = start(Clock::StartingAt(NOW, SPEED), "").await;
    let mut published = Published::default();
    let enough = |published: &Published| published.bars.len() > 20 && published.books.len() == SYMBOLS.len();
    listen(&server, &assignment(&SYMBOLS, &KINDS), &mut published, enough, true).await;
    assert_eq!(published.gaps, []);
    published.are_trades_complete(&SYMBOLS).await;
    published.are_bars_complete(&SYMBOLS).await;
    published.are_books_right(&SYMBOLS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_are_told_and_mended() {
    let faults = "ws-drop:0.002,ws-repeat:0.002,ws-swap:0.002,ws-cut:0.0005,ws-half:0.0003,ws-close:0.0003,\
                  ws-garbage:0.001,ws-burst:0.0002,ws-silence:0.0001,ws-html:0.2,short:0.1,error:0.05,ws-most:80,seed:3";
    let server = start(Clock::StartingAt(NOW, SPEED), faults).await;
    let mut published = Published::default();
    let counters = Arc::clone(&server.counters);
    let enough = |published: &Published| {
        counters.faults() >= 80 && published.bars.len() > 30 && published.books.len() == SYMBOLS.len()
    };
    listen(&server, &assignment(&SYMBOLS, &KINDS), &mut published, enough, true).await;
    assert!(published.gaps.len() > 10 && published.filled > 0, "{} {}", published.gaps.len(), published.filled);
    assert!(published.gaps.iter().all(|gap| !gap.why.is_empty()));
    published.are_trades_complete(&SYMBOLS).await;
    published.are_bars_complete(&SYMBOLS).await;
    published.are_books_right(&SYMBOLS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_after_a_kill_goes_on_where_it_was() {
    let server = start(Clock::StartingAt(NOW, SPEED), "ws-drop:0.002,ws-cut:0.0005,ws-most:60").await;
    let mut published = Published::default();
    let assignment = assignment(&SYMBOLS, &KINDS);
    for life in 1..=5 {
        let (trades, bars) = (published.trades.len(), published.bars.len());
        let enough = |published: &Published| published.trades.len() > trades + 100 && published.bars.len() >= bars + 6;
        // In the middle of whatever it does, but for the last one.
        listen(&server, &assignment, &mut published, enough, life == 5).await;
    }
    published.are_trades_complete(&SYMBOLS).await;
    published.are_bars_complete(&SYMBOLS).await;
    published.are_books_right(&SYMBOLS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn losses_that_no_id_shows_are_found() {
    // One kind at a time: a trade that is found to be another's ends the connection, and with it the books.
    for (kind, stream) in [(Kind::Trades, "trades"), (Kind::Depth, "depth")] {
        let server = start(Clock::StartingAt(NOW, CALM_SPEED), "ws-forge:0.01").await;
        let mut published = Published::default();
        let is_found = |published: &Published| {
            published.gaps.iter().any(|gap| gap.stream == stream && gap.why.contains("swallowed"))
        };
        listen(&server, &assignment(&SYMBOLS, &[kind]), &mut published, is_found, false).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_does_not_exist_is_told_of() {
    let server = start(Clock::StartingAt(NOW, SPEED), "").await;
    let mut published = Published::default();
    let is_told = |published: &Published| published.gaps.iter().any(|gap| gap.why.contains("may not exist"));
    let assignment = assignment(&["BTCUSDT", "NOBODYUSDT"], &[Kind::Trades]);
    listen(&server, &assignment, &mut published, is_told, false).await;
    assert!(!published.trades.is_empty());
}
