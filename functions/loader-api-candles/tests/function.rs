//! The loader through the router, against the exchange simulator and a recording ingress.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::time::Duration;

use loader_api_candles::CandleLoader;
use serde_json::{Value, json};
use streamforge_events::{
    AttributesReader, Event, EventType, KlineBatch, Millis, TimeRange, data, event_type, extension,
};
use streamforge_exchange::{
    Client, ClientConfig,
    simulator::{self, Clock, SimulatorConfig, Source},
};
use streamforge_function::{
    Function,
    axum::{Router, http::StatusCode},
    router,
    test_util::{Answer, TestIngress, post_event, post_raw},
};
use tokio::net::TcpListener;

const MINUTE: Millis = 60_000;
/// 2024-06-03T00:00:30Z: a bar of a minute is half over.
const NOW: Millis = 1_717_372_830_000;
/// 2024-06-01T00:00:00Z.
const FROM: Millis = 1_717_200_000_000;
const QUEUE_ID: &str = "wf-btcusdt-api_candles_1m-20240601-a1b2c3";

/// Serves a market whose clock stands still, for as long as the test's runtime lives.
async fn exchange(faults: &str) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut config = SimulatorConfig::new(Source::synthetic(42));
    config.clock = Clock::Frozen(NOW);
    config.faults = faults.parse().unwrap();
    tokio::spawn(simulator::serve(listener, config, std::future::pending()));
    client(&url)
}

fn client(url: &str) -> Client {
    let mut config = ClientConfig::new(url);
    config.backoff = Duration::from_millis(1);
    Client::new(config).unwrap()
}

fn loader(ingress: &TestIngress, client: Client) -> Router {
    router(CandleLoader::new(client), ingress.context(CandleLoader::NAME, NOW))
}

fn command(kind: &str, symbol: &str, parameters: &Value) -> Event {
    let event = json!({
        "specversion": "1.0", "id": format!("{QUEUE_ID}/{kind}/1"), "source": "/streamforge/queue-manager",
        "type": format!("io.streamforge.control.{kind}.v1"), "partitionkey": QUEUE_ID, "queueid": QUEUE_ID,
        "datacontenttype": "application/json",
        "data": {
            "command": kind, "queue_id": QUEUE_ID, "target": "loader-api-candles", "symbol": symbol,
            "type": "api_candles_1m", "telemetry_id": "loader-api-candles__a1b2c3", "timestamp": 1_717_372_830.0,
            "task": "task-7", "attempt": 2, "parameters": parameters,
        },
    });
    serde_json::from_value(event).unwrap()
}

fn slice(from: Millis, to: Millis) -> Value {
    json!({"interval": "1m", "from": from, "to": to})
}

async fn start(router: &Router, symbol: &str, parameters: &Value) -> Answer {
    post_event(router, &command("start", symbol, parameters)).await
}

fn reports(events: &[Event]) -> Vec<Value> {
    let reports = events.iter().filter(|event| event_type(event) == Ok(EventType::QueueReported));
    reports.map(|event| data(event).unwrap()).collect()
}

fn statuses(events: &[Event]) -> Vec<String> {
    reports(events).iter().map(|report| report["status"].as_str().unwrap().to_owned()).collect()
}

fn batches(events: &[Event]) -> Vec<KlineBatch> {
    let batches = events.iter().filter(|event| event_type(event) == Ok(EventType::KlinesLoaded));
    batches.map(|event| data(event).unwrap()).collect()
}

#[tokio::test]
async fn a_slice_becomes_numbered_batches_and_a_summary() {
    let (ingress, client) = (TestIngress::start().await, exchange("").await);
    let to = FROM + 2500 * MINUTE;
    let answer = start(&loader(&ingress, client.clone()), "BTCUSDT", &slice(FROM, to)).await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));

    let events = ingress.events();
    assert_eq!(statuses(&events), ["started", "finished"]);
    let last = reports(&events).pop().unwrap();
    assert_eq!(last["extra"], json!({"batches": [0, 1, 2], "complete_until": to, "rows": 2500}));
    assert_eq!((&last["task"], &last["attempt"], &last["finished"]), (&json!("task-7"), &json!(2), &json!(true)));

    let mut rows = Vec::new();
    for (index, batch) in (0..).zip(batches(&events)) {
        assert_eq!((batch.batch, batch.symbol.as_str()), (index, "BTCUSDT"));
        rows.extend(batch.rows);
    }
    let mut expected = Vec::new();
    for start in [0, 1000, 2000] {
        let window = TimeRange::new(FROM + start * MINUTE, (FROM + (start + 1000) * MINUTE).min(to)).unwrap();
        let page = client.klines_window(&"BTCUSDT".parse().unwrap(), "1m".parse().unwrap(), window).await;
        expected.extend(page.unwrap().rows);
    }
    assert_eq!(rows, expected);

    let data_events: Vec<_> =
        ingress.received().into_iter().filter(|received| received.broker == "streamforge/market-data").collect();
    assert_eq!(data_events.len(), 3);
    for received in data_events {
        let event = received.event;
        let names = ["partitionkey", "queueid", "task", "attempt"].map(|name| extension(&event, name).unwrap());
        assert_eq!(names, ["BTCUSDT", QUEUE_ID, "task-7", "2"]);
        assert_eq!(event.subject(), Some("BTCUSDT"));
        let bytes = serde_json::to_vec(&data::<Value>(&event).unwrap()).unwrap().len();
        assert!(bytes <= 512 * 1024, "{bytes}");
    }
}

#[tokio::test]
async fn the_open_bar_and_the_future_are_left_for_another_time() {
    let (ingress, client) = (TestIngress::start().await, exchange("").await);
    let parameters = slice(NOW - 30_000 - 10 * MINUTE, NOW + 5000 * MINUTE);
    assert_eq!(start(&loader(&ingress, client), "BTCUSDT", &parameters).await.status, 204);
    let last = reports(&ingress.events()).pop().unwrap();
    assert_eq!(last["extra"], json!({"batches": [0], "complete_until": NOW - 30_000, "rows": 10}));
}

#[tokio::test]
async fn the_batch_with_the_newest_closed_bar_alone_is_marked_as_fresh() {
    let now = NOW - 30_000;
    for (slice, fresh) in [
        (slice(now - 1_001 * MINUTE, now + MINUTE), vec![None, Some("true".to_owned())]),
        (slice(now - MINUTE, now), vec![Some("true".to_owned())]),
        (slice(now - 10 * MINUTE, now - MINUTE), vec![None]),
    ] {
        let (ingress, client) = (TestIngress::start().await, exchange("").await);
        assert_eq!(start(&loader(&ingress, client), "BTCUSDT", &slice).await.status, 204);
        let events = ingress.events();
        let batches = events.iter().filter(|event| event_type(event) == Ok(EventType::KlinesLoaded));
        assert_eq!(batches.map(|event| extension(event, "fresh")).collect::<Vec<_>>(), fresh, "{slice}");
    }
}

#[tokio::test]
async fn a_window_without_bars_is_no_batch_and_keeps_its_number() {
    let outage = "outage:2024-06-01T10:00:00Z/2024-06-02T20:00:00Z";
    let (ingress, client) = (TestIngress::start().await, exchange(outage).await);
    let answer = start(&loader(&ingress, client), "BTCUSDT", &slice(FROM, FROM + 2880 * MINUTE)).await;
    assert_eq!(answer.status, 204);
    let last = reports(&ingress.events()).pop().unwrap();
    assert_eq!(last["extra"]["batches"], json!([0, 2]));
    assert_eq!(last["extra"]["complete_until"], json!(FROM + 2880 * MINUTE));
    let numbers: Vec<u32> = batches(&ingress.events()).iter().map(|batch| batch.batch).collect();
    assert_eq!(numbers, [0, 2]);
}

#[tokio::test]
async fn long_slices_tell_that_they_are_alive() {
    let (ingress, client) = (TestIngress::start().await, exchange("").await);
    let parameters = slice(FROM - 5000 * MINUTE, FROM + 500 * MINUTE);
    assert_eq!(start(&loader(&ingress, client), "ETHUSDT", &parameters).await.status, 204);
    let events = ingress.events();
    assert_eq!(statuses(&events), ["started", "loading", "finished"]);
    assert_eq!(reports(&events)[1]["batch"], Value::Null);
}

#[tokio::test]
async fn redelivered_command_yields_the_same_events() {
    let (ingress, client) = (TestIngress::start().await, exchange("short:0.3,empty:0.2,repeat:0.2,seed:3").await);
    let loader = loader(&ingress, client);
    for _ in 0..2 {
        assert_eq!(start(&loader, "BTCUSDT", &slice(FROM, FROM + 1500 * MINUTE)).await.status, 204);
    }
    let seen: Vec<(String, String, Value)> = ingress
        .events()
        .iter()
        .map(|event| {
            let mut payload: Value = data(event).unwrap();
            // The exchange was read at another time, which is all that may differ.
            payload.as_object_mut().unwrap().remove("read_at");
            (event.id().to_owned(), event.source().clone(), payload)
        })
        .collect();
    assert_eq!(seen.len(), 8);
    assert_eq!(seen[..4], seen[4..]);
}

#[tokio::test]
async fn what_the_exchange_refuses_ends_the_task_with_its_words() {
    let (ingress, client) = (TestIngress::start().await, exchange("").await);
    assert_eq!(start(&loader(&ingress, client), "NOSUCHUSDT", &slice(FROM, FROM + MINUTE)).await.status, 204);
    let events = ingress.events();
    assert_eq!(statuses(&events), ["started", "error"]);
    let last = &reports(&events)[1];
    assert_eq!(last["finished"], json!(true));
    let words = last["error_message"].as_str().unwrap();
    assert!(words.contains("-1121") && words.contains("Invalid symbol."), "{words}");
}

#[tokio::test]
async fn an_exchange_that_is_down_leaves_the_task_to_another_attempt() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let ingress = TestIngress::start().await;
    assert_eq!(start(&loader(&ingress, client(&url)), "BTCUSDT", &slice(FROM, FROM + MINUTE)).await.status, 204);
    let events = ingress.events();
    assert_eq!(statuses(&events), ["started", "error"]);
    let last = &reports(&events)[1];
    assert_eq!(last["finished"], json!(false));
    assert!(last["error_message"].as_str().unwrap().contains("connection"), "{last}");
}

#[tokio::test]
async fn parameters_that_do_not_fit_end_the_task() {
    let (ingress, client) = (TestIngress::start().await, client("http://127.0.0.1:9"));
    let loader = loader(&ingress, client);
    assert_eq!(start(&loader, "BTCUSDT", &json!({"interval": "1H", "from": 0, "to": 1})).await.status, 204);
    let events = ingress.events();
    assert_eq!(statuses(&events), ["error"]);
    assert!(reports(&events)[0]["error_message"].as_str().unwrap().contains("interval `1H`"));
}

#[tokio::test]
async fn bad_events_are_refused() {
    let (ingress, client) = (TestIngress::start().await, client("http://127.0.0.1:9"));
    let loader = loader(&ingress, client);
    let mut event = command("start", "BTCUSDT", &json!({}));
    event.set_data("application/json", json!({"command": "start"}));
    assert_eq!(post_event(&loader, &event).await.status, 400);
    assert_eq!(start(&loader, "BTC USDT", &json!({})).await.status, 400);
    let unknown: Event = serde_json::from_value(json!({
        "specversion": "1.0", "id": "1", "source": "/s", "type": "io.streamforge.klines.loaded.v1", "data": {},
    }))
    .unwrap();
    assert_eq!(post_event(&loader, &unknown).await.status, 422);
    let padding = "x".repeat(2 << 20);
    let oversized = start(&loader, "BTCUSDT", &json!({ "padding": padding })).await;
    assert_eq!(oversized.status, 413);
    let nothing = post_raw(&loader, streamforge_function::axum::http::HeaderMap::new(), "{".into()).await;
    assert!((400..=415).contains(&nothing.status), "{nothing:?}");
    assert_eq!(ingress.events(), []);
}

#[tokio::test]
async fn a_stop_in_the_middle_interrupts_before_the_next_window() {
    let (ingress, client) = (TestIngress::start().await, exchange("").await);
    let loader = loader(&ingress, client);
    ingress.hold();
    let running = tokio::spawn({
        let loader = loader.clone();
        async move { start(&loader, "BTCUSDT", &slice(FROM, FROM + 2500 * MINUTE)).await }
    });
    ingress.wait_for_arrivals(1).await;
    assert_eq!(post_event(&loader, &command("stop", "BTCUSDT", &json!({}))).await.status, 204);
    ingress.release();
    assert_eq!(running.await.unwrap().status, 204);
    let events = ingress.events();
    assert_eq!(statuses(&events), ["started", "interrupted"]);
    assert_eq!(reports(&events)[1]["finished"], json!(true));
    assert!(batches(&events).is_empty());
}

#[tokio::test]
async fn a_broker_that_is_down_brings_the_command_again() {
    let (ingress, client) = (TestIngress::start().await, exchange("").await);
    let loader = loader(&ingress, client);
    ingress.answer_with(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(start(&loader, "BTCUSDT", &slice(FROM, FROM + MINUTE)).await.status, 503);
    ingress.answer_with(StatusCode::ACCEPTED);
    assert_eq!(start(&loader, "BTCUSDT", &slice(FROM, FROM + MINUTE)).await.status, 204);
    assert_eq!(statuses(&ingress.events()), ["started", "finished"]);
}
