//! The connector through the router, over the real store and a recording ingress.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::sync::Arc;

use arango_connector::Connector;
use serde_json::{Value, json};
use streamforge_events::{AttributesReader, Event, Millis, SeriesId, SeriesKind, TimeRange, data};
use streamforge_function::{
    Function,
    axum::{Router, http::StatusCode},
    router,
    test_util::{TestIngress, config, post_event},
};
use streamforge_store::{Store, read_declared};
use tempfile::TempDir;

const NOW: Millis = 1_722_500_125_456;
const QUEUE_ID: &str = "wf-shibusdt-api_candles_1m-20240801-a1b2c3";

struct Stage {
    ingress: TestIngress,
    store: Arc<dyn Store>,
    connector: Router,
    _folder: TempDir,
}

impl Stage {
    async fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = streamforge_store::open(&format!("sqlite://{}/store.db", folder.path().display())).await.unwrap();
        let ingress = TestIngress::start().await;
        let connector = router(Connector::new(store.clone()), ingress.context(Connector::NAME, NOW));
        Self { ingress, store, connector, _folder: folder }
    }

    async fn post(&self, event: &Event) -> u16 {
        post_event(&self.connector, event).await.status
    }

    fn reports(&self) -> Vec<Value> {
        self.ingress.events().iter().map(|event| data(event).unwrap()).collect()
    }

    async fn klines(&self) -> Vec<Value> {
        let range = TimeRange::new(0, 10_000_000).unwrap();
        let rows = self.store.read_klines(&series("1m"), range, None, 100).await.unwrap();
        rows.iter().map(|kline| serde_json::to_value(kline).unwrap()).collect()
    }
}

fn series(interval: &str) -> SeriesId {
    SeriesId { symbol: "SHIBUSDT".parse().unwrap(), kind: SeriesKind::Klines(interval.parse().unwrap()) }
}

fn event(kind: &str, id: &str, payload: &Value) -> Event {
    let event = json!({
        "specversion": "1.0", "id": id, "source": "/streamforge/loader-api-candles",
        "type": format!("io.streamforge.{kind}.loaded.v1"), "subject": "SHIBUSDT", "partitionkey": "SHIBUSDT",
        "queueid": QUEUE_ID, "task": "task-7", "attempt": "2", "datacontenttype": "application/json", "data": payload,
    });
    serde_json::from_value(event).unwrap()
}

/// A bar of minute `minute` with the exchange's own digits.
fn bar(minute: i64, volume: &str, trades: u64) -> Value {
    let open_time = minute * 60_000;
    json!([
        open_time,
        "0.00001000",
        "0.00001100",
        "0.00000900",
        "0.00001050",
        volume,
        open_time + 59_999,
        "610009597.78100000",
        trades,
        "305004798890.50",
        "3050047.98890500"
    ])
}

fn klines(batch: u32, read_at: Millis, rows: &[Value]) -> Value {
    json!({"symbol": "SHIBUSDT", "interval": "1m", "batch": batch, "read_at": read_at, "rows": rows})
}

#[tokio::test]
async fn a_batch_is_stored_to_the_last_digit_and_reported() {
    let stage = Stage::set().await;
    let batch = klines(3, 1000, &[bar(0, "610009597781.00", 7), bar(1, "20350299676117.00", 8)]);
    assert_eq!(stage.post(&event("klines", "batch-3", &batch)).await, 204);

    let stored = stage.klines().await;
    assert_eq!(stored.len(), 2);
    assert_eq!(
        (&stored[0]["volume"], &stored[1]["volume"], &stored[0]["open"]),
        (&json!("610009597781.00"), &json!("20350299676117.00"), &json!("0.00001000"))
    );
    assert_eq!(
        stage.reports(),
        [json!({
            "queue_id": QUEUE_ID, "producer": "arango-connector__a1b2c3", "symbol": "SHIBUSDT",
            "type": "api_candles_1m", "status": "loading", "message": "Saved 2 records", "records_written": 2,
            "finished": false, "timestamp": 1_722_500_125.456, "task": "task-7", "attempt": 2, "batch": "3",
        })]
    );
    assert_eq!(stage.ingress.received()[0].broker, "streamforge/queue-events");
}

#[tokio::test]
async fn trades_are_stored_and_reported() {
    let stage = Stage::set().await;
    let rows =
        json!([[26129, "0.01633102", "4.70443515", 1000, true], [26130, "0.01633102", "1.00000000", 1000, false]]);
    let batch = json!({"symbol": "SHIBUSDT", "batch": 0, "read_at": 5000, "rows": rows});
    assert_eq!(stage.post(&event("trades", "batch-0", &batch)).await, 204);
    let trades = SeriesId { symbol: "SHIBUSDT".parse().unwrap(), kind: SeriesKind::Trades };
    let stored = stage.store.read_trades(&trades, TimeRange::new(0, 2000).unwrap(), None, 10).await.unwrap();
    assert_eq!(stored.iter().map(|trade| trade.trade_id).collect::<Vec<_>>(), [26129, 26130]);
    let report = &stage.reports()[0];
    assert_eq!((&report["type"], &report["records_written"]), (&json!("api_trades"), &json!(2)));
}

/// What loader-ws tells of bars that are missing; it belongs to no workflow.
fn gap(change: &Value) -> Event {
    let mut gap = json!({"symbol": "SHIBUSDT", "stream": "klines_1m", "from": 60_000, "to": 180_000, "state": "open",
        "why": "the connection broke", "since": 200_000});
    gap.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    let event = json!({
        "specversion": "1.0", "id": "gap", "source": "/streamforge/loader-ws",
        "type": "io.streamforge.feed.interrupted.v1", "subject": "SHIBUSDT", "partitionkey": "SHIBUSDT",
        "datacontenttype": "application/json", "data": gap,
    });
    serde_json::from_value(event).unwrap()
}

#[tokio::test]
async fn gaps_are_kept_in_any_order_and_their_end_is_what_counts() {
    let open = gap(&json!({}));
    let filled = gap(&json!({"state": "filled", "to": 60_000, "why": "asked for"}));
    let left = gap(&json!({"state": "left", "from": 120_000, "why": "the exchange has none"}));
    for events in [[&open, &filled, &left, &open], [&left, &filled, &open, &filled], [&filled, &open, &open, &left]] {
        let stage = Stage::set().await;
        for event in events {
            assert_eq!(stage.post(event).await, 204);
        }
        let declared = read_declared(&*stage.store, &series("1m"), None).await.unwrap();
        let short: Vec<_> = declared.iter().map(|gap| (gap.from, gap.to, gap.state.as_str())).collect();
        assert_eq!(short, [(60_000, 60_000, "filled"), (120_000, 180_000, "left")]);
        assert_eq!(stage.reports(), Vec::<Value>::new(), "nobody asked");
    }
}

#[tokio::test]
async fn what_no_gap_can_be_is_a_dead_letter() {
    let stage = Stage::set().await;
    for (change, status) in [
        (json!({"from": 180_001}), 422),
        (json!({"to": u64::MAX}), 422),
        (json!({"since": -1}), 422),
        (json!({"stream": ""}), 400),
        (json!({"stream": "x".repeat(65)}), 400),
        (json!({"state": "mended"}), 400),
        (json!({"why": "long ".repeat(1000)}), 204),
    ] {
        assert_eq!(stage.post(&gap(&change)).await, status, "{change}");
    }
    let declared = read_declared(&*stage.store, &series("1m"), None).await.unwrap();
    assert_eq!((declared.len(), declared[0].why.len()), (1, 1000));
}

#[tokio::test]
async fn redelivered_batch_yields_the_same_event_and_changes_nothing() {
    let stage = Stage::set().await;
    let batch = event("klines", "batch-0", &klines(0, 1000, &[bar(0, "1.00", 7)]));
    let mut seen = Vec::new();
    for _ in 0..2 {
        assert_eq!(stage.post(&batch).await, 204);
        let last = stage.ingress.events().pop().unwrap();
        seen.push((last.id().to_owned(), data::<Value>(&last).unwrap(), stage.klines().await));
    }
    assert_eq!(seen[0], seen[1]);
}

#[tokio::test]
async fn a_restated_bar_wins_over_older_readings_in_any_order() {
    let stage = Stage::set().await;
    for (id, read_at, volume) in [("first", 1000, "1.00"), ("restated", 3000, "3.00"), ("late", 2000, "2.00")] {
        assert_eq!(stage.post(&event("klines", id, &klines(0, read_at, &[bar(0, volume, 7)]))).await, 204);
    }
    assert_eq!(stage.klines().await[0]["volume"], json!("3.00"));
    let told: Vec<Value> = stage.reports().iter().map(|report| report["extra"].clone()).collect();
    assert_eq!(told, [json!(null), json!({"restated": 1, "restated_at": [0]}), json!(null)]);
}

#[tokio::test]
async fn restated_rows_are_counted_and_the_first_ones_named() {
    let stage = Stage::set().await;
    let bars = |volume: &str| (0..15).map(|minute| bar(minute, volume, 7)).collect::<Vec<_>>();
    for (id, read_at, volume) in [("first", 1000, "1.00"), ("equal", 2000, "1.00"), ("restated", 3000, "3.00")] {
        assert_eq!(stage.post(&event("klines", id, &klines(0, read_at, &bars(volume)))).await, 204);
    }
    let reports = stage.reports();
    let times: Vec<i64> = (0..10).map(|minute| minute * 60_000).collect();
    assert_eq!((&reports[1]["extra"], &reports[1]["message"]), (&json!(null), &json!("Saved 15 records")));
    assert_eq!(reports[2]["extra"], json!({"restated": 15, "restated_at": times}));
    assert_eq!(reports[2]["message"], "Saved 15 records, 15 of them restated by the exchange");
}

#[tokio::test]
async fn a_batch_of_no_workflow_is_stored_without_a_report() {
    let stage = Stage::set().await;
    let mut batch = serde_json::to_value(event("klines", "batch-0", &klines(0, 1000, &[bar(0, "1.00", 7)]))).unwrap();
    for name in ["queueid", "task", "attempt"] {
        batch.as_object_mut().unwrap().remove(name);
    }
    assert_eq!(stage.post(&serde_json::from_value(batch).unwrap()).await, 204);
    assert_eq!((stage.klines().await.len(), stage.reports().len()), (1, 0));
}

#[tokio::test]
async fn a_row_that_cannot_be_stored_makes_a_dead_letter_and_fails_the_task() {
    let stage = Stage::set().await;
    let batch = klines(4, 1000, &[bar(0, "1.00", 7), bar(1, "1.00", u64::MAX)]);
    let answer = post_event(&stage.connector, &event("klines", "batch-4", &batch)).await;
    assert_eq!((answer.status, answer.reason.as_str()), (422, "UNPROCESSABLE"));
    let report = &stage.reports()[0];
    assert_eq!(
        (&report["status"], &report["finished"], &report["batch"]),
        (&json!("error"), &json!(true), &json!("4"))
    );
    let words = report["error_message"].as_str().unwrap();
    assert!(words.starts_with("store refused 1 of 2 rows: row 1: number_of_trades"), "{words}");
}

#[tokio::test]
async fn a_batch_that_cannot_be_read_or_stored_is_refused_and_its_workflow_hears_why() {
    let mut bad_price = bar(0, "1.00", 7);
    bad_price[1] = json!("1e5");
    let mut closes_early = bar(1, "1.00", 7);
    closes_early[6] = json!(59_998);
    let bad_symbol = json!({"symbol": "SHIB USDT", "interval": "1m", "batch": 4, "read_at": 0, "rows": []});
    let whole = ("api_candles_1m", json!("SHIBUSDT"), json!("4"));
    let nameless = ("api_candles", json!(null), json!(null));
    for (payload, words, (kind, symbol, batch)) in [
        (klines(4, 1000, &[bar(0, "1.00", 7), closes_early]), "rows[1]: time range", whole.clone()),
        (klines(4, -1, &[]), "read_at -1", whole.clone()),
        (klines(4, 1000, &[bad_price]), "1e5", whole.clone()),
        (klines(4, 1000, &[json!([0, "1"])]), "invalid length 2", whole),
        (bad_symbol, "SHIB USDT", ("api_candles_1m", json!(null), json!("4"))),
        (json!({}), "missing field", nameless.clone()),
        (json!([1, 2]), "expected a string", nameless),
    ] {
        let stage = Stage::set().await;
        let answer = post_event(&stage.connector, &event("klines", "bad", &payload)).await;
        assert_eq!((answer.status, answer.reason.as_str()), (400, "INVALID_EVENT"), "{payload}");
        let [report] = &stage.reports()[..] else { panic!("one report for {payload}") };
        let told = report["error_message"].as_str().unwrap();
        assert!(told.contains(words), "{told}");
        let expected = json!({
            "queue_id": QUEUE_ID, "producer": "arango-connector__a1b2c3", "type": kind, "status": "error",
            "message": told, "error_message": told, "records_written": 0, "finished": true,
            "timestamp": 1_722_500_125.456, "task": "task-7", "attempt": 2,
        });
        let mut rest = report.clone();
        let named = ["symbol", "batch"].map(|name| rest.as_object_mut().unwrap().remove(name).unwrap_or_default());
        assert_eq!((rest, named), (expected, [symbol, batch]));
        assert!(stage.klines().await.is_empty());
    }
}

#[tokio::test]
async fn what_is_no_batch_of_a_workflow_is_refused_without_a_report() {
    let stage = Stage::set().await;
    let mut stop = serde_json::to_value(event("klines", "bad", &json!({}))).unwrap();
    stop["type"] = json!("io.streamforge.control.start.v1");
    assert_eq!(stage.post(&serde_json::from_value(stop).unwrap()).await, 422);
    let oversized = klines(0, 1000, &vec![bar(0, &"1".repeat(20), 7); 20_000]);
    assert_eq!(stage.post(&event("klines", "oversized", &oversized)).await, 413);
    let mut stray = serde_json::to_value(event("klines", "stray", &klines(0, -1, &[]))).unwrap();
    stray.as_object_mut().unwrap().remove("queueid");
    assert_eq!(stage.post(&serde_json::from_value(stray).unwrap()).await, 400);
    assert_eq!((stage.klines().await.len(), stage.reports().len()), (0, 0));
}

#[tokio::test]
async fn without_the_broker_the_batch_comes_again() {
    let stage = Stage::set().await;
    let batch = event("klines", "batch-0", &klines(0, 1000, &[bar(0, "1.00", 7)]));
    stage.ingress.answer_with(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(stage.post(&batch).await, 503);
    stage.ingress.answer_with(StatusCode::ACCEPTED);
    assert_eq!(stage.post(&batch).await, 204);
    assert_eq!((stage.klines().await.len(), stage.reports().len()), (1, 1));
}

#[tokio::test]
async fn configuration_is_checked_before_anything_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let good = format!("sqlite://{}/store.db", folder.path().display());
    assert!(Connector::from_config(&config(&[("STREAMFORGE_STORE_URL", &good)], &[])).await.is_ok());
    for (variables, words) in [
        (vec![], "`STREAMFORGE_STORE_URL` is not set"),
        (vec![("STREAMFORGE_STORE_URL", "postgres://host/db")], "`STREAMFORGE_STORE_URL` is not valid"),
        (vec![("STREAMFORGE_STORE_URL", "sqlite:///proc/no/store.db")], "/proc/no"),
    ] {
        let error = Connector::from_config(&config(&variables, &[])).await.err().unwrap();
        assert!(error.to_string().contains(words), "{error}");
    }
}
