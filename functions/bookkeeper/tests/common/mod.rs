//! A store with bars and predictions, a registry with a card, a ledger, and the bookkeeper over all of them.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use bookkeeper::Bookkeeper;
use serde_json::{Value, json};
use streamforge_dataset::Direction;
use streamforge_events::{Event, Interval, Kline, Millis, Prediction, SeriesId, SeriesKind, Split};
use streamforge_function::{
    Context, Function,
    axum::Router,
    router,
    test_util::{Answer, TestIngress, post_event},
};
use streamforge_hindsight::{History, is_same_series};
use streamforge_ledger::{Ledger, Outcome, RoiQuery, RoiRow};
use streamforge_store::{ModelFiles, ModelRegistry, PredictionQuery, Store, Versioned};
use tempfile::TempDir;

pub(crate) const HOUR: Millis = 3_600_000;
pub(crate) const QUEUE_ID: &str = "wf-multi-gnn_infer-20240601-a1b2c3";
pub(crate) const SYMBOLS: [&str; 2] = ["BTCUSDT", "ETHUSDT"];
pub(crate) const HORIZON: i64 = 2;

pub(crate) struct Stage {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) registry: ModelRegistry,
    pub(crate) ledger: Ledger,
    clock: Arc<AtomicI64>,
    router: Router,
    _ingress: TestIngress,
    _folder: TempDir,
}

impl Stage {
    pub(crate) async fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&format!("sqlite://{}/ledger.db", folder.path().display())).await.unwrap();
        Self::with(ledger, folder).await
    }

    pub(crate) async fn with(ledger: Ledger, folder: TempDir) -> Self {
        let url = |kind: &str, name: &str| format!("{kind}://{}/{name}", folder.path().display());
        let store = streamforge_store::open(&url("sqlite", "store.db")).await.unwrap();
        let objects = streamforge_store::open_objects(&url("file", "objects")).await.unwrap();
        let ingress = TestIngress::start().await;
        let clock = Arc::new(AtomicI64::new(1_000));
        let ticking = Arc::clone(&clock);
        let now = move || ticking.fetch_add(1, Ordering::Relaxed);
        let context = Context::with_clock(Bookkeeper::NAME, ingress.config(), now).unwrap();
        let bookkeeper = Bookkeeper::new(ledger.clone(), Arc::clone(&store), Arc::clone(&objects));
        Self {
            store,
            registry: ModelRegistry::new(objects),
            ledger,
            clock,
            router: router(bookkeeper, context),
            _ingress: ingress,
            _folder: folder,
        }
    }

    pub(crate) async fn post(&self, event: &Event) -> Answer {
        post_event(&self.router, event).await
    }

    pub(crate) async fn done(&self, event: &Event) {
        let answer = self.post(event).await;
        assert_eq!(answer.status, 204, "{answer:?}");
    }

    /// Sets the clock back, as far as to the beginning.
    pub(crate) fn set_back(&self) {
        self.clock.store(1, Ordering::Relaxed);
    }

    pub(crate) async fn publish(&self, card: &Value) {
        let card = card.to_string().into_bytes();
        let files = ModelFiles { onnx: b"onnx".to_vec(), weights: b"weights".to_vec(), card };
        self.registry.publish(&files).await.unwrap();
    }

    /// Stores bars of both symbols; a later `version` replaces an earlier one.
    pub(crate) async fn load(&self, bars: impl Iterator<Item = i64> + Clone, version: u64) {
        for (place, symbol) in SYMBOLS.into_iter().enumerate() {
            let series = SeriesId { symbol: symbol.parse().unwrap(), kind: SeriesKind::Klines(Interval::H1) };
            let rows: Vec<_> =
                bars.clone().map(|bar| Versioned { version, value: kline(place, bar, version) }).collect();
            self.store.upsert_klines(&series, &rows).await.unwrap();
        }
    }

    /// Stores predictions of both symbols after these bars.
    pub(crate) async fn predict(&self, bars: impl Iterator<Item = i64> + Clone, split: Split) {
        for symbol in SYMBOLS {
            let rows: Vec<_> =
                bars.clone().map(|bar| Versioned { version: 1, value: prediction(symbol, bar, split) }).collect();
            self.store.upsert_predictions(&rows).await.unwrap();
        }
    }

    pub(crate) async fn rows(&self) -> Vec<RoiRow> {
        self.ledger.roi(&RoiQuery::default(), None, 10_000).await.unwrap()
    }

    /// What the ledger has to hold by what is stored now.
    pub(crate) async fn expected(&self) -> Vec<RoiRow> {
        let query = PredictionQuery { split: Some(Split::Live), ..PredictionQuery::default() };
        let predictions = self.store.read_predictions(&query, None, 10_000).await.unwrap();
        let mut history = History::new(self.store.as_ref(), Some(self.registry.clone()));
        let mut rows = Vec::new();
        for run in predictions.chunk_by(is_same_series) {
            for (prediction, came) in run.iter().zip(history.of(run).await.unwrap()) {
                let predicted = Direction::likeliest(prediction.probabilities.array());
                rows.push(RoiRow {
                    prediction: prediction.clone(),
                    due: prediction.open_time + HORIZON * HOUR,
                    predicted_class: predicted.as_str().to_owned(),
                    outcome: came.map(|came| Outcome {
                        volatility: came.volatility,
                        class: came.direction.as_str().to_owned(),
                        log_return: came.log_return,
                        gain: came.gain(predicted),
                    }),
                });
            }
        }
        rows
    }
}

/// Prices that go up and down with each symbol in its own way, and otherwise once they are restated.
fn kline(symbol: usize, bar: i64, version: u64) -> Kline {
    let step = [7_919, 104_729][symbol];
    let close = 1_000 + (bar * step + i64::try_from(version).unwrap() * 13) % 83;
    let open_time = bar * HOUR;
    let row = json!({
        "open_time": open_time, "open": "1.0", "high": format!("{close}.5"), "low": format!("{close}.0"),
        "close": format!("{close}.25"), "volume": "10.0", "close_time": open_time + HOUR - 1,
        "quote_asset_volume": "100.0", "number_of_trades": 1, "taker_buy_base_asset_volume": "4.0",
        "taker_buy_quote_asset_volume": "40.0",
    });
    serde_json::from_value(row).unwrap()
}

fn prediction(symbol: &str, bar: i64, split: Split) -> Prediction {
    let probabilities = [[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.125, 0.25, 0.625]];
    Prediction {
        model: "gnn".parse().unwrap(),
        version: "1".parse().unwrap(),
        symbol: symbol.parse().unwrap(),
        interval: Interval::H1,
        open_time: bar * HOUR,
        horizon: NonZeroU32::new(u32::try_from(HORIZON).unwrap()).unwrap(),
        volatility: 0.5,
        probabilities: probabilities[usize::try_from(bar % 3).unwrap()].into(),
        split,
        health: None,
    }
}

fn event(kind: &str, source: &str, data: &Value) -> Event {
    let id = format!("{:x}", fastrand::u64(..));
    let event = json!({
        "specversion": "1.0", "id": id, "source": format!("/streamforge/{source}"),
        "type": format!("io.streamforge.{kind}.v1"), "subject": QUEUE_ID, "partitionkey": QUEUE_ID,
        "queueid": QUEUE_ID, "datacontenttype": "application/json", "data": data,
    });
    serde_json::from_value(event).unwrap()
}

/// A report of a function; `more` replaces and adds fields.
pub(crate) fn report(function: &str, status: &str, extra: &Value, more: &Value) -> Event {
    let mut report = json!({
        "queue_id": QUEUE_ID, "producer": format!("{function}__a1b2c3"), "type": "gnn", "status": status,
        "message": "", "records_written": 0, "finished": status == "finished", "timestamp": 1_717_200_000.5,
        "task": "task-1", "attempt": 1, "extra": extra,
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        report[name] = value.clone();
    }
    event("queue.reported", function, &report)
}

/// The report that predictions after these bars are stored.
pub(crate) fn predicted(first: i64, last: i64) -> Event {
    let model = json!({"name": "gnn", "version": "1"});
    let extra = json!({"model": model, "predictions": 1, "first": first * HOUR, "last": last * HOUR});
    report("predictor", "finished", &extra, &json!({}))
}

/// The end of a workflow that loaded bars.
pub(crate) fn ended(status: &str, restated: u64) -> Event {
    let data = json!({
        "queue_id": QUEUE_ID, "symbols": SYMBOLS, "type": "api_candles_1h", "status": status, "records_written": 1,
        "restated": restated, "error_message": null, "finished_at": "2024-08-01T08:15:25.456Z",
    });
    event("workflow.finished", "queue-manager", &data)
}
