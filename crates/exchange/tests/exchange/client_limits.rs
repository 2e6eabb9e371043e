//! The weight limit is never exceeded, and a ban stops the whole process.

use std::time::Duration;

use futures::future::join_all;
use streamforge_events::Interval;
use streamforge_exchange::{Client, Error};

use crate::{
    client_windows::{range, symbol},
    server::{DAY, HOUR, MIDNIGHT, MINUTE, Server, running, start},
};

async fn limited(limit: u32) -> Server {
    let mut config = running("");
    config.weight_limit = Some(limit);
    start(config).await
}

#[tokio::test(start_paused = true)]
async fn many_requests_at_once_stay_within_the_limit() {
    let server = limited(100).await;
    let client = server.client();
    let loads = (0..200).map(|number| {
        let client = client.clone();
        let from = MIDNIGHT - (number + 1) * HOUR;
        async move { client.klines_window(&symbol("BTCUSDT"), Interval::M1, range(from, from + HOUR)).await }
    });
    for page in join_all(loads).await {
        assert_eq!(page.unwrap().rows.len(), 60);
    }
    assert_eq!((server.counters.too_many(), server.counters.banned()), (0, 0));
    assert!(server.counters.heaviest_minute() <= 100, "{}", server.counters.heaviest_minute());
    assert!(server.counters.heaviest_minute() >= 50, "the budget is used: {}", server.counters.heaviest_minute());
}

#[tokio::test(start_paused = true)]
async fn what_others_use_at_the_same_address_is_left_to_them() {
    let server = limited(100).await;
    let client = server.client();
    client.klines_window(&symbol("BTCUSDT"), Interval::M1, range(MIDNIGHT, MIDNIGHT + HOUR)).await.unwrap();
    for _ in 0..3 {
        assert_eq!(server.get("exchangeInfo").await.status, 200);
    }
    for number in 1..20 {
        let from = MIDNIGHT - number * HOUR;
        client.klines_window(&symbol("BTCUSDT"), Interval::M1, range(from, from + HOUR)).await.unwrap();
    }
    assert_eq!(server.counters.too_many(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_ban_is_waited_for_or_reported() {
    let server = limited(40).await;
    while server.counters.banned() == 0 {
        server.get("exchangeInfo").await;
    }
    let refused = server.counters.banned();
    let mut config = server.client_config();
    config.patience = Duration::from_secs(10);
    let error = Client::new(config).unwrap().time().await.unwrap_err();
    assert!(matches!(error, Error::RateLimited { .. }) && !error.is_permanent(), "{error}");
    assert!(server.client().time().await.is_ok());
    assert_eq!(server.counters.banned(), refused + 2, "each client has asked once during the ban");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_obeyed_to_the_second_and_a_ban_is_not_hammered() {
    for (faults, pause) in [("refuse:1,pause:7", 7.0), ("ban:1,pause:120", 120.0)] {
        let server = start(running(faults)).await;
        let client = server.client();
        let started = tokio::time::Instant::now();
        let error = client.time().await.unwrap_err();
        assert!(matches!(error, Error::RateLimited { .. }) && !error.is_permanent(), "{error}");
        let waits = server.client_config().attempts - 1;
        let wait = started.elapsed().as_secs_f64() / f64::from(waits);
        assert!((pause + 0.5..pause + 1.7).contains(&wait), "{faults}: {wait}");
        assert_eq!((server.counters.requests(), server.counters.impatient()), (u64::from(waits) + 1, 0), "{faults}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_asks_before_the_pause_is_over_is_counted_and_banned() {
    let server = start(running("refuse:1,pause:60")).await;
    let mut statuses = Vec::new();
    for _ in 0..7 {
        let answer = server.get("time").await;
        assert!(answer.retry_after.is_some_and(|seconds| seconds >= 59), "{:?}", answer.retry_after);
        statuses.push(answer.status);
    }
    assert_eq!(statuses, [429, 429, 429, 429, 429, 429, 418]);
    assert_eq!((server.counters.impatient(), server.counters.banned()), (6, 1));
}

/// Processes of the loaders at one address: as many as their manifests allow, each as busy as it can be. Limit and
/// requests at once are a tenth of the real ones, or what makes up for it.
#[tokio::test(start_paused = true)]
async fn half_an_hour_of_all_loaders_at_once_is_never_refused() {
    const LIMIT: u64 = 600;
    const MINUTES: u64 = 30;
    let mut config = running("slow:1,delay:0.1");
    config.weight_limit = Some(u32::try_from(LIMIT).unwrap());
    let server = start(config).await;
    let end = tokio::time::Instant::now() + Duration::from_mins(MINUTES);
    let mut loads: Vec<futures::future::BoxFuture<()>> = Vec::new();
    for process in 0..4 {
        let (candles, trades) = (server.client(), server.client());
        for slice in 0..6_i64 {
            let candles = candles.clone();
            loads.push(Box::pin(async move {
                let mut from = MIDNIGHT - (process * 6 + slice + 1) * DAY;
                while tokio::time::Instant::now() < end {
                    let window = range(from, from + 2 * MINUTE);
                    candles.klines_window(&symbol("BTCUSDT"), Interval::M1, window).await.unwrap();
                    from += 2 * MINUTE;
                }
            }));
        }
        loads.push(Box::pin(async move {
            let mut id = process * 1_000_000;
            while tokio::time::Instant::now() < end {
                id = trades.agg_trades(&symbol("BTCUSDT"), id, 2).await.unwrap().next_id;
            }
        }));
    }
    join_all(loads).await;
    let counters = &server.counters;
    assert_eq!((counters.too_many(), counters.banned(), counters.impatient()), (0, 0, 0));
    assert!(counters.heaviest_minute() <= LIMIT, "{}", counters.heaviest_minute());
    assert!(counters.requests() * 2 >= LIMIT * MINUTES * 8 / 10, "{} requests", counters.requests());
}

#[tokio::test(start_paused = true)]
async fn all_requests_of_a_process_obey_one_refusal() {
    let server = limited(30).await;
    let client = server.client();
    client.time().await.unwrap();
    server.get("exchangeInfo").await;
    server.get("exchangeInfo").await;
    let loads = (0..10).map(|number| {
        let client = client.clone();
        let from = MIDNIGHT - (number + 1) * HOUR;
        async move { client.klines_window(&symbol("BTCUSDT"), Interval::M1, range(from, from + HOUR)).await }
    });
    for page in join_all(loads).await {
        page.unwrap();
    }
    assert_eq!((server.counters.too_many(), server.counters.banned()), (2, 0));
}
