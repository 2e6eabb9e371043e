//! A live market of which the exchange swallows a piece: the prediction says so, and the coverage names the gap.

use std::{sync::Arc, time::Duration};

use arango_connector::Connector;
use loader_ws::{Assignment, Checkpoint, Kind, Listening};
use predictor::{
    Predictor, Runtime,
    test_util::{Size, network},
};
use serde_json::json;
use streamforge_dataset::{Card, Definition, Scores, Windows};
use streamforge_events::{Event, EventType, GapState, Interval, Prediction, TimeRange, event_type, extension};
use streamforge_exchange::{
    Client, ClientConfig,
    simulator::{Clock, SimulatorConfig, Source, serve},
};
use streamforge_function::{
    Function as _,
    axum::Router,
    router,
    test_util::{TestIngress, post_event},
};
use streamforge_store::{
    ModelFiles, ModelRegistry, PredictionQuery, Store, Versioned, completeness, open, open_objects,
};
use tokio::{
    net::TcpListener,
    sync::mpsc,
    time::{Instant, timeout},
};

/// 2024-06-01T12:07:30Z.
const NOW: i64 = 1_717_243_650_000;
const MINUTE: i64 = 60_000;
/// Every second frame is swallowed, so that some bar is never told of as closed.
const FAULTS: &str = "ws-drop:0.5,seed:3";
const SPEED: f64 = 20.0;
const PATIENCE: Duration = Duration::from_mins(3);
const QUEUE: &str = "wf-btcusdt-realtime_gnn_infer-20240601-a1b2c3";

/// A model that looks at the last three bars.
fn model() -> ModelFiles {
    let features = ["return_1", "day_sin_1"].map(|name| name.parse().unwrap()).to_vec();
    let interval = Interval::M1;
    let definition = Definition { interval, windows: Windows::of(interval), horizon: 4, band: 0.5, features };
    let scale = json!({"mean": 0.0, "deviation": 1.0});
    let card = json!({
        "name": "gnn", "version": "1", "created": 1, "code_version": "0.1.0", "graph": null, "interval": "1m",
        "range": {"from": NOW - MINUTE, "to": NOW}, "symbols": ["BTCUSDT"], "definition": definition, "lags": [0, 1],
        "normalisation": {"columns": [scale, scale]}, "target_normalisation": scale, "folds": [],
        "training": {"seed": 1, "epochs": 1, "batch": 1, "learning_rate": 0.1, "hidden": 1, "sequence": 1},
        "scores": Scores::default(), "verdicts": [], "inputs": [], "outputs": [],
    });
    let card: Card = serde_json::from_value(card).unwrap();
    let onnx = network(Size { lags: 2, symbols: 1, features: 2 }, -6.0);
    ModelFiles { onnx, weights: b"weights".to_vec(), card: serde_json::to_vec(&card).unwrap() }
}

fn subscribe() -> Event {
    let parameters = json!({"model": "gnn", "symbols": ["BTCUSDT"], "interval": "1m"});
    let event = json!({
        "specversion": "1.0", "id": "subscribe", "source": "/streamforge/queue-manager",
        "type": "io.streamforge.control.start.v1", "partitionkey": QUEUE, "queueid": QUEUE, "target": "predictor",
        "datacontenttype": "application/json",
        "data": {
            "command": "start", "queue_id": QUEUE, "target": "predictor", "type": "realtime_gnn_infer",
            "telemetry_id": "predictor__a1b2c3", "timestamp": 1.0, "task": "infer-1", "attempt": 1,
            "parameters": parameters,
        },
    });
    serde_json::from_value(event).unwrap()
}

/// Hands an event to those who read it, as the Triggers would.
async fn deliver(event: &Event, connector: &Router, predictor: &Router) {
    assert_eq!(post_event(connector, event).await.status, 204, "{event}");
    let is_fresh = extension(event, "fresh").is_some();
    if event_type(event) == Ok(EventType::KlinesLoaded) && is_fresh {
        assert_eq!(post_event(predictor, event).await.status, 204, "{event}");
    }
}

async fn predictions(store: &dyn Store) -> Vec<Prediction> {
    store.read_predictions(&PredictionQuery::default(), None, 1_000).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_swallowed_piece_is_in_the_health_of_the_prediction_and_in_the_coverage() {
    let mut config = SimulatorConfig::new(Source::parse("synthetic:42,symbols=40,pace=5").unwrap());
    config.clock = Clock::StartingAt(NOW, SPEED);
    config.weight_limit = None;
    config.faults = FAULTS.parse().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, config, std::future::pending()));
    let client = Client::new(ClientConfig {
        backoff: Duration::from_millis(10),
        clock_trust: Duration::ZERO,
        ..ClientConfig::new(format!("http://{place}"))
    })
    .unwrap();

    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| format!("{}/{name}", folder.path().display());
    let store = open(&format!("sqlite://{}", at("store.db"))).await.unwrap();
    let objects = open_objects(&format!("file://{}", at("objects"))).await.unwrap();
    ModelRegistry::new(Arc::clone(&objects)).publish(&model()).await.unwrap();
    let ingress = TestIngress::start().await;
    let connector = router(Connector::new(Arc::clone(&store)), ingress.context(Connector::NAME, NOW));
    let library = std::env::var("ORT_DYLIB_PATH").expect("ORT_DYLIB_PATH names libonnxruntime.so");
    let serving = Predictor::new(Arc::clone(&store), objects, Runtime::new(Some(&library)), Duration::ZERO);
    let predictor = router(serving, ingress.context(Predictor::NAME, NOW));
    assert_eq!(post_event(&predictor, &subscribe()).await.status, 204);

    // What a loader of history has brought.
    let symbol: streamforge_events::Symbol = "BTCUSDT".parse().unwrap();
    let series = streamforge_events::SeriesId {
        symbol: symbol.clone(),
        kind: streamforge_events::SeriesKind::Klines(Interval::M1),
    };
    let history = TimeRange::new(Interval::M1.align_down(NOW) - 30 * MINUTE, Interval::M1.align_down(NOW)).unwrap();
    let rows = client.klines_window(&symbol, Interval::M1, history).await.unwrap().rows;
    let rows: Vec<_> = rows.into_iter().map(|value| Versioned { version: 1, value }).collect();
    store.upsert_klines(&series, &rows).await.unwrap();

    let assignment = Assignment { symbols: vec![symbol.clone()], kinds: vec![Kind::Klines(Interval::M1)] };
    let listening = Listening::new(client, &format!("ws://{place}"), assignment, Checkpoint::default());
    let (sender, mut parcels) = mpsc::channel(4);
    let task = tokio::spawn(listening.run(sender));
    let begun = Instant::now();
    let told = loop {
        assert!(begun.elapsed() < PATIENCE, "{:#?}", predictions(&*store).await);
        let parcel = timeout(PATIENCE, parcels.recv()).await.unwrap().unwrap();
        for event in &parcel.events {
            deliver(event, &connector, &predictor).await;
        }
        let found = predictions(&*store).await;
        if let Some(found) = found.into_iter().find(|one| one.health.is_some_and(|health| health.filled > 0)) {
            break found;
        }
    };
    task.abort();

    let health = told.health.unwrap();
    assert_eq!((health.needed, health.present, health.lacking), (3, 3, 0), "{health:?}");
    let found = completeness(&*store, &symbol, Some(Interval::M1), None, told.open_time).await.unwrap();
    let window = told.open_time - 2 * MINUTE..=told.open_time;
    let gaps = &found[0].declared;
    let is_named = gaps.iter().any(|gap| {
        gap.state == GapState::Filled && window.contains(&i64::try_from(gap.from).unwrap()) && gap.why == "asked for"
    });
    assert!(is_named, "{told:?}: {gaps:#?}");
    // Where this machine is slow, bars close between the history and the first frame.
    let is_whole = found[0].missing.iter().all(|gap| gap.from == history.to());
    assert!(found[0].health.filled > 0 && is_whole, "{:?}", found[0]);
}
