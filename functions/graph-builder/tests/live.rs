//! `realtime_graph` through the router: each new bar, restarts, what comes late, the end.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use fastrand::Rng;
use graph_builder::{Closes, GraphBuilder, LiveParameters, Parameters, build_graph};
use serde_json::{Value, json};
use streamforge_events::{
    ControlCommand, Event, EventType, Interval, Kline, KlineBatch, Millis, SeriesId, SeriesKind, data, event_type,
};
use streamforge_function::{
    Context, Function,
    axum::Router,
    router,
    test_util::{Answer, TestIngress, post_event},
};
use streamforge_store::{GraphDocument, ObjectStore, Store, Versioned, open_objects};
use tempfile::TempDir;

const MINUTE: Millis = 60_000;
/// 2024-06-01T00:00:00Z.
const START: Millis = 1_717_200_000_000;
const SYMBOLS: [&str; 4] = ["AAA", "BBB", "CCC", "DDD"];
const QUEUE_ID: &str = "wf-multi-realtime_graph-20240601-a1b2c3";
const PATIENCE: Duration = Duration::from_secs(30);

struct Stage {
    ingress: TestIngress,
    store: Arc<dyn Store>,
    objects: Arc<dyn ObjectStore>,
    builder: Router,
    patience: Duration,
    clock: Arc<AtomicI64>,
    random: Rng,
    closes: [f64; 4],
    _folder: TempDir,
}

impl Stage {
    /// A stage on which a workflow wants the graph of each new bar; nothing is stored.
    async fn subscribed(patience: Duration, change: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = streamforge_store::open(&format!("sqlite://{}/store.db", folder.path().display())).await.unwrap();
        let objects = open_objects(&format!("file://{}/objects", folder.path().display())).await.unwrap();
        let ingress = TestIngress::start().await;
        let clock = Arc::new(AtomicI64::new(START));
        let builder = started(&store, &objects, patience, &ingress, &clock);
        let (random, closes) = (Rng::with_seed(5), [100.0, 200.0, 300.0, 400.0]);
        let stage = Self { ingress, store, objects, builder, patience, clock, random, closes, _folder: folder };
        assert_eq!(stage.post(&start(change)).await.status, 204);
        stage
    }

    /// Another process of the same function.
    fn restart(&mut self) {
        self.builder = started(&self.store, &self.objects, self.patience, &self.ingress, &self.clock);
    }

    async fn post(&self, event: &Event) -> Answer {
        post_event(&self.builder, event).await
    }

    /// Stores a bar of some symbols that follow one market more or less.
    async fn bar(&mut self, bar: i64, symbols: &[usize]) {
        let step = self.random.f64() - 0.5;
        for (symbol, close) in self.closes.iter_mut().enumerate() {
            let own = self.random.f64() - 0.5;
            *close *= (0.01 * (step * f64::from(u8::try_from(symbol).unwrap()) / 3.0 + own)).exp();
        }
        for &symbol in symbols {
            let rows = [Versioned { version: 1, value: kline(bar, self.closes[symbol]) }];
            self.store.upsert_klines(&series(symbol), &rows).await.unwrap();
        }
    }

    /// Stores a bar of all symbols and tells of it.
    async fn close(&mut self, bar: i64) {
        self.bar(bar, &[0, 1, 2, 3]).await;
        for symbol in 0..SYMBOLS.len() {
            let answer = self.post(&new_bar(symbol, bar)).await;
            assert_eq!(answer.status, 204, "{answer:?}");
        }
    }

    fn reports(&self) -> Vec<Value> {
        let reports =
            self.ingress.events().into_iter().filter(|event| event_type(event) == Ok(EventType::QueueReported));
        reports.map(|event| data(&event).unwrap()).collect()
    }

    fn statuses(&self) -> Vec<String> {
        self.reports().iter().map(|report| report["status"].as_str().unwrap().to_owned()).collect()
    }

    async fn graph(&self) -> GraphDocument {
        self.store.graph(Some("live")).await.unwrap().unwrap()
    }

    /// The graph of the same window, built at once.
    async fn expected(&self, bar: i64, change: &Value) -> GraphDocument {
        let command: ControlCommand = data(&start(change)).unwrap();
        let LiveParameters { symbols, interval, rule, collection_output, .. } =
            LiveParameters::parse(&command).unwrap();
        let range = LiveParameters::parse(&command).unwrap().range(START + bar * MINUTE).unwrap();
        let mut closes = Vec::new();
        for (number, symbol) in symbols.iter().enumerate() {
            let read = self.store.read_closes(&series(number), range).await.unwrap();
            closes.push(Closes { symbol: symbol.clone(), open_times: read.open_time, closes: read.close });
        }
        let parameters = Parameters { symbols, interval, range, rule, collection_output };
        build_graph(&parameters, &closes, u64::try_from(START + (bar + 1) * MINUTE).unwrap()).unwrap()
    }
}

fn started(
    store: &Arc<dyn Store>,
    objects: &Arc<dyn ObjectStore>,
    patience: Duration,
    ingress: &TestIngress,
    clock: &Arc<AtomicI64>,
) -> Router {
    let clock = Arc::clone(clock);
    let now = move || clock.load(Ordering::Relaxed);
    let context = Context::with_clock(GraphBuilder::NAME, ingress.config(), now).unwrap();
    router(GraphBuilder::new(Arc::clone(store), Arc::clone(objects), patience), context)
}

fn series(symbol: usize) -> SeriesId {
    SeriesId { symbol: SYMBOLS[symbol].parse().unwrap(), kind: SeriesKind::Klines(Interval::M1) }
}

fn kline(bar: i64, close: f64) -> Kline {
    let open_time = START + bar * MINUTE;
    let row = json!({
        "open_time": open_time, "open": "1.0", "high": "1.0", "low": "1.0", "close": format!("{close:.6}"),
        "volume": "1.0", "close_time": open_time + MINUTE - 1, "quote_asset_volume": "1.0", "number_of_trades": 1,
        "taker_buy_base_asset_volume": "1.0", "taker_buy_quote_asset_volume": "1.0",
    });
    serde_json::from_value(row).unwrap()
}

fn start(change: &Value) -> Event {
    let mut parameters = json!({
        "symbols": SYMBOLS, "interval": "1m", "window": 40, "threshold": 0.3, "k": 1, "minimum_observations": 5,
        "collection_output": "live",
    });
    for (name, value) in change.as_object().unwrap() {
        parameters[name] = value.clone();
    }
    control("start", &parameters)
}

fn control(command: &str, parameters: &Value) -> Event {
    let event = json!({
        "specversion": "1.0", "id": format!("{QUEUE_ID}/{command}"), "source": "/streamforge/queue-manager",
        "type": format!("io.streamforge.control.{command}.v1"), "partitionkey": QUEUE_ID, "queueid": QUEUE_ID,
        "target": "graph-builder", "datacontenttype": "application/json",
        "data": {
            "command": command, "queue_id": QUEUE_ID, "target": "graph-builder", "type": "realtime_graph",
            "telemetry_id": "graph-builder__a1b2c3", "timestamp": 1_717_300_000.0, "task": "graph-1", "attempt": 1,
            "parameters": parameters,
        },
    });
    serde_json::from_value(event).unwrap()
}

/// What a loader tells about a bar that has just closed.
fn new_bar(symbol: usize, bar: i64) -> Event {
    let batch = KlineBatch {
        symbol: SYMBOLS[symbol].parse().unwrap(),
        interval: Interval::M1,
        batch: 0,
        read_at: START + (bar + 1) * MINUTE,
        rows: vec![kline(bar, 1.0)],
        clocks: Vec::new(),
    };
    let event = json!({
        "specversion": "1.0", "id": format!("live/{symbol}/{bar}"), "source": "/streamforge/loader-ws",
        "type": "io.streamforge.klines.loaded.v1", "subject": SYMBOLS[symbol], "partitionkey": SYMBOLS[symbol],
        "fresh": "true", "datacontenttype": "application/json", "data": batch,
    });
    serde_json::from_value(event).unwrap()
}

fn assert_equal(found: &GraphDocument, expected: &GraphDocument) {
    assert_eq!((&found.id, found.version, found.range), (&expected.id, expected.version, expected.range));
    assert_eq!(found.nodes, expected.nodes);
    let ends = |graph: &GraphDocument| -> Vec<(String, String, u64)> {
        graph.edges.iter().map(|edge| (edge.from.to_string(), edge.to.to_string(), edge.observations)).collect()
    };
    assert_eq!(ends(found), ends(expected));
    for (found, expected) in found.edges.iter().zip(&expected.edges) {
        assert!((found.correlation - expected.correlation).abs() <= 1e-9, "{found:?} {expected:?}");
    }
}

#[tokio::test]
async fn the_graph_of_each_bar_is_the_one_that_is_built_at_once() {
    let mut stage = Stage::subscribed(Duration::ZERO, &json!({})).await;
    let (mut served, mut edges) = (0, 0);
    for bar in 0..300 {
        // A bar that a symbol lacks, one that all lack, and a new process now and then.
        let lacking = stage.random.usize(0..12);
        if stage.random.u8(..40) == 0 {
            stage.restart();
        }
        if bar > 2 && stage.random.u8(..50) == 0 {
            continue;
        }
        let there: Vec<usize> = (0..SYMBOLS.len()).filter(|symbol| *symbol != lacking).collect();
        stage.bar(bar, &there).await;
        for &symbol in &there {
            assert_eq!(stage.post(&new_bar(symbol, bar)).await.status, 204);
        }
        served += 1;
        if bar > 2 {
            let graph = stage.graph().await;
            assert_equal(&graph, &stage.expected(bar, &json!({})).await);
            edges += graph.edges.len();
        }
    }
    assert!(served > 250 && edges > 250, "{served} bars with {edges} edges");
    assert_eq!(stage.statuses().iter().filter(|status| *status == "loading").count(), served);
}

#[tokio::test]
async fn each_bar_is_told_once_and_nothing_is_told_of_others() {
    let mut stage = Stage::subscribed(PATIENCE, &json!({})).await;
    stage.close(0).await;
    let first = stage.reports().pop().unwrap();
    assert_eq!(first["extra"], json!({"graph": null, "open_time": START}));
    for bar in 1..10 {
        stage.close(bar).await;
    }
    assert_eq!(stage.statuses().len(), 11);
    let last = stage.reports().pop().unwrap();
    let graph = stage.graph().await;
    let bar = START + 9 * MINUTE;
    assert_eq!(last["extra"], json!({"graph": "live", "nodes": 4, "edges": graph.edges.len(), "open_time": bar}));
    assert_eq!((&last["task"], &last["finished"]), (&json!("graph-1"), &json!(false)));
    assert_eq!((graph.version, graph.parameters["window"].as_u64()), (u64::try_from(bar + MINUTE).unwrap(), Some(40)));
    // Another interval, another symbol, bars outside of all time, no rows, and a bar that comes again.
    let mut other = serde_json::to_value(new_bar(0, 10)).unwrap();
    other["data"]["interval"] = json!("5m");
    assert_eq!(stage.post(&serde_json::from_value(other.clone()).unwrap()).await.status, 204);
    (other["data"]["interval"], other["data"]["symbol"]) = (json!("1m"), json!("EEE"));
    assert_eq!(stage.post(&serde_json::from_value(other.clone()).unwrap()).await.status, 204);
    other["data"]["symbol"] = json!("AAA");
    for open_time in [i64::MIN, -1, i64::MAX] {
        other["data"]["rows"][0][0] = json!(open_time);
        assert_eq!(stage.post(&serde_json::from_value(other.clone()).unwrap()).await.status, 204);
    }
    other["data"]["rows"] = json!([]);
    assert_eq!(stage.post(&serde_json::from_value(other).unwrap()).await.status, 204);
    assert_eq!(stage.post(&new_bar(0, 3)).await.status, 204);
    assert_eq!(stage.post(&new_bar(2, 9)).await.status, 204);
    assert_eq!((stage.statuses().len(), stage.graph().await), (11, graph));
}

#[tokio::test]
async fn a_symbol_that_stays_away_is_waited_for_and_then_left_out() {
    let mut stage = Stage::subscribed(PATIENCE, &json!({})).await;
    for bar in 0..20 {
        stage.close(bar).await;
    }
    stage.bar(20, &[0, 1, 2]).await;
    let answer = stage.post(&new_bar(0, 20)).await;
    assert_eq!((answer.status, answer.body.contains("not stored yet for DDD")), (503, true), "{answer:?}");
    stage.clock.fetch_add(29_999, Ordering::Relaxed);
    assert_eq!(stage.post(&new_bar(0, 20)).await.status, 503);
    stage.clock.fetch_add(1, Ordering::Relaxed);
    assert_eq!(stage.post(&new_bar(0, 20)).await.status, 204);
    let observations = |graph: &GraphDocument| graph.nodes.iter().map(|node| node.observations).collect::<Vec<_>>();
    let graph = stage.graph().await;
    assert_eq!(observations(&graph), [20, 20, 20, 19]);
    // What comes late changes nothing, and gives the next bar no return either.
    let late = [Versioned { version: 1, value: kline(20, stage.closes[3]) }];
    stage.store.upsert_klines(&series(3), &late).await.unwrap();
    assert_eq!(stage.post(&new_bar(3, 20)).await.status, 204);
    assert_eq!(stage.graph().await, graph);
    stage.close(21).await;
    assert_eq!(observations(&stage.graph().await), [21, 21, 21, 19]);
    // A new process reads what is stored.
    stage.restart();
    stage.close(22).await;
    assert_eq!(observations(&stage.graph().await), [22; 4]);
    assert_equal(&stage.graph().await, &stage.expected(22, &json!({})).await);
}

#[tokio::test]
async fn a_bar_that_could_not_be_told_is_built_again() {
    let mut stage = Stage::subscribed(PATIENCE, &json!({})).await;
    for bar in 0..10 {
        stage.close(bar).await;
    }
    stage.bar(10, &[0, 1, 2, 3]).await;
    stage.ingress.answer_with(streamforge_function::axum::http::StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(stage.post(&new_bar(0, 10)).await.status, 503);
    stage.ingress.answer_with(streamforge_function::axum::http::StatusCode::ACCEPTED);
    assert_eq!(stage.post(&new_bar(0, 10)).await.status, 204);
    assert_equal(&stage.graph().await, &stage.expected(10, &json!({})).await);
    stage.close(11).await;
    assert_equal(&stage.graph().await, &stage.expected(11, &json!({})).await);
}

#[tokio::test]
async fn a_stop_ends_the_graph_for_good() {
    let mut stage = Stage::subscribed(PATIENCE, &json!({})).await;
    for bar in 0..3 {
        stage.close(bar).await;
    }
    assert_eq!(stage.post(&control("stop", &json!({}))).await.status, 204);
    assert_eq!(stage.statuses(), ["started", "loading", "loading", "loading", "interrupted"]);
    let graph = stage.graph().await;
    stage.restart();
    stage.close(3).await;
    assert_eq!(stage.post(&start(&json!({}))).await.status, 204);
    stage.close(4).await;
    assert_eq!(
        (stage.graph().await, &stage.statuses()[5..]),
        (graph, &["started", "interrupted"].map(String::from)[..])
    );
    assert!(stage.objects.list("subscriptions/graph-builder/live/").await.unwrap().is_empty());
}

#[tokio::test]
async fn what_cannot_become_a_live_graph_is_refused() {
    for (change, words) in [
        (json!({"window": 1}), "window must be"),
        (json!({"symbols": ["AAA"]}), "two symbols"),
        (json!({"interval": "2m"}), "interval `2m`"),
    ] {
        let stage = Stage::subscribed(PATIENCE, &change).await;
        let last = stage.reports().pop().unwrap();
        assert_eq!((&last["status"], &last["finished"]), (&json!("error"), &json!(true)));
        assert!(last["error_message"].as_str().unwrap().contains(words), "{last}");
        assert!(stage.objects.list("subscriptions/").await.unwrap().is_empty());
    }
    // What only the store refuses ends it at the first graph.
    let mut stage = Stage::subscribed(PATIENCE, &json!({"collection_output": ""})).await;
    stage.close(0).await;
    stage.close(1).await;
    let last = stage.reports().pop().unwrap();
    assert_eq!((&last["status"], &last["finished"]), (&json!("error"), &json!(true)), "{last}");
    stage.close(2).await;
    assert_eq!(stage.statuses(), ["started", "loading", "error"]);
}
