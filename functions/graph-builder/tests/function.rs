//! The builder through the router, over the real store and a recording ingress.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{sync::Arc, time::Duration};

use graph_builder::GraphBuilder;
use serde_json::{Value, json};
use streamforge_events::{AttributesReader, Event, Kline, Millis, SeriesId, SeriesKind, data};
use streamforge_function::{
    Function,
    axum::{Router, http::StatusCode},
    router,
    test_util::{TestIngress, config, post_event},
};
use streamforge_store::{Store, Versioned, open_objects};
use tempfile::TempDir;

const NOW: Millis = 1_722_500_125_456;
const MINUTE: Millis = 60_000;
const BARS: i64 = 60;
const QUEUE_ID: &str = "wf-multi-gnn_graph-20240801-a1b2c3";

struct Stage {
    ingress: TestIngress,
    store: Arc<dyn Store>,
    builder: Router,
    _folder: TempDir,
}

impl Stage {
    /// Four symbols: B follows A, C moves against it, D has too few bars.
    async fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = streamforge_store::open(&format!("sqlite://{}/store.db", folder.path().display())).await.unwrap();
        for (symbol, bars, close) in [
            ("A", BARS, (|bar| 1000 + bar * 7919 % 83) as fn(i64) -> i64),
            ("B", BARS, |bar| 2000 + 2 * (bar * 7919 % 83) + bar % 3),
            ("C", BARS, |bar| 3000 - 3 * (bar * 7919 % 83)),
            ("D", 5, |bar| 100 + bar),
        ] {
            let rows: Vec<Versioned<Kline>> =
                (0..bars).map(|bar| Versioned { version: 1, value: kline(bar, close(bar)) }).collect();
            let series = SeriesId { symbol: symbol.parse().unwrap(), kind: SeriesKind::Klines("1m".parse().unwrap()) };
            store.upsert_klines(&series, &rows).await.unwrap();
        }
        let objects = open_objects(&format!("file://{}/objects", folder.path().display())).await.unwrap();
        let ingress = TestIngress::start().await;
        let builder = GraphBuilder::new(store.clone(), objects, Duration::ZERO);
        let builder = router(builder, ingress.context(GraphBuilder::NAME, NOW));
        Self { ingress, store, builder, _folder: folder }
    }

    async fn start(&self, parameters: &Value) -> u16 {
        post_event(&self.builder, &command("start", parameters)).await.status
    }

    fn reports(&self) -> Vec<Value> {
        self.ingress.events().iter().map(|event| data(event).unwrap()).collect()
    }
}

fn kline(bar: i64, close: i64) -> Kline {
    let row = json!({
        "open_time": bar * MINUTE, "open": "1.0", "high": "1.0", "low": "1.0", "close": format!("{close}.00"),
        "volume": "1.0", "close_time": (bar + 1) * MINUTE - 1, "quote_asset_volume": "1.0", "number_of_trades": 1,
        "taker_buy_base_asset_volume": "1.0", "taker_buy_quote_asset_volume": "1.0",
    });
    serde_json::from_value(row).unwrap()
}

fn command(kind: &str, parameters: &Value) -> Event {
    let event = json!({
        "specversion": "1.0", "id": format!("{QUEUE_ID}/{kind}/1"), "source": "/streamforge/queue-manager",
        "type": format!("io.streamforge.control.{kind}.v1"), "partitionkey": QUEUE_ID, "queueid": QUEUE_ID,
        "datacontenttype": "application/json",
        "data": {
            "command": kind, "queue_id": QUEUE_ID, "target": "graph-builder", "symbol": "A", "type": "gnn_graph",
            "telemetry_id": "graph-builder__a1b2c3", "timestamp": 1_722_500_000.123, "task": "graph-1", "attempt": 1,
            "parameters": parameters,
        },
    });
    serde_json::from_value(event).unwrap()
}

fn parameters() -> Value {
    json!({
        "symbols": ["D", "C", "B", "A"], "interval": "1m", "from": 0, "to": BARS * MINUTE,
        "collection_inputs": ["a_candles_1m"], "collection_output": "my_graph",
    })
}

#[tokio::test]
async fn a_graph_is_stored_and_its_strongest_edges_are_told() {
    let stage = Stage::set().await;
    assert_eq!(stage.start(&parameters()).await, 204);
    let graph = stage.store.graph(Some("my_graph")).await.unwrap().unwrap();
    assert_eq!(graph.version, 1_722_500_000_123);
    let nodes: Vec<(&str, u64)> = graph.nodes.iter().map(|node| (node.symbol.as_str(), node.observations)).collect();
    assert_eq!(nodes, [("A", 59), ("B", 59), ("C", 59), ("D", 4)]);
    let edges: Vec<(&str, &str, u64)> =
        graph.edges.iter().map(|edge| (edge.from.as_str(), edge.to.as_str(), edge.observations)).collect();
    assert_eq!(edges, [("A", "B", 59), ("A", "C", 59), ("B", "C", 59)]);
    assert!(graph.edges[0].correlation > 0.99 && graph.edges[1].correlation < -0.99);

    let reports = stage.reports();
    assert_eq!(reports.len(), 2);
    assert_eq!((&reports[0]["status"], &reports[1]["status"]), (&json!("started"), &json!("finished")));
    let extra = &reports[1]["extra"];
    assert_eq!((&extra["graph"], &extra["nodes"], &extra["edges"]), (&json!("my_graph"), &json!(4), &json!(3)));
    assert_eq!(extra["strongest"].as_array().unwrap().len(), 3);
    assert_eq!((&reports[1]["task"], &reports[1]["finished"]), (&json!("graph-1"), &json!(true)));
}

#[tokio::test]
async fn redelivered_command_yields_the_same_events_and_graph() {
    let stage = Stage::set().await;
    let mut seen = Vec::new();
    for _ in 0..2 {
        assert_eq!(stage.start(&parameters()).await, 204);
        let graph = serde_json::to_vec(&stage.store.graph(None).await.unwrap().unwrap()).unwrap();
        let last = stage.ingress.events().pop().unwrap();
        seen.push((last.id().to_owned(), data::<Value>(&last).unwrap(), graph));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(stage.store.graphs().await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_cannot_become_a_graph_ends_the_task_with_words() {
    for (change, words) in [
        (json!({"from": BARS * MINUTE, "to": 2 * BARS * MINUTE}), "a graph needs two symbols with 1m klines in"),
        (json!({"symbols": ["A", "NOSUCH"]}), "and only A has"),
        (json!({"symbols": ["A"]}), "at least two symbols"),
        (json!({"threshold": 7}), "threshold 7 does not lie between 0 and 1"),
        (json!({"interval": "2m"}), "interval `2m`"),
        (json!({"collection_output": ""}), "graph `` is not valid"),
    ] {
        let stage = Stage::set().await;
        let mut parameters = parameters();
        for (name, value) in change.as_object().unwrap() {
            parameters[name] = value.clone();
        }
        assert_eq!(stage.start(&parameters).await, 204);
        let last = stage.reports().pop().unwrap();
        assert_eq!((&last["status"], &last["finished"]), (&json!("error"), &json!(true)), "{change}");
        let said = last["error_message"].as_str().unwrap();
        assert!(said.contains(words), "{said}");
        assert!(stage.store.graphs().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_stopped_workflow_gets_no_graph() {
    let stage = Stage::set().await;
    assert_eq!(post_event(&stage.builder, &command("stop", &json!({}))).await.status, 204);
    assert_eq!(stage.start(&parameters()).await, 204);
    assert_eq!(stage.reports().pop().unwrap()["status"], json!("interrupted"));
    assert!(stage.store.graphs().await.unwrap().is_empty());
}

#[tokio::test]
async fn bad_events_are_refused() {
    let stage = Stage::set().await;
    let mut event = command("start", &json!({}));
    event.set_data("application/json", json!({"command": "start"}));
    assert_eq!(post_event(&stage.builder, &event).await.status, 400);
    let mut unknown = serde_json::to_value(&event).unwrap();
    unknown["type"] = json!("io.streamforge.trades.loaded.v1");
    let unknown: Event = serde_json::from_value(unknown).unwrap();
    assert_eq!(post_event(&stage.builder, &unknown).await.status, 422);
    assert_eq!(stage.start(&json!({ "padding": "x".repeat(2 << 20) })).await, 413);
    assert!(stage.reports().is_empty());
}

#[tokio::test]
async fn without_the_broker_the_command_comes_again() {
    let stage = Stage::set().await;
    stage.ingress.answer_with(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(stage.start(&parameters()).await, 503);
    stage.ingress.answer_with(StatusCode::ACCEPTED);
    assert_eq!(stage.start(&parameters()).await, 204);
    assert_eq!(stage.reports().len(), 2);
}

#[tokio::test]
async fn configuration_is_checked_before_anything_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/store.db", folder.path().display());
    let store = ("STREAMFORGE_STORE_URL", url.as_str());
    for (variables, words) in [
        (vec![], "`STREAMFORGE_STORE_URL` is not set"),
        (vec![("STREAMFORGE_STORE_URL", "sqlite://relative.db")], "`STREAMFORGE_STORE_URL` is not valid"),
        (vec![store], "`STREAMFORGE_OBJECTS_URL` is not set"),
        (vec![store, ("STREAMFORGE_OBJECTS_URL", "moon")], "`STREAMFORGE_OBJECTS_URL` is not valid"),
        (vec![store, ("STREAMFORGE_GRAPH_PATIENCE", "soon")], "`STREAMFORGE_GRAPH_PATIENCE` is not valid"),
    ] {
        let error = GraphBuilder::from_config(&config(&variables, GraphBuilder::SETTINGS)).await.err().unwrap();
        assert!(error.to_string().contains(words), "{error}");
    }
}
