//! The job as a process: one training, one model, whatever is killed and however many trainers there are.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{path::PathBuf, process::Stdio, sync::Arc, time::Duration};

use serde_json::{Value, json};
use streamforge_bus::{Bus, Record, TopicConfig};
use streamforge_dataset::Card;
use streamforge_events::{Interval, Kline, SeriesId, SeriesKind, data};
use streamforge_function::test_util::TestIngress;
use streamforge_store::{
    LeaseOutcome, Model, ModelRegistry, ObjectStore, PredictionQuery, Store, Versioned, WorkflowDocument, open_objects,
};
use tokio::process::{Child, Command};

const HOUR: i64 = 3_600_000;
const BARS: i64 = 1_500;
const SYMBOLS: [&str; 3] = ["AAAUSDT", "BBBUSDT", "CCCUSDT"];

/// A data folder with klines, a log and an ingress that records.
struct World {
    folder: tempfile::TempDir,
    bus: Arc<dyn Bus>,
    store: Arc<dyn Store>,
    objects: Arc<dyn ObjectStore>,
    ingress: TestIngress,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        let bus = streamforge_bus::open(&format!("sqlite://{path}/bus.db")).unwrap();
        for topic in ["gnn-trainer", "queue-control"] {
            bus.create_topic(topic, &TopicConfig { partitions: 2, ..TopicConfig::default() }).await.unwrap();
        }
        let store = streamforge_store::open(&format!("sqlite://{path}/store.db")).await.unwrap();
        let objects = open_objects(&format!("file://{path}/objects")).await.unwrap();
        let world = Self { folder, bus, store, objects, ingress: TestIngress::start().await };
        world.store_klines().await;
        world
    }

    /// Walks that share half of their steps.
    async fn store_klines(&self) {
        let mut random = fastrand::Rng::with_seed(5);
        let mut closes = [100.0_f64; 3];
        let mut rows: [Vec<Versioned<Kline>>; 3] = Default::default();
        for bar in 0..BARS {
            let common = random.f64() - 0.5;
            for (symbol, close) in closes.iter_mut().enumerate() {
                let open = *close;
                *close *= ((common + random.f64() - 0.5) * 0.01).exp();
                let (high, low) = (open.max(*close) * 1.001, open.min(*close) * 0.999);
                let kline = json!({
                    "open_time": bar * HOUR, "open": format!("{open:.6}"), "high": format!("{high:.6}"),
                    "low": format!("{low:.6}"), "close": format!("{close:.6}"), "volume": "10",
                    "close_time": (bar + 1) * HOUR - 1, "quote_asset_volume": format!("{:.3}", 10.0 * *close),
                    "number_of_trades": 3, "taker_buy_base_asset_volume": "5",
                    "taker_buy_quote_asset_volume": format!("{:.3}", 5.0 * *close),
                });
                rows[symbol].push(Versioned { version: 1, value: serde_json::from_value(kline).unwrap() });
            }
        }
        for (symbol, rows) in SYMBOLS.iter().zip(&rows) {
            let series = SeriesId { symbol: symbol.parse().unwrap(), kind: SeriesKind::Klines(Interval::H1) };
            self.store.upsert_klines(&series, rows).await.unwrap();
        }
    }

    /// Puts a command into the trainer's topic.
    async fn command(&self, attempt: u32, change: &Value) {
        let mut parameters = json!({
            "symbols": SYMBOLS, "interval": "1h", "from": 0, "to": BARS * HOUR, "model": "walks", "horizon": 4,
            "hidden": 8, "epochs": 3, "checkpoint_epochs": 1, "batch": 64,
        });
        for (name, value) in change.as_object().unwrap() {
            parameters[name] = value.clone();
        }
        let command = json!({
            "command": "start", "queue_id": "wf-multi-gnn_train-20250101-a1b2c3", "target": "gnn-trainer",
            "type": "gnn_train", "task": "gnn-trainer-gnn_train-multi-0000", "attempt": attempt, "timestamp": 1.0,
            "telemetry_id": "gnn-trainer__a1b2c3", "parameters": parameters,
        });
        let id = attempt.to_string();
        let attributes = [
            ("ce_specversion", "1.0"),
            ("ce_id", &id),
            ("ce_source", "/streamforge/queue-manager"),
            ("ce_type", "io.streamforge.control.start.v1"),
            ("ce_subject", "wf-multi-gnn_train-20250101-a1b2c3"),
            ("content-type", "application/json"),
        ];
        let headers = attributes.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).to_vec();
        let record = Record { key: None, headers, value: command.to_string().into_bytes(), timestamp: 0 };
        self.bus.publish("gnn-trainer", record).await.unwrap();
    }

    fn start(&self) -> Child {
        let path = self.folder.path().display();
        Command::new(env!("CARGO_BIN_EXE_gnn-trainer"))
            .env("STREAMFORGE_BUS_URL", format!("sqlite://{path}/bus.db"))
            .env("STREAMFORGE_STORE_URL", format!("sqlite://{path}/store.db"))
            .env("STREAMFORGE_OBJECTS_URL", format!("file://{path}/objects"))
            .env("STREAMFORGE_INGRESS_URL", self.ingress.url())
            .env("STREAMFORGE_LOG", "info")
            .stdout(Stdio::null())
            .stderr(std::fs::File::options().create(true).append(true).open(self.log()).unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("trainer.log")
    }

    async fn run(&self) {
        let ended = self.start().wait().await.unwrap();
        assert!(ended.success(), "{ended}: {}", std::fs::read_to_string(self.log()).unwrap());
    }

    /// Reports of one status.
    fn reports(&self, status: &str) -> Vec<Value> {
        let events = self.ingress.events().into_iter();
        let reports = events.filter_map(|event| data::<Value>(&event).ok());
        reports.filter(|report| report["status"] == status).collect()
    }

    async fn model(&self) -> Model {
        ModelRegistry::new(Arc::clone(&self.objects)).load(&"walks".parse().unwrap(), None).await.unwrap()
    }
}

async fn calm() -> (World, Model) {
    let world = World::new().await;
    world.command(1, &json!({})).await;
    world.run().await;
    let model = world.model().await;
    (world, model)
}

#[tokio::test]
async fn a_training_leaves_a_model_its_predictions_and_a_report() {
    let (world, model) = calm().await;
    let card: Card = serde_json::from_slice(&model.files.card).unwrap();
    card.check().unwrap();
    assert_eq!(card.folds.len(), 5);
    for score in [&card.scores.volatility["network"], &card.scores.volatility["HAR"]] {
        assert_eq!(score.windows.len(), 5);
        assert!(score.mean.is_finite() && score.mean > 0.0);
    }
    let finished = world.reports("finished");
    assert_eq!(finished.len(), 1, "{finished:?}");
    assert_eq!(finished[0]["extra"]["model"]["version"], card.version.as_str());
    assert_eq!(finished[0]["extra"]["scores"]["direction"]["majority class"]["windows"].as_array().unwrap().len(), 5);
    assert_eq!(world.reports("started").len(), 1);
    // Five windows with and without the graph, and the published fit.
    let loading = world.reports("loading");
    let fits: std::collections::BTreeSet<&str> =
        loading.iter().map(|report| report["extra"]["fit"].as_str().unwrap()).collect();
    assert_eq!(fits.len(), 11, "{fits:?}");
    let predictions = world.store.read_predictions(&PredictionQuery::default(), None, 100_000).await.unwrap();
    let tested: i64 = card.folds.iter().map(|fold| (fold.test_last - fold.test_from) / HOUR + 1).sum();
    assert_eq!(i64::try_from(predictions.len()).unwrap(), tested * 3);
    assert!(world.objects.list("checkpoints/").await.unwrap().is_empty());

    // The same task again, from another attempt, makes nothing new.
    world.command(2, &json!({})).await;
    world.run().await;
    assert_eq!(world.model().await.files, model.files);
    assert_eq!(world.reports("finished").len(), 1);
    assert_eq!(world.bus.lag("gnn-trainer", "gnn-trainer").await.unwrap().iter().sum::<u64>(), 0);
}

#[tokio::test]
async fn a_killed_training_is_gone_on_with_and_ends_with_the_same_weights() {
    let (_, calm) = calm().await;
    let rounds = (0..5_u64).map(|seed| async move {
        let world = World::new().await;
        world.command(1, &json!({})).await;
        let mut trainer = world.start();
        let epochs = usize::try_from(fastrand::Rng::with_seed(seed).u64(1..25)).unwrap();
        println!("seed {seed}: killed after {epochs} epochs");
        while world.reports("loading").len() < epochs {
            assert!(trainer.try_wait().unwrap().is_none(), "the trainer ended before it was killed");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        trainer.kill().await.unwrap();
        let kept = world.objects.list("checkpoints/").await.unwrap();
        assert!(!kept.is_empty() || epochs < 3, "no checkpoint after {epochs} epochs");
        // As the engine does with a task of which nothing is heard; a trainer that comes too early finds it taken.
        let mut attempt = 2;
        while world.reports("finished").is_empty() {
            world.command(attempt, &json!({})).await;
            world.run().await;
            attempt += 1;
            assert!(attempt < 1_000);
        }
        world.model().await
    });
    for model in futures::future::join_all(rounds).await {
        assert!(model.files.weights == calm.files.weights, "other weights after going on");
        assert!(model.files.onnx == calm.files.onnx);
    }
}

#[tokio::test]
async fn of_two_trainers_of_one_task_one_trains() {
    let world = World::new().await;
    world.command(1, &json!({})).await;
    world.command(2, &json!({})).await;
    let (mut one, mut other) = (world.start(), world.start());
    let (one, other) = tokio::join!(one.wait(), other.wait());
    let (one, other) = (one.unwrap(), other.unwrap());
    assert!(one.success() && other.success(), "{one}, {other}: {}", std::fs::read_to_string(world.log()).unwrap());
    assert_eq!(world.reports("finished").len(), 1);
    let registry = ModelRegistry::new(Arc::clone(&world.objects));
    assert_eq!(registry.versions(&"walks".parse().unwrap()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_cannot_be_trained_ends_with_words_and_leaves_nothing() {
    let cases = [
        (json!({"graph": "nowhere"}), "graph `nowhere` is not stored"),
        (json!({"from": 4_000_000_000_000_i64, "to": 4_000_000_000_000_i64 + HOUR}), "no 1h klines of AAAUSDT"),
        (json!({"symbols": ["AAAUSDT"]}), "1 symbols cannot be trained on"),
        (json!({"to": 300 * HOUR}), "the data does not suffice"),
        (json!({"model": "../../etc"}), "model name"),
        (json!({"epochs": 0}), "epochs 0"),
        (json!({"learning_rate": -1.0}), "learning_rate -1"),
        (json!({"horizon": 1_000_000}), "horizon 1000000"),
    ];
    let rounds = cases.iter().map(|(change, words)| async move {
        let world = World::new().await;
        world.command(1, change).await;
        world.run().await;
        let errors = world.reports("error");
        assert_eq!(errors.len(), 1, "{change}");
        let said = errors[0]["error_message"].as_str().unwrap();
        assert!(said.contains(words), "{change}: {said}");
        assert_eq!(errors[0]["finished"], true);
        assert!(world.objects.list("").await.unwrap().is_empty());
        assert!(world.store.read_predictions(&PredictionQuery::default(), None, 1).await.unwrap().is_empty());
    });
    futures::future::join_all(rounds).await;
}

#[tokio::test]
async fn a_later_attempt_takes_the_task_from_an_earlier_one_and_from_no_other() {
    let world = World::new().await;
    let key = "train/wf-multi-gnn_train-20250101-a1b2c3/gnn-trainer-gnn_train-multi-0000";
    let far = 4_000_000_000_000;
    let taken = world.store.acquire(key, "stuck-pod#2", 0, far).await.unwrap();
    let LeaseOutcome::Acquired(stuck) = taken else { panic!("{taken:?}") };
    for attempt in [1, 2] {
        world.command(attempt, &json!({})).await;
        world.run().await;
        assert!(world.reports("started").is_empty(), "attempt {attempt}");
    }
    world.command(3, &json!({})).await;
    world.run().await;
    assert_eq!(world.reports("finished").len(), 1);
    assert!(!world.store.renew(key, stuck, 1, far).await.unwrap());
}

#[tokio::test]
async fn a_trainer_that_is_fenced_leaves_and_publishes_nothing() {
    let rounds = (1..5_usize).map(|epochs| async move {
        let world = World::new().await;
        let key = "train/wf-multi-gnn_train-20250101-a1b2c3/gnn-trainer-gnn_train-multi-0000";
        world.command(1, &json!({"epochs": 10_000, "patience": 10_000})).await;
        let mut trainer = world.start();
        while world.reports("loading").len() < 10 * epochs {
            assert!(trainer.try_wait().unwrap().is_none(), "the trainer ended before it was fenced");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let lease = world.store.lease(key).await.unwrap().unwrap();
        assert!(lease.holder.ends_with("#1"), "{lease:?}");
        assert!(world.store.release(key, lease.fence).await.unwrap());
        let ended = trainer.wait().await.unwrap();
        assert!(ended.success(), "{ended}");
        assert!(world.reports("finished").is_empty() && world.reports("error").is_empty());
        assert!(world.objects.list("models/").await.unwrap().is_empty());
    });
    futures::future::join_all(rounds).await;
}

#[tokio::test]
async fn nobody_trains_for_a_workflow_that_has_ended() {
    let world = World::new().await;
    let document = WorkflowDocument {
        id: "wf-multi-gnn_train-20250101-a1b2c3".parse().unwrap(),
        status: "stopped".to_owned(),
        created_at: 0,
        next_deadline: None,
        json: json!({}),
    };
    world.store.create(&document).await.unwrap();
    world.command(1, &json!({})).await;
    world.run().await;
    assert!(world.reports("started").is_empty());
    assert_eq!(world.bus.lag("gnn-trainer", "gnn-trainer").await.unwrap().iter().sum::<u64>(), 0);
}
