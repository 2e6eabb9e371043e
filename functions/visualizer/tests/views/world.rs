//! What the tests live in: everything that is read, in a folder of their own, and requests through the router.

use std::sync::Arc;

use serde_json::Value;
use streamforge_bus::{Bus, Record, SqliteBus, TopicConfig};
use streamforge_events::{Decimal, Kline, SeriesId, SeriesKind, Topic, Trade};
use streamforge_function::{
    Publisher,
    api::guarded,
    axum::{
        Router,
        body::{Body, to_bytes},
        http::Request,
    },
    test_util::TestIngress,
};
use streamforge_store::{ObjectStore, Store, Versioned};
use tempfile::TempDir;
use tower::ServiceExt;
use visualizer::{Sources, Views, calls, pages};

pub(crate) const MINUTE: i64 = 60_000;

pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) objects: Arc<dyn ObjectStore>,
    pub(crate) ingress: TestIngress,
    pub(crate) router: Router,
    _folder: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// A world whose sources are changed before they are read.
    pub(crate) async fn with(change: impl FnOnce(&mut Sources)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = |kind: &str, name: &str| format!("{kind}://{}/{name}", folder.path().display());
        let store = streamforge_store::open(&url("sqlite", "store.db")).await.unwrap();
        let objects = streamforge_store::open_objects(&url("file", "objects")).await.unwrap();
        let bus: Arc<dyn Bus> = Arc::new(SqliteBus::open(&folder.path().join("bus.db")).unwrap());
        for topic in Topic::ALL.map(Topic::as_str).into_iter().chain(["dead-letters"]) {
            bus.create_topic(topic, &TopicConfig { partitions: 2, ..TopicConfig::default() }).await.unwrap();
        }
        let ingress = TestIngress::start().await;
        let mut sources = Sources {
            store: Arc::clone(&store),
            bus: Arc::clone(&bus),
            objects: Arc::clone(&objects),
            publisher: Publisher::new(&ingress.config()).unwrap(),
            replays: None,
            samples: None,
            logs: None,
            shutdown: Box::pin(std::future::pending()),
        };
        change(&mut sources);
        let router = guarded(calls(Views::new(sources)).merge(pages()));
        Self { store, bus, objects, ingress, router, _folder: folder }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> (u16, Value) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or_else(|_| String::from_utf8_lossy(&body).into()))
    }

    /// The code of an error; of what may have no end, the answer is not read if it is none.
    pub(crate) async fn code(&self, request: Request<Body>) -> String {
        let response = self.router.clone().oneshot(request).await.unwrap();
        if response.status().is_success() {
            return String::new();
        }
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let answer: Value = serde_json::from_slice(&body).unwrap();
        answer["code"].as_str().unwrap().to_owned()
    }

    /// Publishes an event as the ingress records it.
    pub(crate) async fn publish(&self, topic: &str, kind: &str, subject: &str, data: &str) {
        self.publish_with(topic, &[("ce_type", kind), ("ce_subject", subject)], data).await;
    }

    /// Publishes a record with these headers beside those that every event has.
    pub(crate) async fn publish_with(&self, topic: &str, headers: &[(&str, &str)], data: &str) {
        let usual = [
            ("ce_specversion", "1.0"),
            ("ce_id", "1"),
            ("ce_source", "/streamforge/test"),
            ("content-type", "application/json"),
        ];
        let usual = usual.into_iter().filter(|(name, _)| !headers.iter().any(|(own, _)| own == name));
        let headers = usual.chain(headers.iter().copied());
        let headers: Vec<_> = headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).collect();
        let key = headers.iter().find(|(name, _)| name == "ce_partitionkey").map(|(_, key)| key.clone());
        // Each record is a millisecond later than the one before, in whichever topic.
        let topics = self.bus.topics().await.unwrap();
        let published: u64 = topics.iter().flat_map(|topic| &topic.offsets).map(|held| held.end).sum();
        let timestamp = i64::try_from(published).unwrap();
        let record = Record { key, headers, value: data.as_bytes().to_vec(), timestamp };
        self.bus.publish(topic, record).await.unwrap();
    }

    /// Deletes all records of a topic, as its retention would.
    pub(crate) async fn drop_all(&self, topic: &str) {
        let config = TopicConfig { partitions: 2, retention_ms: Some(1), retention_bytes: None };
        self.bus.create_topic(topic, &config).await.unwrap();
        self.bus.enforce_retention(i64::from(u32::MAX)).await.unwrap();
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// Stores bars with these numbers from the epoch on.
    pub(crate) async fn klines(&self, symbol: &str, interval: &str, bars: impl IntoIterator<Item = i64>) {
        let kind = SeriesKind::Klines(interval.parse().unwrap());
        let series = SeriesId { symbol: symbol.parse().unwrap(), kind };
        let rows: Vec<_> = bars.into_iter().map(|bar| Versioned { version: 1, value: kline(bar * MINUTE) }).collect();
        self.store.upsert_klines(&series, &rows).await.unwrap();
    }

    /// Stores trades with these ids, each a millisecond after the one before.
    pub(crate) async fn trades(&self, symbol: &str, ids: impl IntoIterator<Item = i64>) {
        let series = SeriesId { symbol: symbol.parse().unwrap(), kind: SeriesKind::Trades };
        let trade = |id| Trade {
            trade_id: id,
            price: "1.50".parse().unwrap(),
            quantity: "0.10".parse().unwrap(),
            timestamp: 100 + id,
            is_buyer_maker: true,
        };
        let rows: Vec<_> = ids.into_iter().map(|id| Versioned { version: 1, value: trade(id) }).collect();
        self.store.upsert_trades(&series, &rows).await.unwrap();
    }
}

fn kline(open_time: i64) -> Kline {
    let price: Decimal = "1.50".parse().unwrap();
    Kline {
        open_time,
        open: price,
        high: price,
        low: price,
        close: price,
        volume: Decimal::ZERO,
        close_time: open_time + MINUTE - 1,
        quote_asset_volume: Decimal::ZERO,
        number_of_trades: 0,
        taker_buy_base_asset_volume: Decimal::ZERO,
        taker_buy_quote_asset_volume: Decimal::ZERO,
    }
}
