//! What the tests of the function and of the API live in: a real store, an ingress that records, a clock to be set.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use streamforge_events::{AttributesReader, Event, EventType, Millis, QueueId};
use streamforge_function::{Publisher, test_util::TestIngress};
use streamforge_store::Store;
use tempfile::TempDir;

use crate::{document::Workflow, engine::Engine};

/// 2026-01-01T00:00:00Z.
pub(crate) const NOW: Millis = 1_767_225_600_000;

pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) ingress: TestIngress,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) engine: Engine,
    pub(crate) now: Arc<AtomicI64>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/store.db", folder.path().display());
        let store = streamforge_store::open(&url).await.unwrap();
        let ingress = TestIngress::start().await;
        let now = Arc::new(AtomicI64::new(NOW));
        let clock = Arc::clone(&now);
        let publisher = Publisher::new(&ingress.config()).unwrap();
        let engine = Engine::new(Arc::clone(&store), publisher, Arc::new(move || clock.load(Ordering::SeqCst)));
        Self { folder, ingress, store, engine, now }
    }

    pub(crate) async fn workflow(&self, id: &QueueId) -> Workflow {
        self.engine.load(id).await.unwrap().unwrap()
    }

    pub(crate) fn published(&self, kind: EventType) -> Vec<Event> {
        self.ingress.events().into_iter().filter(|event| event.ty() == kind.as_str()).collect()
    }
}
