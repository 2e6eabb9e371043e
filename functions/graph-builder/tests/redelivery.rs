//! Commands that come again, late or in any order leave the same graphs and the same reports.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{collections::BTreeMap, time::Duration};

use graph_builder::GraphBuilder;
use proptest::{collection::vec, prelude::*};
use serde_json::json;
use streamforge_events::{Event, Kline, Millis, SeriesId, SeriesKind};
use streamforge_function::{
    Function, router,
    test_util::{TestIngress, post_events, with_repeats},
};
use streamforge_store::{Versioned, open_objects};

const NOW: Millis = 1_722_500_125_456;
const MINUTE: Millis = 60_000;
const BARS: i64 = 40;
const QUEUE_ID: &str = "wf-multi-gnn_graph-20240801-a1b2c3";

fn kline(bar: i64, close: i64) -> Kline {
    let row = json!({
        "open_time": bar * MINUTE, "open": "1.0", "high": "1.0", "low": "1.0", "close": format!("{close}.00"),
        "volume": "1.0", "close_time": (bar + 1) * MINUTE - 1, "quote_asset_volume": "1.0", "number_of_trades": 1,
        "taker_buy_base_asset_volume": "1.0", "taker_buy_quote_asset_volume": "1.0",
    });
    serde_json::from_value(row).unwrap()
}

/// Commands of different times, each for one of two graphs with a threshold of its own; some cannot be done.
fn commands() -> impl Strategy<Value = Vec<Event>> {
    vec((any::<bool>(), 0..4_u8, 0..5_u8), 1..6).prop_map(|drawn| {
        let numbered = (0..).zip(drawn);
        let command = |(time, (is_first, threshold, kind)): (i64, (bool, u8, u8))| {
            let symbols = if kind == 0 { vec!["A"] } else { vec!["A", "B", "C"] };
            let parameters = json!({
                "symbols": symbols, "interval": "1m", "from": 0, "to": BARS * MINUTE,
                "threshold": f64::from(threshold) / 4.0, "minimum_observations": 5,
                "collection_output": if is_first { "first" } else { "second" },
            });
            let event = json!({
                "specversion": "1.0", "id": format!("{QUEUE_ID}/start/{time}"), "source": "/streamforge/queue-manager",
                "type": "io.streamforge.control.start.v1", "partitionkey": QUEUE_ID, "queueid": QUEUE_ID,
                "datacontenttype": "application/json",
                "data": {
                    "command": "start", "queue_id": QUEUE_ID, "target": "graph-builder", "symbol": "A",
                    "type": "gnn_graph", "telemetry_id": "graph-builder__a1b2c3", "timestamp": time,
                    "task": format!("graph-{time}"), "attempt": 1, "parameters": parameters,
                },
            });
            serde_json::from_value(event).unwrap()
        };
        numbered.map(command).collect()
    })
}

/// What the commands leave in the store, and what they cause.
async fn left(events: &[Event]) -> (Vec<String>, BTreeMap<String, String>) {
    let folder = tempfile::tempdir().unwrap();
    let store = streamforge_store::open(&format!("sqlite://{}/store.db", folder.path().display())).await.unwrap();
    let closes: [fn(i64) -> i64; 3] =
        [|bar| 1000 + bar * 7919 % 83, |bar| 2000 + bar * 7919 % 79 + bar % 3, |bar| 3000 - bar * 6 % 31];
    for (symbol, close) in ["A", "B", "C"].into_iter().zip(closes) {
        let rows: Vec<_> = (0..BARS).map(|bar| Versioned { version: 1, value: kline(bar, close(bar)) }).collect();
        let series = SeriesId { symbol: symbol.parse().unwrap(), kind: SeriesKind::Klines("1m".parse().unwrap()) };
        store.upsert_klines(&series, &rows).await.unwrap();
    }
    let ingress = TestIngress::start().await;
    let objects = open_objects(&format!("file://{}/objects", folder.path().display())).await.unwrap();
    let builder = GraphBuilder::new(store.clone(), objects, Duration::ZERO);
    let builder = router(builder, ingress.context(GraphBuilder::NAME, NOW));
    let published = post_events(&builder, &ingress, events).await;
    let mut graphs = Vec::new();
    for name in ["first", "second"] {
        graphs.push(serde_json::to_string(&store.graph(Some(name)).await.unwrap()).unwrap());
    }
    (graphs, published)
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn again_or_in_any_order_equals_once(
        (history, shuffled) in commands().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        repeats in vec(any::<usize>(), 1..6),
    ) {
        let once = block_on(left(&history));
        prop_assert_eq!(&block_on(left(&with_repeats(&history, &repeats))), &once);
        prop_assert_eq!(&block_on(left(&with_repeats(&shuffled, &repeats))), &once);
    }
}
