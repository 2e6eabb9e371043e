//! The weight limit is never exceeded, and a ban stops the whole process.

use std::time::Duration;

use futures::future::join_all;
use streamforge_events::Interval;
use streamforge_exchange::{Client, Error};

use crate::{
    client_windows::{range, symbol},
    server::{HOUR, MIDNIGHT, Server, running, start},
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
