//! What is counted of deliveries, as it is scraped.

use std::sync::Arc;

use streamforge_local::{
    dispatcher::{Options, Target},
    metrics::{self, Metrics},
};
use tokio::net::TcpListener;

use crate::fixture::{Fixture, Worker, until};

/// The value of a series in the text of a scrape.
async fn value(fixture: &Fixture, metrics: &Metrics, series: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("a bound listener has an address");
    let router = metrics::router(Arc::clone(&fixture.bus), metrics.clone());
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    let answer = reqwest::get(format!("http://{address}/metrics")).await.expect("an answer");
    let text = answer.text().await.expect("a text");
    serving.abort();
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in {text}")).to_owned()
}

fn counted() -> (Metrics, Options) {
    let metrics = Metrics::default();
    (metrics.clone(), Options { metrics, ..Options::default() })
}

#[tokio::test]
async fn a_wait_for_the_first_worker_is_a_cold_start_and_lag() {
    let (fixture, (metrics, options)) = (Fixture::new(1).await, counted());
    fixture.endpoints.set(&Fixture::service(), &[]);
    let running = fixture.run("patient", options).await;
    fixture.publish(1, "k").await;
    let lag =
        r#"streamforge_consumer_group_lag{group="knative-trigger-default-patient",topic="knative-broker-default-in"}"#;
    until("lag", async || value(&fixture, &metrics, lag).await == "1").await;
    let (_worker, address) = Worker::start(10).await;
    fixture.endpoints.set(&Fixture::service(), &[address]);
    until("commit", async || fixture.committed("patient").await == 1).await;
    fixture.publish(2, "k").await;
    until("commit", async || fixture.committed("patient").await == 2).await;
    let delivered = r#"streamforge_deliveries_total{trigger="default/patient",outcome="delivered"}"#;
    assert_eq!(value(&fixture, &metrics, delivered).await, "2");
    let cold = r#"streamforge_cold_start_seconds_count{trigger="default/patient"}"#;
    assert_eq!(value(&fixture, &metrics, cold).await, "1", "the second event found a worker");
    assert_eq!(value(&fixture, &metrics, lag).await, "0");
    running.stop().await;
}

#[tokio::test]
async fn what_nobody_takes_is_counted_by_its_end() {
    let (fixture, (metrics, options)) = (Fixture::new(1).await, counted());
    fixture.endpoints.set(&Fixture::service(), &[]);
    // Its Trigger tries twice and has a dead-letter sink.
    let running = fixture.run("worker", options).await;
    fixture.publish(1, "k").await;
    until("commit", async || fixture.committed("worker").await == 1).await;
    for (series, expected) in [
        (r#"streamforge_deliveries_total{trigger="default/worker",outcome="delivered"}"#, "0"),
        (r#"streamforge_deliveries_total{trigger="default/worker",outcome="dead_lettered"}"#, "1"),
        (r#"streamforge_deliveries_total{trigger="default/worker",outcome="dropped"}"#, "0"),
        (r#"streamforge_delivery_retries_total{trigger="default/worker"}"#, "1"),
        (r#"streamforge_cold_start_seconds_count{trigger="default/worker"}"#, "0"),
    ] {
        assert_eq!(value(&fixture, &metrics, series).await, expected, "{series}");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_subscriber_that_is_not_there_yet_starts_cold() {
    let (fixture, (metrics, options)) = (Fixture::new(1).await, counted());
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = free.local_addr().expect("a bound listener has an address");
    drop(free);
    let running = fixture
        .run_with("worker", options, |subscription| {
            subscription.subscriber = Target::Url(format!("http://{address}/work"));
            subscription.retry = 1000;
        })
        .await;
    fixture.publish(1, "k").await;
    let retries = r#"streamforge_delivery_retries_total{trigger="default/worker"}"#;
    until("a retry", async || value(&fixture, &metrics, retries).await != "0").await;
    let cold = r#"streamforge_cold_start_seconds_count{trigger="default/worker"}"#;
    assert_eq!(value(&fixture, &metrics, cold).await, "0");
    let _worker = Worker::start_at(address, 1).await;
    until("commit", async || fixture.committed("worker").await == 1).await;
    assert_eq!(value(&fixture, &metrics, cold).await, "1");
    running.stop().await;
}
