//! Batches that come again, late or in any order leave the same rows and the same reports.
//!
//! What a batch replaced depends on what was stored before it, so that part of a report is left out.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::collections::{BTreeMap, BTreeSet};

use arango_connector::Connector;
use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};
use streamforge_events::{Event, Millis, TimeRange};
use streamforge_function::{
    Function, router,
    test_util::{TestIngress, post_events, with_repeats},
};

const NOW: Millis = 1_722_500_125_456;

/// A batch of some minutes of one of two symbols, as the exchange was read at one of a few times.
fn batch() -> impl Strategy<Value = Event> {
    (0..2_usize, 0..6_i64, 1..4_i64, 1..5_i64, any::<bool>()).prop_map(|(symbol, from, count, read_at, is_bad)| {
        let symbol = ["BTCUSDT", "ETHUSDT"][symbol];
        // What the exchange says about a minute depends on when it is asked.
        let rows: Vec<_> = (from..from + count)
            .map(|minute| {
                let (open, close) = (minute * 60_000, minute * 60_000 + 59_999);
                let volume = format!("{minute}.{read_at}");
                json!([open, "1.0", "1.0", "1.0", "1.0", volume, close, "1.0", read_at, "1.0", "1.0"])
            })
            .collect();
        let mut rows = rows;
        let id = format!("{symbol}-{from}-{count}-{read_at}-{is_bad}");
        if is_bad && read_at == 4 {
            rows[0][8] = json!(u64::MAX);
        }
        let payload = json!({"symbol": symbol, "interval": "1m", "batch": from, "read_at": read_at, "rows": rows});
        let event = json!({
            "specversion": "1.0", "id": id, "source": "/streamforge/loader-api-candles",
            "type": "io.streamforge.klines.loaded.v1", "subject": symbol, "partitionkey": symbol,
            "queueid": "wf-multi-api_candles_1m-20240801-a1b2c3", "task": "task-7", "attempt": "2",
            "datacontenttype": "application/json", "data": payload,
        });
        serde_json::from_value(event).unwrap()
    })
}

/// What the batches leave in the store, what they cause, and the events by id that they cause once more.
async fn left(events: &[Event]) -> (Vec<String>, BTreeSet<String>, BTreeMap<String, String>) {
    let folder = tempfile::tempdir().unwrap();
    let store = streamforge_store::open(&format!("sqlite://{}/store.db", folder.path().display())).await.unwrap();
    let ingress = TestIngress::start().await;
    let connector = router(Connector::new(store.clone()), ingress.context(Connector::NAME, NOW));
    let published = post_events(&connector, &ingress, events).await;
    // Nothing is new to the store any more, so these follow from the batches alone, their ids too.
    let again = post_events(&connector, &ingress, events).await;
    let mut rows = Vec::new();
    for series in store.series().await.unwrap() {
        let range = TimeRange::new(0, 10_000_000).unwrap();
        let stored = store.read_klines(&series, range, None, 1000).await.unwrap();
        rows.push(format!("{series:?} {}", serde_json::to_string(&stored).unwrap()));
    }
    (rows, published.values().map(|content| without_replaced(content)).collect(), again)
}

/// A report without what it says of rows that were stored before.
fn without_replaced(content: &str) -> String {
    let (kind, report) = content.split_once(' ').unwrap();
    let mut report: Value = serde_json::from_str(report).unwrap();
    report.as_object_mut().unwrap().remove("extra");
    report["message"] = report["message"].as_str().unwrap().split(',').next().unwrap().into();
    format!("{kind} {report}")
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn again_or_in_any_order_equals_once(
        (history, shuffled) in vec(batch(), 1..8).prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        repeats in vec(any::<usize>(), 1..8),
    ) {
        let once = block_on(left(&history));
        prop_assert_eq!(&block_on(left(&with_repeats(&history, &repeats))), &once);
        prop_assert_eq!(&block_on(left(&with_repeats(&shuffled, &repeats))), &once);
    }
}
