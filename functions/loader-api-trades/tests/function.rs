//! The loader through the router, against the exchange simulator and a recording ingress.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::time::Duration;

use loader_api_trades::TradeLoader;
use serde_json::{Value, json};
use streamforge_events::{
    AttributesReader, Event, EventType, Millis, TimeRange, Trade, TradeBatch, data, event_type, extension,
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
/// 2024-06-03T00:00:30Z.
const NOW: Millis = 1_717_372_830_000;
/// 2024-06-01T00:00:00Z.
const FROM: Millis = 1_717_200_000_000;
/// Long enough for several blocks.
const LONG: Millis = 8 * 60 * MINUTE;
const QUEUE_ID: &str = "wf-btcusdt-api_trades-20240601-a1b2c3";

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
    router(TradeLoader::new(client), ingress.context(TradeLoader::NAME, NOW))
}

fn command(kind: &str, symbol: &str, parameters: &Value) -> Event {
    let event = json!({
        "specversion": "1.0", "id": format!("{QUEUE_ID}/{kind}/1"), "source": "/streamforge/queue-manager",
        "type": format!("io.streamforge.control.{kind}.v1"), "partitionkey": QUEUE_ID, "queueid": QUEUE_ID,
        "datacontenttype": "application/json",
        "data": {
            "command": kind, "queue_id": QUEUE_ID, "target": "loader-api-trades", "symbol": symbol,
            "type": "api_trades", "telemetry_id": "loader-api-trades__a1b2c3", "timestamp": 1_717_372_830.0,
            "task": "task-7", "attempt": 2, "parameters": parameters,
        },
    });
    serde_json::from_value(event).unwrap()
}

fn slice(from: Millis, to: Millis) -> Value {
    json!({"from": from, "to": to})
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

fn batches(events: &[Event]) -> Vec<TradeBatch> {
    let batches = events.iter().filter(|event| event_type(event) == Ok(EventType::TradesLoaded));
    batches.map(|event| data(event).unwrap()).collect()
}

/// All trades of a slice, asked for by id one after the other.
async fn trades(client: &Client, from: Millis, to: Millis) -> Vec<Trade> {
    let symbol = "BTCUSDT".parse().unwrap();
    let range = TimeRange::new(from, to).unwrap();
    let mut from_id = client.first_agg_trade(&symbol, range).await.unwrap().unwrap();
    let mut trades = Vec::new();
    loop {
        let page = client.agg_trades(&symbol, from_id, 777).await.unwrap();
        let is_behind = page.rows.iter().any(|trade| trade.timestamp >= to);
        trades.extend(page.rows.into_iter().filter(|trade| range.contains(trade.timestamp)));
        if is_behind || !page.is_full {
            return trades;
        }
        from_id = page.next_id;
    }
}

#[tokio::test]
async fn a_slice_becomes_numbered_blocks_and_a_summary() {
    let (ingress, client) = (TestIngress::start().await, exchange("").await);
    let to = FROM + LONG;
    let answer = start(&loader(&ingress, client.clone()), "BTCUSDT", &slice(FROM, to)).await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));

    let events = ingress.events();
    let batches = batches(&events);
    assert!(batches.len() >= 3, "the slice is long enough for several blocks: {}", batches.len());
    let first_id = batches[0].rows[0].trade_id;
    for (index, batch) in (0..).zip(&batches) {
        let ids = first_id + 1000 * i64::from(index)..first_id + 1000 * (i64::from(index) + 1);
        assert_eq!((batch.batch, batch.symbol.as_str()), (index, "BTCUSDT"));
        assert!(batch.rows.iter().all(|trade| ids.contains(&trade.trade_id)));
    }
    let rows: Vec<Trade> = batches.iter().flat_map(|batch| batch.rows.clone()).collect();
    assert_eq!(rows, trades(&client, FROM, to).await);

    assert_eq!(statuses(&events), ["started", "finished"]);
    let last = reports(&events).pop().unwrap();
    let numbers: Vec<usize> = (0..batches.len()).collect();
    assert_eq!(last["extra"], json!({"batches": numbers, "complete_until": to, "rows": rows.len()}));
    for received in ingress.received().iter().filter(|received| received.broker == "streamforge/market-data") {
        let names =
            ["partitionkey", "queueid", "task", "attempt"].map(|name| extension(&received.event, name).unwrap());
        assert_eq!(names, ["BTCUSDT", QUEUE_ID, "task-7", "2"]);
        let bytes = serde_json::to_vec(&data::<Value>(&received.event).unwrap()).unwrap().len();
        assert!(bytes <= 512 * 1024, "{bytes}");
    }
}

#[tokio::test]
async fn the_newest_trades_are_loaded_and_not_taken_for_complete() {
    let (ingress, client) = (TestIngress::start().await, exchange("").await);
    let from = NOW - 10 * MINUTE;
    assert_eq!(start(&loader(&ingress, client), "BTCUSDT", &slice(from, NOW + 10 * MINUTE)).await.status, 204);
    let last = reports(&ingress.events()).pop().unwrap();
    let complete_until = last["extra"]["complete_until"].as_i64().unwrap();
    assert!((NOW - MINUTE..NOW).contains(&complete_until), "{complete_until}");
    assert!(last["extra"]["rows"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn a_slice_without_trades_is_complete_and_has_no_batches() {
    let (ingress, client) = (TestIngress::start().await, exchange("").await);
    assert_eq!(start(&loader(&ingress, client), "BTCUSDT", &slice(0, MINUTE)).await.status, 204);
    let last = reports(&ingress.events()).pop().unwrap();
    assert_eq!(last["extra"], json!({"batches": [], "complete_until": MINUTE, "rows": 0}));
}

#[tokio::test]
async fn poisoned_rows_are_left_out_and_end_nothing() {
    let (ingress, client) = (TestIngress::start().await, exchange("poison:0.2,seed:5").await);
    let answer = start(&loader(&ingress, client.clone()), "BTCUSDT", &slice(FROM, FROM + LONG)).await;
    assert_eq!(answer.status, 204);
    let events = ingress.events();
    assert_eq!(statuses(&events), ["started", "finished"]);
    let rows: usize = batches(&events).iter().map(|batch| batch.rows.len()).sum();
    assert_eq!(rows, trades(&client, FROM, FROM + LONG).await.len());
}

#[tokio::test]
async fn redelivered_command_yields_the_same_events() {
    let (ingress, client) = (TestIngress::start().await, exchange("short:0.3,empty:0.2,repeat:0.2,seed:3").await);
    let loader = loader(&ingress, client);
    for _ in 0..2 {
        assert_eq!(start(&loader, "BTCUSDT", &slice(FROM, FROM + LONG)).await.status, 204);
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
    let (first, second) = seen.split_at(seen.len() / 2);
    assert_eq!(first, second);
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
    assert_eq!(start(&loader, "BTCUSDT", &json!({"from": 1, "to": 0})).await.status, 204);
    let events = ingress.events();
    assert_eq!(statuses(&events), ["error"]);
    assert!(reports(&events)[0]["error_message"].as_str().unwrap().contains("time range"));
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
        "specversion": "1.0", "id": "1", "source": "/s", "type": "io.streamforge.trades.loaded.v1", "data": {},
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
async fn a_stop_in_the_middle_interrupts_before_the_next_block() {
    let (ingress, client) = (TestIngress::start().await, exchange("").await);
    let loader = loader(&ingress, client);
    ingress.hold();
    let running = tokio::spawn({
        let loader = loader.clone();
        async move { start(&loader, "BTCUSDT", &slice(FROM, FROM + LONG)).await }
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
