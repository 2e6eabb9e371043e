//! Tasks of jobs that are out, and who has them: what the workflow documents and the leases say.

use serde::Deserialize;
use serde_json::Value;
use streamforge_events::{Millis, QueueId, Symbol, parse_instant};
use streamforge_function::lease_key;
use streamforge_store::{Store, WorkflowDocument, WorkflowQuery};

use crate::{
    error::Error,
    seen::{Lease, Stage, Task},
};

/// Documents read at once; one is as long as its workflow has tasks.
const PAGE: usize = 100;

/// A workflow that goes on.
const LIVE: &str = "loading";

/// Work that a process holds by a lease: a training, and what listens until it is stopped.
const HELD: [&str; 2] = ["job", "stream"];

/// As much of a workflow's document as matters here.
#[derive(Deserialize)]
struct Document {
    stages: Vec<StoredStage>,
}

#[derive(Deserialize)]
struct StoredStage {
    function: String,
    r#type: String,
    work: Value,
    tasks: Vec<StoredTask>,
}

#[derive(Deserialize)]
struct StoredTask {
    id: String,
    symbol: Symbol,
    state: String,
    attempt: u32,
    heard_at: String,
    #[serde(default)]
    retry_at: Option<String>,
}

/// All tasks that were given out to a job and are not done.
pub(crate) async fn tasks(store: &dyn Store) -> Result<Vec<Task>, Error> {
    let mut tasks = Vec::new();
    let mut query = WorkflowQuery { limit: PAGE, cursor: None, status: Some(LIVE.to_owned()) };
    loop {
        let page = store.list(&query).await?;
        for document in page.documents {
            tasks.extend(read(document)?);
        }
        query.cursor = page.next;
        if query.cursor.is_none() {
            break;
        }
    }
    for task in &mut tasks {
        let lease = store.lease(&lease_key(&task.queue_id, &task.id)).await?;
        task.lease =
            lease.map(|lease| Lease { holder: lease.holder.parse().ok(), words: lease.holder, until: lease.until });
    }
    Ok(tasks)
}

/// Takes the task from whoever is known to have it; false if somebody else has it meanwhile, or nobody.
pub(crate) async fn fence(store: &dyn Store, task: &Task) -> Result<bool, Error> {
    let key = lease_key(&task.queue_id, &task.id);
    let Some(known) = &task.lease else { return Ok(false) };
    match store.lease(&key).await? {
        Some(lease) if lease.holder == known.words => Ok(store.release(&key, lease.fence).await?),
        _ => Ok(false),
    }
}

fn read(document: WorkflowDocument) -> Result<Vec<Task>, Error> {
    let WorkflowDocument { id, json, .. } = document;
    let stages = Document::deserialize(json).map_err(|source| Error::Document { id: id.clone(), source })?.stages;
    let held = stages.into_iter().filter(|stage| HELD.iter().any(|work| stage.work == *work));
    let tasks = held.flat_map(|stage| {
        let StoredStage { function, r#type, tasks, .. } = stage;
        let id = id.clone();
        tasks.into_iter().filter_map(move |stored| task(&id, &function, &r#type, stored))
    });
    Ok(tasks.collect())
}

fn task(queue_id: &QueueId, function: &str, kind: &str, stored: StoredTask) -> Option<Task> {
    let stage = match stored.state.as_str() {
        "sent" | "started" if stored.retry_at.is_some() => Stage::Pausing,
        "sent" => Stage::Sent,
        "started" => Stage::Begun,
        _ => return None,
    };
    let heard_at: Millis = parse_instant(&stored.heard_at)?;
    Some(Task {
        queue_id: queue_id.clone(),
        id: stored.id,
        function: function.to_owned(),
        kind: kind.to_owned(),
        symbol: stored.symbol,
        attempt: stored.attempt,
        stage,
        heard_at,
        lease: None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use streamforge_store::LeaseOutcome;

    use super::*;

    fn document(tasks: &Value) -> WorkflowDocument {
        let stage = |function: &str, work: &Value, tasks: &Value| json!({"name": "n", "function": function, "type": "gnn_train", "work": work, "tasks": tasks, "more": 1});
        let loading = json!([{"id": "load-0", "symbol": "BTCUSDT", "state": "started", "attempt": 1,
            "heard_at": "2025-01-01T00:00:00Z"}]);
        let stages = [
            stage("loader-api-candles", &json!({"load": {"klines": "1m"}}), &loading),
            stage("arango-connector", &json!({"store": "loader"}), &json!([])),
            stage("predictor", &json!("live"), &loading),
            stage("gnn-trainer", &json!("job"), tasks),
            stage("loader-ws", &json!("stream"), &json!([stored("listens", "started", &json!({}))])),
        ];
        WorkflowDocument {
            id: "wf-multi-gnn_train-20250101-a1b2c3".parse().unwrap(),
            status: LIVE.to_owned(),
            created_at: 0,
            next_deadline: None,
            json: json!({"status": LIVE, "stages": stages}),
        }
    }

    fn stored(id: &str, state: &str, more: &Value) -> Value {
        let mut task = json!({"id": id, "symbol": "BTCUSDT", "range": [0, 1], "state": state, "attempt": 2,
            "heard_at": "2025-01-01T00:00:07Z"});
        task.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        task
    }

    #[tokio::test]
    async fn tasks_of_jobs_are_read_with_their_holders_who_are_fenced_once() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/store.db", folder.path().display());
        let store = streamforge_store::open(&url).await.unwrap();
        let tasks_of = json!([
            stored("waits", "waiting", &json!({})),
            stored("sent", "sent", &json!({})),
            stored("begun", "started", &json!({})),
            stored("pauses", "started", &json!({"retry_at": "2025-01-01T00:00:09Z"})),
            stored("done", "done", &json!({})),
        ]);
        let document = document(&tasks_of);
        store.create(&document).await.unwrap();
        let other =
            WorkflowDocument { id: "wf-other".parse().unwrap(), status: "stopped".to_owned(), ..document.clone() };
        store.create(&other).await.unwrap();
        let key = lease_key(&document.id, "begun");
        let LeaseOutcome::Acquired(fence_of_pod) = store.acquire(&key, "pod#2", 5, 9).await.unwrap() else { panic!() };

        let found = tasks(&*store).await.unwrap();
        let stages: Vec<(&str, Stage)> = found.iter().map(|task| (task.id.as_str(), task.stage)).collect();
        let expected = [("sent", Stage::Sent), ("begun", Stage::Begun), ("pauses", Stage::Pausing)];
        assert_eq!(stages, [&expected[..], &[("listens", Stage::Begun)]].concat());
        assert_eq!(found[3].function, "loader-ws");
        let begun = &found[1];
        assert_eq!((begun.attempt, begun.heard_at, begun.function.as_str()), (2, 1_735_689_607_000, "gnn-trainer"));
        let lease = begun.lease.clone().unwrap();
        assert_eq!((lease.holder.unwrap().process.as_str(), lease.until), ("pod", 9));
        assert_eq!(found[0].lease, None);

        assert!(!fence(&*store, &found[0]).await.unwrap());
        assert!(fence(&*store, begun).await.unwrap());
        assert!(!store.renew(&key, fence_of_pod, 6, 10).await.unwrap());
        assert!(matches!(store.acquire(&key, "next#3", 6, 9).await.unwrap(), LeaseOutcome::Acquired(_)));
        assert!(!fence(&*store, begun).await.unwrap(), "it is another's now");
        assert_eq!(store.lease(&key).await.unwrap().unwrap().holder, "next#3");
    }

    #[test]
    fn a_document_of_something_else_is_refused() {
        let strange = WorkflowDocument { json: json!({"stages": 7}), ..document(&json!([])) };
        assert!(matches!(read(strange), Err(Error::Document { .. })));
    }
}
