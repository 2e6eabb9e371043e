//! A store with a market of three symbols, a registry with a small real network, and the predictor over both.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

pub(crate) use predictor::test_util as onnx;
use predictor::{Predictor, Runtime, test_util::Size};
use serde_json::{Value, json};
use streamforge_dataset::{
    Card, Definition, Feature, Features, Normalisation, Panel, Scale, Scores, SymbolBars, Targets, TrainingSettings,
    Windows,
};
use streamforge_events::{
    Event, EventType, Interval, Kline, Millis, Prediction, SeriesId, SeriesKind, TimeRange, data, event_type,
};
use streamforge_function::{
    Context, Function,
    axum::Router,
    router,
    test_util::{Answer, TestIngress, post_event},
};
use streamforge_store::{
    ModelFiles, ModelRegistry, ObjectStore, PredictionQuery, Published, Store, Versioned, open_objects,
};
use tempfile::TempDir;

pub(crate) const MINUTE: Millis = 60_000;
/// 2024-06-01T00:00:00Z.
pub(crate) const START: Millis = 1_717_200_000_000;
/// Bars of the market.
pub(crate) const BARS: i64 = 60;
pub(crate) const SYMBOLS: [&str; 3] = ["AAA", "BBB", "CCC"];
/// What the test's model reads; the longest look-back is eight bars.
pub(crate) const FEATURES: [&str; 4] = ["return_1", "volatility_8", "market_volatility_4", "day_sin_1"];
pub(crate) const LAGS: [usize; 3] = [0, 2, 5];
pub(crate) const HORIZON: usize = 4;
pub(crate) const QUEUE_ID: &str = "wf-multi-gnn_infer-20240601-a1b2c3";
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// BBB lacks a bar, and CCC begins late.
pub(crate) fn is_there(symbol: usize, bar: i64) -> bool {
    match symbol {
        1 => bar != 30,
        2 => bar >= 20,
        _ => true,
    }
}

pub(crate) fn kline(symbol: usize, bar: i64) -> Kline {
    let steps = [7919, 104_729, 1_299_709][symbol];
    let close = 1000 + bar * steps % 83;
    let open_time = START + bar * MINUTE;
    let row = json!({
        "open_time": open_time, "open": "1.0", "high": format!("{}.5", close + 1), "low": format!("{}.5", close - 1),
        "close": format!("{close}.25"), "volume": "10.0", "close_time": open_time + MINUTE - 1,
        "quote_asset_volume": "100.0", "number_of_trades": 1, "taker_buy_base_asset_volume": "4.0",
        "taker_buy_quote_asset_volume": "40.0",
    });
    serde_json::from_value(row).unwrap()
}

pub(crate) fn definition() -> Definition {
    let features: Vec<Feature> = FEATURES.iter().map(|name| name.parse().unwrap()).collect();
    let interval = Interval::M1;
    Definition { interval, windows: Windows::of(interval), horizon: HORIZON, band: 0.5, features }
}

pub(crate) fn card(version: &str) -> Card {
    Card {
        name: "gnn".parse().unwrap(),
        version: version.parse().unwrap(),
        created: version.parse().unwrap(),
        code_version: "0.1.0".to_owned(),
        graph: None,
        interval: Interval::M1,
        range: TimeRange::new(START, START + BARS * MINUTE).unwrap(),
        // Not in the order of their names.
        symbols: ["CCC", "AAA", "BBB"].map(|symbol| symbol.parse().unwrap()).to_vec(),
        definition: definition(),
        lags: LAGS.to_vec(),
        normalisation: Normalisation { columns: vec![Scale { mean: 0.0, deviation: 1.0 }; FEATURES.len()] },
        target_normalisation: Scale { mean: 0.0, deviation: 1.0 },
        folds: vec![],
        training: TrainingSettings {
            seed: 1,
            epochs: 1,
            batch: 1,
            learning_rate: 0.1,
            hidden: 1,
            sequence: 1,
            others: std::collections::BTreeMap::new(),
        },
        scores: Scores::default(),
        verdicts: vec![],
        inputs: vec![],
        outputs: vec![],
    }
}

pub(crate) const SIZE: Size = Size { lags: LAGS.len(), symbols: SYMBOLS.len(), features: FEATURES.len() };

/// The files of a version; `offset` is what it adds to each logarithm of a volatility.
pub(crate) fn files(card: &Card, offset: f32) -> ModelFiles {
    with_card(&serde_json::to_value(card).unwrap(), onnx::network(SIZE, offset))
}

pub(crate) fn with_card(card: &Value, onnx: Vec<u8>) -> ModelFiles {
    ModelFiles { onnx, weights: b"weights".to_vec(), card: card.to_string().into_bytes() }
}

pub(crate) fn library() -> Runtime {
    let library = std::env::var("ORT_DYLIB_PATH");
    let library = library.expect("ORT_DYLIB_PATH names libonnxruntime.so, as `make test` sets it");
    Runtime::new(Some(&library))
}

pub(crate) struct Stage {
    pub(crate) ingress: TestIngress,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) objects: Arc<dyn ObjectStore>,
    pub(crate) registry: ModelRegistry,
    pub(crate) predictor: Router,
    clock: Arc<AtomicI64>,
    folder: TempDir,
}

impl Stage {
    /// A market in the store and version `1` of the model `gnn` in the registry.
    pub(crate) async fn set() -> Self {
        let stage = Self::without_bars().await;
        stage.bars(0..BARS).await;
        stage
    }

    pub(crate) async fn without_bars() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = streamforge_store::open(&format!("sqlite://{}/store.db", folder.path().display())).await.unwrap();
        let objects = open_objects(&format!("file://{}/objects", folder.path().display())).await.unwrap();
        let registry = ModelRegistry::new(Arc::clone(&objects));
        let ingress = TestIngress::start().await;
        let clock = Arc::new(AtomicI64::new(START + (BARS + 1) * MINUTE));
        let predictor = started(&store, &objects, library(), &ingress, &clock);
        let stage = Self { ingress, store, objects, registry, predictor, clock, folder };
        stage.publish(&files(&card("1"), -6.0)).await;
        stage
    }

    /// Another process of the same function.
    pub(crate) fn restart(&mut self) {
        self.restart_with(library());
    }

    pub(crate) fn restart_with(&mut self, runtime: Runtime) {
        self.predictor = started(&self.store, &self.objects, runtime, &self.ingress, &self.clock);
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.clock.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::Relaxed);
    }

    pub(crate) fn set_back(&self, time: Duration) {
        self.clock.fetch_sub(i64::try_from(time.as_millis()).unwrap(), Ordering::Relaxed);
    }

    pub(crate) async fn publish(&self, files: &ModelFiles) {
        assert_eq!(self.registry.publish(files).await.unwrap(), Published::New);
    }

    /// Stores bars of all symbols that have them.
    pub(crate) async fn bars(&self, bars: std::ops::Range<i64>) {
        for symbol in 0..SYMBOLS.len() {
            self.bars_of(symbol, bars.clone()).await;
        }
    }

    pub(crate) async fn bars_of(&self, symbol: usize, bars: std::ops::Range<i64>) {
        let bars = bars.filter(|bar| is_there(symbol, *bar));
        let rows: Vec<_> = bars.map(|bar| Versioned { version: 1, value: kline(symbol, bar) }).collect();
        self.store.upsert_klines(&series(symbol), &rows).await.unwrap();
    }

    pub(crate) async fn post(&self, event: &Event) -> Answer {
        post_event(&self.predictor, event).await
    }

    /// Gives a task with changed parameters and answers the last report.
    pub(crate) async fn infer(&self, change: &Value) -> Value {
        let event = command("gnn_infer", &changed(change));
        assert_eq!(self.post(&event).await.status, 204);
        self.reports().pop().unwrap()
    }

    pub(crate) fn events(&self, kind: EventType) -> Vec<Event> {
        self.ingress.events().into_iter().filter(|event| event_type(event) == Ok(kind)).collect()
    }

    pub(crate) fn reports(&self) -> Vec<Value> {
        self.events(EventType::QueueReported).iter().map(|event| data(event).unwrap()).collect()
    }

    pub(crate) fn statuses(&self) -> Vec<String> {
        self.reports().iter().map(|report| report["status"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) async fn predictions(&self) -> Vec<Prediction> {
        self.store.read_predictions(&PredictionQuery::default(), None, 1_000_000).await.unwrap()
    }

    /// Path of a file of a version.
    pub(crate) fn file(&self, version: &str, file: &str) -> PathBuf {
        self.path().join("objects/models/gnn").join(version).join(file)
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

fn started(
    store: &Arc<dyn Store>,
    objects: &Arc<dyn ObjectStore>,
    runtime: Runtime,
    ingress: &TestIngress,
    clock: &Arc<AtomicI64>,
) -> Router {
    let clock = Arc::clone(clock);
    let now = move || clock.load(Ordering::Relaxed);
    let context = Context::with_clock(Predictor::NAME, ingress.config(), now).unwrap();
    router(Predictor::new(Arc::clone(store), Arc::clone(objects), runtime, PATIENCE), context)
}

fn series(symbol: usize) -> SeriesId {
    SeriesId { symbol: SYMBOLS[symbol].parse().unwrap(), kind: SeriesKind::Klines(Interval::M1) }
}

pub(crate) fn parameters() -> Value {
    json!({"model": "gnn", "symbols": SYMBOLS, "interval": "1m", "from": START, "to": START + BARS * MINUTE})
}

pub(crate) fn changed(change: &Value) -> Value {
    let mut parameters = parameters();
    for (name, value) in change.as_object().unwrap() {
        parameters[name] = value.clone();
    }
    parameters
}

pub(crate) fn command(kind: &str, parameters: &Value) -> Event {
    control("start", kind, parameters, 1_717_300_000.0)
}

pub(crate) fn stop() -> Event {
    control("stop", "", &json!({}), 1_717_400_000.0)
}

pub(crate) fn control(command: &str, kind: &str, parameters: &Value, timestamp: f64) -> Event {
    let event = json!({
        "specversion": "1.0", "id": format!("{QUEUE_ID}/{command}/{kind}/{timestamp}"),
        "source": "/streamforge/queue-manager", "type": format!("io.streamforge.control.{command}.v1"),
        "partitionkey": QUEUE_ID, "queueid": QUEUE_ID, "target": "predictor", "datacontenttype": "application/json",
        "data": {
            "command": command, "queue_id": QUEUE_ID, "target": "predictor", "type": kind,
            "telemetry_id": "predictor__a1b2c3", "timestamp": timestamp, "task": "infer-1", "attempt": 1,
            "parameters": parameters,
        },
    });
    serde_json::from_value(event).unwrap()
}

/// What a loader tells about a bar that has just closed.
pub(crate) fn new_bar(symbol: usize, bar: i64) -> Event {
    let symbol_name = SYMBOLS[symbol];
    let batch = streamforge_events::KlineBatch {
        symbol: symbol_name.parse().unwrap(),
        interval: Interval::M1,
        batch: 0,
        read_at: START + (bar + 1) * MINUTE,
        rows: vec![kline(symbol, bar)],
        clocks: Vec::new(),
    };
    let event = json!({
        "specversion": "1.0", "id": format!("wf-live/{symbol_name}/{bar}"),
        "source": "/streamforge/loader-api-candles", "type": "io.streamforge.klines.loaded.v1",
        "subject": symbol_name, "partitionkey": symbol_name, "fresh": "true",
        "datacontenttype": "application/json", "data": batch,
    });
    serde_json::from_value(event).unwrap()
}

/// What the model must say of all bars of a range, computed from the features of the whole series.
pub(crate) fn expected(bars: std::ops::Range<i64>, offset: f32) -> Vec<(String, Millis, f64, [f64; 3])> {
    let symbols: Vec<SymbolBars> = (0..SYMBOLS.len())
        .map(|symbol| {
            let rows: Vec<Kline> =
                (0..BARS).filter(|bar| is_there(symbol, *bar)).map(|bar| kline(symbol, bar)).collect();
            let column = |value: fn(&Kline) -> streamforge_events::Decimal| -> Vec<f64> {
                rows.iter().map(|row| value(row).to_f64()).collect()
            };
            SymbolBars {
                symbol: SYMBOLS[symbol].parse().unwrap(),
                open_time: rows.iter().map(|row| row.open_time).collect(),
                high: column(|row| row.high),
                low: column(|row| row.low),
                close: column(|row| row.close),
                volume: column(|row| row.volume),
                quote_volume: column(|row| row.quote_asset_volume),
                taker_buy_volume: column(|row| row.taker_buy_base_asset_volume),
            }
        })
        .collect();
    let features = Features::compute(&Panel::new(Interval::M1, symbols).unwrap(), &definition().features);
    let mut expected = Vec::new();
    for (symbol, name) in SYMBOLS.into_iter().enumerate() {
        for bar in bars.clone().map(|bar| usize::try_from(bar).unwrap()) {
            let cell = |row: usize| row * SYMBOLS.len() + symbol;
            if !features.present[cell(bar)] {
                continue;
            }
            let mut sum = f64::from(offset);
            for (number, lag) in LAGS.into_iter().enumerate() {
                let Some(row) = bar.checked_sub(lag).filter(|row| features.present[cell(*row)]) else { continue };
                for (feature, value) in features.row(cell(row)).iter().enumerate() {
                    sum += f64::from(*value) * f64::from(onnx::weight(SIZE, number, feature));
                }
            }
            let scores = onnx::DIRECTIONS.map(|direction| (f64::from(direction) * sum).exp());
            let total: f64 = scores.iter().sum();
            let probabilities = scores.map(|score| score / total);
            expected.push((name.to_owned(), features.times[bar], Targets::volatility_of(sum), probabilities));
        }
    }
    expected
}

/// Compares what was stored with what had to come out, up to the runtime's single precision.
pub(crate) fn assert_predicted(found: &[Prediction], expected: &[(String, Millis, f64, [f64; 3])]) {
    let mut found: Vec<&Prediction> = found.iter().collect();
    found.sort_by_key(|prediction| (prediction.symbol.clone(), prediction.open_time));
    let keys = |symbol: &str, time: Millis| format!("{symbol} {}", (time - START) / MINUTE);
    let (left, right): (Vec<String>, Vec<String>) = (
        found.iter().map(|one| keys(one.symbol.as_str(), one.open_time)).collect(),
        expected.iter().map(|(symbol, time, ..)| keys(symbol, *time)).collect(),
    );
    assert_eq!(left, right);
    for (found, (_, _, volatility, probabilities)) in found.iter().zip(expected) {
        assert!((found.volatility / volatility - 1.0).abs() < 1e-5, "{found:?}: {volatility}");
        let near = |(found, expected): (&f64, &f64)| (found - expected).abs() < 1e-6;
        assert!(found.probabilities.array().iter().zip(probabilities).all(near), "{found:?}: {probabilities:?}");
    }
}
