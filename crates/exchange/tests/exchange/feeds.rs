//! The client's feeds against the simulator's streams and their failures.

use std::{collections::BTreeSet, time::Duration};

use serde_json::Value;
use streamforge_exchange::{
    simulator::{Clock, SimulatorConfig, Source},
    stream::{Feed, FeedConfig, FeedEvent, Silence},
};
use tokio::time::timeout;

use crate::server::{NOW, Server, start};

const PATIENCE: Duration = Duration::from_mins(5);

async fn lively(faults: &str, speed: f64) -> Server {
    let mut config = SimulatorConfig::new(Source::parse("synthetic:42,symbols=120,pace=20").unwrap());
    config.clock = Clock::StartingAt(NOW, speed);
    config.weight_limit = None;
    config.faults = faults.parse().unwrap();
    start(config).await
}

fn feed(server: &Server, streams: &[&str], change: impl FnOnce(&mut FeedConfig)) -> Feed {
    let streams = streams.iter().map(|name| (*name).to_owned()).collect();
    let mut config = FeedConfig::new(server.url.replacen("http", "ws", 1), streams);
    config.shortest_pause = Duration::from_millis(10);
    config.longest_pause = Duration::from_millis(100);
    change(&mut config);
    Feed::start(config)
}

async fn next(feed: &mut Feed) -> FeedEvent {
    timeout(PATIENCE, feed.next()).await.expect("an event in time").expect("a feed that goes on")
}

/// Ids of the trades that come until `is_enough`, and what else was told.
async fn read(feed: &mut Feed, mut is_enough: impl FnMut(&[u64], &[FeedEvent]) -> bool) -> (Vec<u64>, Vec<FeedEvent>) {
    let (mut ids, mut told) = (Vec::new(), Vec::new());
    let begun = std::time::Instant::now();
    while !is_enough(&ids, &told) {
        assert!(begun.elapsed() < PATIENCE, "{} frames and {told:?}", ids.len());
        match next(feed).await {
            FeedEvent::Frame { text, .. } => {
                let frame: Value = serde_json::from_str(&text).unwrap();
                ids.extend(frame["data"]["a"].as_u64());
            }
            event => told.push(event),
        }
    }
    (ids, told)
}

fn disconnections(told: &[FeedEvent]) -> usize {
    told.iter().filter(|event| matches!(event, FeedEvent::Disconnected { .. })).count()
}

#[tokio::test]
async fn a_feed_of_many_streams_hears_them_all() {
    let server = lively("", 1.0).await;
    let symbols: Vec<String> = (0..120).map(|number| format!("x{number}usdt@depth@100ms")).collect();
    let names: Vec<&str> = symbols[33..].iter().map(String::as_str).collect();
    let mut feed = feed(&server, &names, |_| {});
    let mut heard = BTreeSet::new();
    let begun = std::time::Instant::now();
    while heard.len() < names.len() {
        assert!(begun.elapsed() < PATIENCE, "{} of {} streams were heard", heard.len(), names.len());
        if let FeedEvent::Frame { text, receipt } = next(&mut feed).await {
            let frame: Value = serde_json::from_str(&text).unwrap();
            heard.insert(frame["stream"].as_str().unwrap().to_owned());
            assert!(receipt.wall > 0 && receipt.steady > 0);
        }
    }
}

#[tokio::test]
async fn frames_are_the_same_compressed_and_plain() {
    for (faults, compressed) in [("", 1), ("ws-plain:1", 0)] {
        let server = lively(faults, 10.0).await;
        let mut feed = feed(&server, &["btcusdt@aggTrade", "btcusdt@depth@100ms"], |_| {});
        let (ids, told) = read(&mut feed, |ids, _| ids.len() > 200).await;
        assert!(ids.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{faults}");
        assert_eq!((disconnections(&told), server.counters.compressed()), (0, compressed), "{faults}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_is_followed_by_another() {
    for faults in ["ws-plain:0.5,ws-cut:0.02", "ws-half:0.02", "ws-close:0.02", "ws-html:0.5,ws-cut:0.05"] {
        let server = lively(faults, 10.0).await;
        let mut feed = feed(&server, &["btcusdt@aggTrade"], |_| {});
        let (ids, told) = read(&mut feed, |ids, told| ids.len() > 100 && disconnections(told) > 2).await;
        assert!(ids.is_sorted() && !told.is_empty(), "{faults}");
        assert!(server.counters.connections() >= 3, "{faults}");
    }
}

#[tokio::test]
async fn a_silent_connection_is_left_and_a_silent_stream_told() {
    let server = lively("ws-silence:0.02", 10.0).await;
    let mut silent = feed(&server, &["btcusdt@aggTrade"], |config| config.read_timeout = Duration::from_secs(1));
    let (_, told) = read(&mut silent, |_, told| disconnections(told) > 0).await;
    let reason = told.iter().find_map(|event| match event {
        FeedEvent::Disconnected { reason } => Some(reason.clone()),
        _ => None,
    });
    assert!(reason.unwrap().contains("nothing came"));
    let server = lively("", 10.0).await;
    let mut feed =
        feed(&server, &["btcusdt@aggTrade", "nobody@trade"], |config| config.silence = Duration::from_secs(1));
    let is_silent = |event: &FeedEvent| matches!(event, FeedEvent::Silent { stream, silence: Silence::FromTheBeginning } if stream == "nobody@trade");
    let (_, told) = read(&mut feed, |_, told| told.iter().any(is_silent)).await;
    assert_eq!(disconnections(&told), 0, "an unknown stream ends no connection");
}

#[tokio::test]
async fn a_connection_is_replaced_before_its_end_and_nothing_is_missing() {
    let server = lively("ws-lifetime:8", 10.0).await;
    let mut feed = feed(&server, &["btcusdt@aggTrade", "ethusdt@depth"], |_| {});
    let connections = std::sync::Arc::clone(&server.counters);
    let (ids, told) = read(&mut feed, |_, _| connections.connections() > 2).await;
    let distinct: BTreeSet<u64> = ids.iter().copied().collect();
    let (first, last) = (distinct.first().unwrap(), distinct.last().unwrap());
    assert_eq!(distinct.len() as u64, last - first + 1, "no trade is missing");
    assert!(ids.len() > distinct.len(), "both were read for a while");
    assert_eq!(disconnections(&told), 0);
}

#[tokio::test]
async fn a_connection_that_ends_before_its_replacement_stands_is_told_of() {
    let server = lively("ws-lifetime:0.2", 100.0).await;
    let mut feed = feed(&server, &["btcusdt@aggTrade"], |config| {
        (config.shortest_pause, config.longest_pause) = (Duration::from_secs(1), Duration::from_secs(1));
    });
    let connections = std::sync::Arc::clone(&server.counters);
    let (ids, told) = read(&mut feed, |_, _| connections.connections() > 4).await;
    let distinct: Vec<u64> = ids.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    let holes = distinct.windows(2).filter(|pair| pair[0] + 1 < pair[1]).count();
    assert!((1..=disconnections(&told)).contains(&holes), "{holes} holes and {told:?}");
}

#[tokio::test]
async fn who_reads_too_slowly_hears_how_much_was_dropped() {
    let limits: [fn(&mut FeedConfig); 2] = [|config| config.capacity = 8, |config| config.most_bytes = 2_000];
    for limit in limits {
        let server = lively("", 100.0).await;
        let mut feed = feed(&server, &["btcusdt@depth@100ms"], limit);
        next(&mut feed).await;
        let counters = std::sync::Arc::clone(&server.counters);
        let sent = counters.frames();
        timeout(PATIENCE, async {
            while counters.frames() < sent + 500 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
        .unwrap();
        let mut dropped = 0;
        while dropped <= 100 {
            if let FeedEvent::Overrun { frames } = next(&mut feed).await {
                dropped += frames;
            }
        }
        // What waited made room, and frames come again.
        while !matches!(next(&mut feed).await, FeedEvent::Frame { .. }) {}
    }
}
