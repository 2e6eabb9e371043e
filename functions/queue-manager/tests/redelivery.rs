//! Requests, reports and reminders that come again, at once or after newer ones, leave the same documents and commands.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{collections::BTreeMap, sync::Arc};

use proptest::{collection::vec, prelude::*};
use queue_manager::{Engine, QueueManager};
use serde_json::{Value, json};
use streamforge_events::{Envelope, Event, EventType, Millis};
use streamforge_function::{
    Function, Publisher,
    axum::Router,
    router,
    test_util::{TestIngress, post_events, with_repeats},
};
use streamforge_store::{Store, WorkflowQuery};
use tempfile::TempDir;

/// 2026-01-01T00:00:00Z.
const NOW: Millis = 1_767_225_600_000;

const TASKS: [&str; 3] =
    ["load-api_candles_15m-btcusdt-0000", "load-api_candles_15m-ethusdt-0001", "graph-builder-gnn_graph-multi-0000"];

const OTHERS: [&str; 8] = ["started", "loading", "interrupted", "error", "final error", "refused", "mute", "overdue"];

fn event(kind: EventType, id: &str, queue_id: &str, data: &Value) -> Event {
    let queue = || queue_id.to_owned();
    let envelope = Envelope {
        id: id.to_owned(),
        source: "/test".to_owned(),
        kind,
        subject: queue(),
        time: NOW,
        extensions: vec![("partitionkey".to_owned(), queue()), ("queueid".to_owned(), queue())],
    };
    envelope.build(data).unwrap()
}

fn requested() -> Event {
    let body = json!({
        "symbols": ["BTCUSDT", "ETHUSDT"], "time_range": "2024-01-01:2024-01-02",
        "requests": [
            {"target": "loader-producer", "type": "api_candles_15m"},
            {"target": "graph-builder", "type": "gnn_graph"},
        ],
    });
    event(EventType::WorkflowRequested, "1", "none", &body)
}

/// Anything that a worker may say about a task, or a reminder.
fn happening() -> impl Strategy<Value = (EventType, Value)> {
    let other = (0..OTHERS.len()).prop_map(|kind| OTHERS[kind]);
    let kind = prop_oneof![4 => Just("stored"), 4 => Just("finished"), 3 => other];
    let attempt = prop_oneof![9 => Just(1), 1 => Just(2)];
    (kind, 0..TASKS.len(), 0..2_u64, attempt).prop_map(|(kind, task, batch, attempt)| {
        let mut data = json!({
            "producer": "worker__a1b2c3", "symbol": "BTCUSDT", "type": "x", "message": kind, "status": kind,
            "records_written": 0, "finished": false, "timestamp": 1.5, "attempt": attempt, "task": TASKS[task],
        });
        let more = match kind {
            "stored" => json!({"status": "loading", "batch": batch.to_string(), "records_written": 96}),
            "finished" => json!({"extra": {"batches": [0, 1], "complete_until": 1_704_240_000_000_i64}}),
            "mute" => json!({"status": "finished", "finished": true}),
            "error" => json!({"error_message": format!("no {batch}")}),
            "final error" => json!({"status": "error", "finished": true}),
            "refused" => json!({"status": "error", "finished": true, "batch": batch.to_string()}),
            _ => json!({}),
        };
        data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let kind = if kind == "overdue" { EventType::WorkflowOverdue } else { EventType::QueueReported };
        (kind, data)
    })
}

/// A queue manager with a store and an ingress of its own, and the workflow that it was asked for.
struct Played {
    store: Arc<dyn Store>,
    ingress: TestIngress,
    function: Router,
    published: BTreeMap<String, String>,
    id: String,
    _folder: TempDir,
}

impl Played {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = streamforge_store::open(&format!("sqlite://{}/store.db", folder.path().display())).await.unwrap();
        let ingress = TestIngress::start().await;
        let sender = Publisher::new(&ingress.config()).unwrap();
        let engine = Engine::new(Arc::clone(&store), sender, Arc::new(|| NOW));
        let function = router(QueueManager::new(engine), ingress.context(QueueManager::NAME, NOW));
        let published = post_events(&function, &ingress, &[requested()]).await;
        let (id, _) = workflow(&*store).await;
        Self { store, ingress, function, published, id, _folder: folder }
    }

    fn event(&self, number: usize, (kind, data): &(EventType, Value)) -> Event {
        let mut data = data.clone();
        data["queue_id"] = self.id.clone().into();
        event(*kind, &number.to_string(), &self.id, &data)
    }

    async fn post(&mut self, events: &[Event]) {
        self.published.extend(post_events(&self.function, &self.ingress, events).await);
    }
}

/// What of a history can happen: nobody reports about an attempt that was not commanded yet.
async fn possible(happenings: Vec<(EventType, Value)>) -> Vec<(EventType, Value)> {
    let mut played = Played::start().await;
    let mut possible = Vec::new();
    for happening in happenings {
        let (kind, data) = &happening;
        let command = format!("/start/{}/{}", data["task"].as_str().unwrap(), data["attempt"]);
        let is_possible =
            *kind == EventType::WorkflowOverdue || played.published.keys().any(|id| id.ends_with(&command));
        if is_possible {
            played.post(&[played.event(possible.len(), &happening)]).await;
            possible.push(happening);
        }
    }
    possible
}

/// Delivers the request, then the history as `order` rearranges it; answers what is stored and what was published.
async fn left(
    happenings: &[(EventType, Value)],
    order: impl FnOnce(&[Event]) -> Vec<Event>,
) -> (Vec<String>, BTreeMap<String, String>) {
    let mut played = Played::start().await;
    let mut history = vec![requested()];
    history.extend(happenings.iter().enumerate().map(|(number, happening)| played.event(number, happening)));
    played.post(&order(&history)).await;
    let (_, document) = workflow(&*played.store).await;
    let mut stored = vec![document];
    for series in played.store.series().await.unwrap() {
        stored.push(format!("{series:?} {:?}", played.store.loaded(&series).await.unwrap()));
    }
    (stored, played.published)
}

/// Id and document of the one workflow that there is.
async fn workflow(store: &dyn Store) -> (String, String) {
    let page = store.list(&WorkflowQuery { limit: 2, cursor: None, status: None }).await.unwrap();
    let [document] = &page.documents[..] else { panic!("one request is one workflow") };
    (document.id.to_string(), document.json.to_string())
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn again_or_after_a_newer_one_equals_once(
        happenings in vec(happening(), 1..40),
        repeats in vec(any::<usize>(), 1..20),
    ) {
        let happenings = block_on(possible(happenings));
        let once = block_on(left(&happenings, <[Event]>::to_vec));
        let twice = |history: &[Event]| history.iter().flat_map(|event| [event.clone(), event.clone()]).collect();
        prop_assert_eq!(&block_on(left(&happenings, twice)), &once);
        prop_assert_eq!(&block_on(left(&happenings, |history| with_repeats(history, &repeats))), &once);
    }
}
