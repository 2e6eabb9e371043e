//! Workflow documents: created once, changed by whoever saw the last state.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::json;
use tokio::task::JoinSet;

use super::{
    Backend,
    samples::{START, queue_id, workflow},
};
use crate::{
    CreateOutcome, Error, Remembered, Store, StoredWorkflow, SwapOutcome, WorkflowDocument, WorkflowPage, WorkflowQuery,
};

async fn stored(store: &dyn Store, id: &str) -> Result<StoredWorkflow, Error> {
    Ok(store.get(&queue_id(id)).await?.expect("the document was created"))
}

/// The first document of an id stays; the second caller sees it.
pub async fn created_once(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let document = workflow("wf-a", "pending", START);
    assert_eq!(store.get(&document.id).await?, None);
    let CreateOutcome::Created(revision) = store.create(&document).await? else { panic!("it was not there") };
    let stored = StoredWorkflow { document: document.clone(), revision };
    assert_eq!(store.get(&document.id).await?, Some(stored.clone()));
    let other = workflow("wf-a", "loading", START + 1);
    assert_eq!(backend.open().await?.create(&other).await?, CreateOutcome::Exists(stored));
    Ok(())
}

/// Only who saw the last state may change it; who loses is shown what it is.
pub async fn lost_swap_shows_the_current_document(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    store.create(&workflow("wf-a", "pending", START)).await?;
    let first = stored(&*store, "wf-a").await?;
    let changed = WorkflowDocument {
        status: "loading".to_owned(),
        next_deadline: Some(START + 5),
        json: json!({"count": 1}),
        ..first.document.clone()
    };
    let SwapOutcome::Won(revision) = store.compare_and_set(&changed, &first.revision).await? else {
        panic!("nobody else wrote")
    };
    let current = StoredWorkflow { document: changed, revision: revision.clone() };
    let lost = store.compare_and_set(&first.document, &first.revision).await?;
    assert_eq!(lost, SwapOutcome::Lost(current.clone()));
    assert_eq!(stored(&*store, "wf-a").await?, current);

    let moved = WorkflowDocument { created_at: START + 99, ..current.document };
    assert!(matches!(store.compare_and_set(&moved, &revision).await?, SwapOutcome::Won(_)));
    assert_eq!(stored(&*store, "wf-a").await?.document.created_at, START);
    Ok(())
}

/// There is no change of a document that is not there.
pub async fn missing_document_cannot_be_swapped(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    store.create(&workflow("wf-a", "pending", START)).await?;
    let revision = stored(&*store, "wf-a").await?.revision;
    let outcome = store.compare_and_set(&workflow("wf-b", "pending", START), &revision).await?;
    assert_eq!(outcome, SwapOutcome::Missing);
    assert_eq!(store.get(&queue_id("wf-b")).await?, None);
    Ok(())
}

/// Writers of several processes that each add one make as many as there are.
pub async fn racing_writers_each_count_once(backend: &impl Backend) -> Result<(), Error> {
    let stores = [backend.open().await?, backend.open().await?];
    stores[0].create(&workflow("wf-a", "pending", START)).await?;
    let mut writers = JoinSet::new();
    for writer in 0..16 {
        let store = Arc::clone(&stores[writer % 2]);
        writers.spawn(async move { increment(&*store).await });
    }
    for written in writers.join_all().await {
        written?;
    }
    assert_eq!(stored(&*stores[1], "wf-a").await?.document.json["count"], 16);
    Ok(())
}

async fn increment(store: &dyn Store) -> Result<(), Error> {
    let mut current = stored(store, "wf-a").await?;
    loop {
        let count = current.document.json["count"].as_u64().unwrap_or_default();
        current.document.json["count"] = json!(count + 1);
        match store.compare_and_set(&current.document, &current.revision).await? {
            SwapOutcome::Won(_) => return Ok(()),
            SwapOutcome::Lost(newer) => current = newer,
            SwapOutcome::Missing => panic!("nobody removes documents"),
        }
    }
}

fn ids(page: &WorkflowPage) -> Vec<String> {
    page.documents.iter().map(|document| document.id.to_string()).collect()
}

fn query(limit: usize, cursor: Option<String>, status: Option<&str>) -> WorkflowQuery {
    WorkflowQuery { limit, cursor, status: status.map(str::to_owned) }
}

/// Pages join without a hole or a repeat, also between documents of one millisecond.
pub async fn list_is_newest_first_and_paged(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    assert!(store.list(&query(10, None, None)).await?.documents.is_empty());
    for (id, age) in [("wf-c", 1), ("wf-a", 0), ("wf-b", 1), ("wf-d", 2)] {
        store.create(&workflow(id, "pending", START - age)).await?;
    }
    let whole = store.list(&query(10, None, None)).await?;
    assert_eq!(ids(&whole), ["wf-a", "wf-c", "wf-b", "wf-d"]);
    assert_eq!(whole.next, None);
    for limit in [1, 2, 3, 4] {
        let (mut cursor, mut found) = (None, Vec::new());
        loop {
            let page = store.list(&query(limit, cursor, None)).await?;
            assert!(page.documents.len() <= limit);
            found.extend(ids(&page));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(found, ids(&whole), "pages of {limit}");
    }
    Ok(())
}

/// A status selects, and the pages of the selection join.
pub async fn list_filters_by_status(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    for (id, status, age) in [("wf-a", "error", 3), ("wf-b", "finished", 2), ("wf-c", "error", 1)] {
        store.create(&workflow(id, status, START - age)).await?;
    }
    let first = store.list(&query(1, None, Some("error"))).await?;
    assert_eq!(ids(&first), ["wf-c"]);
    let second = store.list(&query(1, first.next, Some("error"))).await?;
    assert_eq!((ids(&second), second.next), (vec!["wf-a".to_owned()], None));
    assert!(store.list(&query(1, None, Some("stopped"))).await?.documents.is_empty());
    Ok(())
}

/// Each document counts under the status that it has now.
pub async fn statuses_are_counted(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    assert_eq!(store.count_by_status().await?, BTreeMap::new());
    for (id, status) in [("wf-a", "loading"), ("wf-b", "finished"), ("wf-c", "loading")] {
        store.create(&workflow(id, status, START)).await?;
    }
    let first = stored(&*store, "wf-a").await?;
    let ended = WorkflowDocument { status: "error".to_owned(), ..first.document };
    store.compare_and_set(&ended, &first.revision).await?;
    let counted = ["error", "finished", "loading"].map(|status| (status.to_owned(), 1));
    assert_eq!(store.count_by_status().await?, BTreeMap::from(counted));
    Ok(())
}

/// A cursor that no page gave is an error of the caller.
pub async fn foreign_cursor_is_refused(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    for cursor in ["", "x", "x~wf-a", "1;DROP"] {
        let error = store.list(&query(1, Some(cursor.to_owned()), None)).await;
        assert!(matches!(error, Err(Error::Cursor(_))), "{cursor}");
    }
    Ok(())
}

/// A deadline that has come is found, one that lies ahead or was taken away is not.
pub async fn overdue_documents_are_found(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    for (id, deadline) in [("wf-a", Some(30)), ("wf-b", Some(10)), ("wf-c", None), ("wf-d", Some(31))] {
        store.create(&WorkflowDocument { next_deadline: deadline, ..workflow(id, "loading", START) }).await?;
    }
    assert!(store.overdue(9).await?.is_empty());
    let overdue = store.overdue(30).await?;
    let found: Vec<_> = overdue.iter().map(|stored| stored.document.id.to_string()).collect();
    assert_eq!(found, ["wf-b", "wf-a"]);
    let done = WorkflowDocument { next_deadline: None, ..overdue[0].document.clone() };
    store.compare_and_set(&done, &overdue[0].revision).await?;
    assert_eq!(store.overdue(30).await?, overdue[1..]);
    Ok(())
}

/// One key stands for one request, whoever comes first.
pub async fn same_request_is_remembered(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let (first, second) = (queue_id("wf-a"), queue_id("wf-b"));
    assert_eq!(store.remember("key ü", &[1; 32], &first).await?, Remembered::New);
    let other = backend.open().await?;
    assert_eq!(other.remember("key ü", &[1; 32], &second).await?, Remembered::Same(first));
    assert_eq!(other.remember("key ü", &[2; 32], &second).await?, Remembered::Other);
    assert_eq!(other.remember("key u", &[2; 32], &second).await?, Remembered::New);
    Ok(())
}
