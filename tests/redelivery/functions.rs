//! The real functions over one real store in this process, with clocks that stand still.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use arango_connector::Connector;
use graph_builder::GraphBuilder;
use loader_api_candles::CandleLoader;
use loader_api_trades::TradeLoader;
use queue_manager::{Engine, QueueManager};
use serde_json::{Value, json};
use streamforge_events::{
    AttributesReader, Envelope, Event, EventType, Millis, SeriesKind, TimeRange, event_type, extension,
};
use streamforge_exchange::{
    Client, ClientConfig,
    simulator::{self, Clock, SimulatorConfig, Source},
};
use streamforge_function::{
    Function, Publisher,
    axum::Router,
    router,
    test_util::{TestIngress, post_event},
};
use streamforge_store::Store;
use tempfile::TempDir;
use tokio::net::TcpListener;

/// 2026-06-01T00:00:30Z.
pub(crate) const NOW: Millis = 1_780_272_030_000;

const SYMBOLS: [&str; 2] = ["BTCUSDT", "ETHUSDT"];
const DAYS: &str = "2026-03-01T00:00:00Z/2026-03-01T18:00:00Z";

pub(crate) struct Functions {
    ingress: TestIngress,
    store: Arc<dyn Store>,
    routers: BTreeMap<&'static str, Router>,
    _folder: TempDir,
}

/// What is left in the store, byte for byte.
#[derive(Debug, PartialEq)]
pub(crate) struct Left {
    pub(crate) document: Value,
    pub(crate) rows: Vec<String>,
    graph: String,
    loaded: Vec<String>,
}

impl Functions {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/store.db", folder.path().display());
        let store = streamforge_store::open(&url).await.unwrap();
        let objects = format!("file://{}/objects", folder.path().display());
        let objects = streamforge_store::open_objects(&objects).await.unwrap();
        let ingress = TestIngress::start().await;
        let client = exchange("").await;
        let publisher = Publisher::new(&ingress.config()).unwrap();
        let engine = Engine::new(Arc::clone(&store), publisher, Arc::new(|| NOW));
        let routers = BTreeMap::from([
            hosted(QueueManager::new(engine), &ingress),
            hosted(CandleLoader::new(client.clone()), &ingress),
            hosted(TradeLoader::new(client), &ingress),
            hosted(Connector::new(Arc::clone(&store)), &ingress),
            hosted(GraphBuilder::new(Arc::clone(&store), objects, Duration::ZERO), &ingress),
        ]);
        Self { ingress, store, routers, _folder: folder }
    }

    /// Delivers an event to its function, which must take it; answers what was published meanwhile.
    pub(crate) async fn deliver(&self, event: &Event) -> Vec<Event> {
        let function = match event_type(event).unwrap() {
            EventType::ControlStart | EventType::ControlStop => extension(event, "target").unwrap(),
            EventType::KlinesLoaded | EventType::TradesLoaded => Connector::NAME.to_owned(),
            EventType::WorkflowFinished | EventType::ModelTrained | EventType::PredictionMade => return Vec::new(),
            _ => QueueManager::NAME.to_owned(),
        };
        let answer = post_event(&self.routers[function.as_str()], event).await;
        assert_eq!(answer.status, 204, "{} to {function}: {}", event.id(), answer.body);
        self.ingress.take()
    }

    pub(crate) async fn left(&self, queue_id: &str) -> Left {
        let document = self.store.get(&queue_id.parse().unwrap()).await.unwrap().unwrap().document.json;
        let (mut rows, mut loaded) = (Vec::new(), Vec::new());
        let always = TimeRange::new(0, NOW).unwrap();
        for series in self.store.series().await.unwrap() {
            loaded.push(format!("{series:?} {:?}", self.store.loaded(&series).await.unwrap()));
            let text = match series.kind {
                SeriesKind::Klines(_) => {
                    serde_json::to_string(&self.store.read_klines(&series, always, None, 1_000_000).await.unwrap())
                }
                SeriesKind::Trades => {
                    serde_json::to_string(&self.store.read_trades(&series, always, None, 1_000_000).await.unwrap())
                }
            };
            rows.push(text.unwrap());
        }
        let graph = self.store.graph(None).await.unwrap().unwrap();
        Left { document, rows, graph: serde_json::to_string(&graph).unwrap(), loaded }
    }
}

/// Klines, trades and a graph of two symbols.
pub(crate) fn requested() -> Event {
    let kind = "api_candles_1m";
    let body = json!({
        "symbols": SYMBOLS, "time_range": DAYS,
        "requests": [
            {"target": "loader-producer", "type": kind},
            {"target": "loader-producer", "type": "api_trades"},
            {"target": "graph-builder", "type": "gnn_graph"},
        ],
    });
    let envelope = Envelope {
        id: "the-request".to_owned(),
        source: "/test".to_owned(),
        kind: EventType::WorkflowRequested,
        subject: "the-request".to_owned(),
        time: NOW,
        extensions: vec![("partitionkey".to_owned(), "the-request".to_owned())],
    };
    envelope.build(&body).unwrap()
}

fn hosted<F: Function>(function: F, ingress: &TestIngress) -> (&'static str, Router) {
    (F::NAME, router(function, ingress.context(F::NAME, NOW)))
}

/// Serves a market whose clock stands still and that fails in these ways, for as long as the test's runtime lives.
pub(crate) async fn exchange(faults: &str) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let config = SimulatorConfig {
        clock: Clock::Frozen(NOW),
        weight_limit: None,
        faults: faults.parse().unwrap(),
        ..SimulatorConfig::new(Source::synthetic(42))
    };
    tokio::spawn(simulator::serve(listener, config, std::future::pending()));
    let mut config = ClientConfig::new(&url);
    config.backoff = Duration::from_millis(1);
    Client::new(config).unwrap()
}
