//! A backup beside those who write: what it says is stored is in it, whenever the writes come.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use async_trait::async_trait;
use serde_json::json;
use streamforge_backup::Place;
use streamforge_events::{SeriesKind, Split, TimeRange};
use streamforge_store::{
    Error, FolderObjects, ModelRegistry, ObjectStore, ObjectSwap, PredictionQuery, Store, WorkflowQuery,
};
use tokio::sync::Mutex;

use crate::world::{HOUR, World, at, bars, files, graph, hourly, prediction, version, workflow};

/// Does all that a workflow does, in its order: rows, the range as loaded, graph, model, prediction, the end.
async fn finish_workflow(store: &dyn Store, models: &ModelRegistry, number: i64) {
    let from = at("2024-02-28") + number * HOUR;
    store.upsert_klines(&hourly("BTCUSDT"), &bars(from, 1, HOUR)).await.unwrap();
    store.mark_loaded(&hourly("BTCUSDT"), TimeRange::new(from, from + HOUR).unwrap()).await.unwrap();
    store.put_graph(&graph(number.unsigned_abs())).await.unwrap();
    models.publish(&files(number.unsigned_abs(), "")).await.unwrap();
    let mut made = prediction("gnn", Split::Test, "BTCUSDT", from);
    made.value.version = version(number.unsigned_abs());
    store.upsert_predictions(&[made]).await.unwrap();
    let mut document = workflow(number, "finished");
    document.id = format!("wf-btcusdt-api_trades-20240801-{number:06}").parse().unwrap();
    document.json = json!({"number": number});
    store.create(&document).await.unwrap();
}

/// What is said is there: of workflows their rows, graphs, models and predictions, of loaded ranges their rows.
async fn assert_consistent(world: &World, least: i64) {
    let store = world.store.as_ref();
    let mut finished = 0;
    let query = WorkflowQuery { limit: 9999, cursor: None, status: None };
    let rows = store.read_klines(&hourly("BTCUSDT"), TimeRange::WIDEST, None, 99_999).await.unwrap();
    let opens: Vec<i64> = rows.iter().map(|row| row.open_time).collect();
    let graphs: Vec<u64> = store.graphs().await.unwrap().iter().map(|graph| graph.version).collect();
    let versions = world.models.published(&"gnn".parse().unwrap()).await.unwrap();
    let predictions = store.read_predictions(&PredictionQuery::default(), None, 99_999).await.unwrap();
    for document in store.list(&query).await.unwrap().documents {
        let number = document.json["number"].as_i64().unwrap();
        let from = at("2024-02-28") + number * HOUR;
        assert!(opens.contains(&from), "rows of workflow {number} are absent");
        assert!(graphs.contains(&number.unsigned_abs()), "the graph of workflow {number} is absent");
        assert!(versions.contains(&version(number.unsigned_abs())), "the model of workflow {number} is absent");
        assert!(predictions.iter().any(|made| made.open_time == from), "predictions of {number} are absent");
        finished = finished.max(number);
    }
    assert!(finished >= least, "workflow {least} was finished before, the last one in the backup is {finished}");
    for made in &predictions {
        assert!(versions.contains(&made.version), "the model of a prediction is absent");
    }
    for series in store.series().await.unwrap() {
        assert!(matches!(series.kind, SeriesKind::Klines(_)));
        for range in store.loaded(&series).await.unwrap() {
            let mut expected = (range.from()..range.to()).step_by(3_600_000);
            assert!(expected.all(|open| opens.contains(&open)), "{range} counts as loaded");
        }
    }
    if let Some(latest) = world.models.latest(&"gnn".parse().unwrap()).await.unwrap() {
        world.models.load(&"gnn".parse().unwrap(), Some(&latest)).await.unwrap();
    }
}

/// A place at which a whole workflow passes before each object is written.
struct Passing {
    objects: FolderObjects,
    store: Arc<dyn Store>,
    models: ModelRegistry,
    number: Mutex<i64>,
}

impl Passing {
    async fn one_more(&self) {
        let mut number = self.number.lock().await;
        *number += 1;
        finish_workflow(self.store.as_ref(), &self.models, *number).await;
    }
}

#[async_trait]
impl ObjectStore for Passing {
    async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), Error> {
        self.one_more().await;
        self.objects.put(key, bytes).await
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.objects.get(key).await
    }

    async fn compare_and_set(&self, key: &str, expected: Option<&[u8]>, bytes: Vec<u8>) -> Result<ObjectSwap, Error> {
        self.one_more().await;
        self.objects.compare_and_set(key, expected, bytes).await
    }

    async fn sizes(&self, prefix: &str) -> Result<Vec<(String, u64)>, Error> {
        self.one_more().await;
        self.objects.sizes(prefix).await
    }

    async fn delete(&self, key: &str) -> Result<bool, Error> {
        self.objects.delete(key).await
    }
}

#[tokio::test]
async fn a_workflow_that_ends_between_any_two_objects_is_there_whole_or_not_at_all() {
    let (world, other) = (World::sqlite().await, World::sqlite().await);
    finish_workflow(world.store.as_ref(), &world.models, 1).await;
    let passing = Passing {
        objects: FolderObjects::open(&world.folder.path().join("backups")).await.unwrap(),
        store: Arc::clone(&world.store),
        models: world.models.clone().keeping(NonZeroUsize::MAX),
        number: Mutex::new(1),
    };
    world.back_up(&Place::new(Arc::new(passing)), "b").await.unwrap();
    let created = at("2024-02-28");
    other.take_over(&world.place().await, "b").await.unwrap();
    assert_consistent(&other, 1).await;
    let rows = other.store.read_klines(&hourly("BTCUSDT"), TimeRange::WIDEST, None, 99).await.unwrap();
    assert!(rows.len() > 5 && rows[0].open_time > created, "nothing has passed meanwhile");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_before_is_there_while_others_write_on() {
    let world = World::sqlite().await;
    let (done, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicI64::new(0)));
    let writer = {
        let (store, models) = (Arc::clone(&world.store), world.models.clone().keeping(NonZeroUsize::MAX));
        let (done, acknowledged) = (Arc::clone(&done), Arc::clone(&acknowledged));
        tokio::spawn(async move {
            for number in 1.. {
                finish_workflow(store.as_ref(), &models, number).await;
                acknowledged.store(number, Ordering::SeqCst);
                if done.load(Ordering::SeqCst) {
                    break;
                }
            }
        })
    };
    let place = world.place().await;
    let mut least = BTreeMap::new();
    for name in ["a", "b", "c", "d"] {
        least.insert(name, acknowledged.load(Ordering::SeqCst));
        world.back_up(&place, name).await.unwrap();
    }
    done.store(true, Ordering::SeqCst);
    writer.await.unwrap();
    assert!(acknowledged.load(Ordering::SeqCst) > least["d"], "nobody has written meanwhile");
    for (name, least) in least {
        let other = World::sqlite().await;
        other.take_over(&place, name).await.unwrap();
        assert_consistent(&other, least).await;
    }
}
