//! Stores with some of everything, and all that is in them as text.

use std::{num::NonZeroU32, path::Path, sync::Arc};

use serde_json::json;
use streamforge_backup::{BackupName, Created, Error, Holdings, Limits, Order, Place, Restored, create, restore};
use streamforge_events::{
    Decimal, Interval, Kline, Millis, ModelVersion, Prediction, SeriesId, SeriesKind, Split, TimeRange, Trade,
    parse_instant,
};
use streamforge_store::{
    Edge, FolderObjects, GraphDocument, ModelFiles, ModelRegistry, Node, PredictionQuery, Store, Versioned,
    WorkflowDocument, WorkflowQuery, arangodb_double::Double, open,
};
use tempfile::TempDir;

pub(crate) const HOUR: Millis = 3_600_000;
pub(crate) const DAY: Millis = 24 * HOUR;

/// A store, its models, and a folder for backups.
pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) models: ModelRegistry,
    pub(crate) folder: TempDir,
    _double: Option<Double>,
}

impl World {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&format!("sqlite://{}/store.db", folder.path().display())).await.unwrap();
        Self { store, models: registry(folder.path()).await, folder, _double: None }
    }

    /// A store in the double of a database server.
    pub(crate) async fn database() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let double = Double::start().await;
        let store = open(&double.url(None, "streamforge")).await.unwrap();
        Self { store, models: registry(folder.path()).await, folder, _double: Some(double) }
    }

    pub(crate) async fn place(&self) -> Place {
        Place::new(Arc::new(FolderObjects::open(&self.folder.path().join("backups")).await.unwrap()))
    }

    pub(crate) fn holdings(&self) -> Holdings<'_> {
        Holdings { store: self.store.as_ref(), models: Some(&self.models) }
    }

    /// Makes a backup of all in a place.
    pub(crate) async fn back_up(&self, place: &Place, name: &str) -> Result<Created, Error> {
        create(&self.holdings(), place, order(name, Limits::default())).await
    }

    /// Restores a backup from a place.
    pub(crate) async fn take_over(&self, place: &Place, name: &str) -> Result<Restored, Error> {
        let manifest = place.manifest(&name.parse().unwrap()).await?;
        restore(place, &manifest, &self.holdings(), |status| status != "loading").await
    }

    /// Fills the store with some of everything.
    pub(crate) async fn fill(&self) {
        let store = self.store.as_ref();
        store.upsert_klines(&hourly("BTCUSDT"), &bars(at("2024-01-30"), 32 * 24, HOUR)).await.unwrap();
        store.upsert_klines(&hourly("币安人生USDT"), &bars(at("2024-02-27"), 100, HOUR)).await.unwrap();
        store.upsert_klines(&daily("BTCUSDT"), &bars(at("2022-12-30"), 800, DAY)).await.unwrap();
        let trades: Vec<_> = (0..500).map(|id| trade(id, at("2024-01-31") + id / 3 * 600_000)).collect();
        store.upsert_trades(&trades_of("ETHUSDT"), &trades).await.unwrap();
        store.mark_loaded(&hourly("BTCUSDT"), range("2024-01-30", "2024-02-15")).await.unwrap();
        store.mark_loaded(&hourly("BTCUSDT"), range("2024-02-20", "2024-03-02")).await.unwrap();
        store.mark_loaded(&trades_of("SOLUSDT"), range("2024-02-20", "2024-03-02")).await.unwrap();
        let mut predictions = Vec::new();
        for (model, split) in [("gnn", Split::Test), ("gnn", Split::Live), ("gnn_ü", Split::Live)] {
            for symbol in ["BTCUSDT", "币安人生USDT"] {
                predictions.extend((0..40).map(|bar| prediction(model, split, symbol, at("2024-02-28") + bar * HOUR)));
            }
        }
        store.upsert_predictions(&predictions).await.unwrap();
        for number in 1..=2 {
            store.put_graph(&graph(number)).await.unwrap();
        }
        for (number, status) in [(1, "finished"), (2, "error"), (3, "loading"), (4, "stopped")] {
            store.create(&workflow(number, status)).await.unwrap();
        }
        for version in 1..=3 {
            self.models.publish(&files(version, "")).await.unwrap();
        }
        self.models.promote(&"gnn".parse().unwrap(), &version(2)).await.unwrap();
    }

    /// All that a backup is to bring back, as text; without workflows that are under way.
    pub(crate) async fn told(&self) -> Vec<String> {
        let store = self.store.as_ref();
        let mut told = Vec::new();
        for series in store.series().await.unwrap() {
            told.push(format!("{series} loaded {:?}", store.loaded(&series).await.unwrap()));
            let all = TimeRange::WIDEST;
            told.extend(match series.kind {
                SeriesKind::Klines(_) => lines(&store.read_versioned_klines(&series, all, None, 99_999).await.unwrap()),
                SeriesKind::Trades => lines(&store.read_versioned_trades(&series, all, None, 99_999).await.unwrap()),
            });
        }
        let every = PredictionQuery::default();
        told.extend(lines(&store.read_versioned_predictions(&every, None, 99_999).await.unwrap()));
        for summary in store.graphs().await.unwrap() {
            told.push(format!("{:?}", store.graph(Some(&summary.id)).await.unwrap()));
        }
        let all = WorkflowQuery { limit: 999, cursor: None, status: None };
        let ended = store.list(&all).await.unwrap().documents;
        let ended: Vec<_> = ended.into_iter().filter(|document| document.status != "loading").collect();
        told.extend(lines(&ended));
        for name in self.models.names().await.unwrap() {
            told.push(format!("{name} {:?}", self.models.latest(&name).await.unwrap()));
            for version in self.models.published(&name).await.unwrap() {
                told.push(format!("{:?}", self.models.load(&name, Some(&version)).await.unwrap()));
            }
        }
        told
    }
}

async fn registry(folder: &Path) -> ModelRegistry {
    ModelRegistry::new(Arc::new(FolderObjects::open(&folder.join("objects")).await.unwrap()))
}

fn lines<T: std::fmt::Debug>(rows: &[T]) -> Vec<String> {
    rows.iter().map(|row| format!("{row:?}")).collect()
}

/// Fails at the first line that differs, which says more than all lines of both.
pub(crate) fn assert_same(found: &[String], expected: &[String]) {
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len());
}

pub(crate) fn order(name: &str, limits: Limits) -> Order {
    let name: BackupName = name.parse().unwrap();
    Order { name, created: 1_722_470_400_000, limits }
}

pub(crate) fn at(day: &str) -> Millis {
    parse_instant(&format!("{day}T00:00:00Z")).unwrap()
}

pub(crate) fn range(from: &str, to: &str) -> TimeRange {
    TimeRange::new(at(from), at(to)).unwrap()
}

pub(crate) fn hourly(symbol: &str) -> SeriesId {
    SeriesId { symbol: symbol.parse().unwrap(), kind: SeriesKind::Klines(Interval::H1) }
}

pub(crate) fn daily(symbol: &str) -> SeriesId {
    SeriesId { symbol: symbol.parse().unwrap(), kind: SeriesKind::Klines(Interval::D1) }
}

pub(crate) fn trades_of(symbol: &str) -> SeriesId {
    SeriesId { symbol: symbol.parse().unwrap(), kind: SeriesKind::Trades }
}

/// Klines one after the other; the last one is still open.
pub(crate) fn bars(from: Millis, count: i64, length: Millis) -> Vec<Versioned<Kline>> {
    let bar = |number: i64| {
        let version = (u64::from(number + 1 < count) << 50) | (number.unsigned_abs() + 1_700_000_000_000);
        kline(from + number * length, length, version, &format!("0.{:08}", 2829 + number))
    };
    (0..count).map(bar).collect()
}

pub(crate) fn kline(open_time: Millis, length: Millis, version: u64, close: &str) -> Versioned<Kline> {
    let decimal = |text: &str| text.parse::<Decimal>().unwrap();
    let value = Kline {
        open_time,
        open: decimal("93738.19000000"),
        high: decimal("9999999999999999999999999.999"),
        low: decimal("0.0000000000000000000000000001"),
        close: decimal(close),
        volume: decimal("610009597781000000000000.00"),
        close_time: open_time + length - 1,
        quote_asset_volume: decimal("32067355081399.00000000"),
        number_of_trades: 456,
        taker_buy_base_asset_volume: decimal("60.120"),
        taker_buy_quote_asset_volume: decimal("0"),
    };
    Versioned { version, value }
}

pub(crate) fn trade(trade_id: i64, timestamp: Millis) -> Versioned<Trade> {
    let (price, quantity) = ("0.00002829".parse().unwrap(), "610009597781.00".parse().unwrap());
    let value = Trade { trade_id, price, quantity, timestamp, is_buyer_maker: trade_id % 2 == 0 };
    Versioned { version: 1 << 50 | trade_id.unsigned_abs(), value }
}

pub(crate) fn prediction(model: &str, split: Split, symbol: &str, open_time: Millis) -> Versioned<Prediction> {
    let value = Prediction {
        model: model.parse().unwrap(),
        version: version(2),
        symbol: symbol.parse().unwrap(),
        interval: Interval::H1,
        open_time,
        horizon: NonZeroU32::MIN,
        volatility: 0.1 + 0.2,
        probabilities: [1.0 / 3.0, 0.5, 1.0 / 6.0].into(),
        split,
        health: None,
    };
    Versioned { version: open_time.unsigned_abs(), value }
}

pub(crate) fn graph(number: u64) -> GraphDocument {
    let node = |name: &str| Node {
        symbol: name.parse().unwrap(),
        observations: 1439,
        mean_return: -1.25e-7,
        volatility: 0.1 + 0.2,
    };
    GraphDocument {
        id: format!("graph {number}"),
        version: number,
        interval: Interval::H1,
        range: range("2024-01-30", "2024-03-02"),
        parameters: json!({"threshold": 0.5}),
        nodes: ["SOLUSDT", "BTCUSDT", "币安人生USDT"].into_iter().map(node).collect(),
        edges: vec![Edge {
            from: "BTCUSDT".parse().unwrap(),
            to: "币安人生USDT".parse().unwrap(),
            correlation: -0.75,
            weight: 0.75,
            observations: 1400,
        }],
    }
}

pub(crate) fn workflow(number: i64, status: &str) -> WorkflowDocument {
    WorkflowDocument {
        id: format!("wf-btcusdt-api_trades-20240801-a1b2c{number}").parse().unwrap(),
        status: status.to_owned(),
        created_at: at("2024-02-28") + number * DAY,
        next_deadline: (number == 2).then_some(9),
        json: json!({"status": status, "number": number, "scores": 0.1, "text": "ä \u{1f600} \"quoted\"\n"}),
    }
}

pub(crate) fn version(number: u64) -> ModelVersion {
    number.to_string().parse().unwrap()
}

pub(crate) fn files(number: u64, content: &str) -> ModelFiles {
    let card = json!({"name": "gnn", "version": number.to_string(), "created": number, "content": content});
    ModelFiles {
        onnx: format!("onnx {number} {content}").into_bytes(),
        weights: vec![u8::try_from(number % 256).unwrap(); 5000],
        card: card.to_string().into_bytes(),
    }
}
