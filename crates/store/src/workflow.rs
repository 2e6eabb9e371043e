//! Workflow documents: created once, changed by compare-and-set, and the idempotency keys of their requests.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::Value;
use streamforge_events::{Millis, QueueId};

use crate::Error;

/// A workflow as it is stored; the fields beside `json` are what it can be found by.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkflowDocument {
    /// Names the workflow.
    pub id: QueueId,
    /// How far it is, in the words of its owner.
    pub status: String,
    /// When it was created; never changed afterwards.
    pub created_at: Millis,
    /// When somebody has to look at it, if ever.
    pub next_deadline: Option<Millis>,
    /// The whole document.
    pub json: Value,
}

/// Stands for one state of a document; opaque, only good for [`WorkflowStore::compare_and_set`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision(pub(crate) String);

/// A document and the state it is in.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredWorkflow {
    /// The document.
    pub document: WorkflowDocument,
    /// Its state.
    pub revision: Revision,
}

/// What became of [`WorkflowStore::create`].
#[derive(Clone, Debug, PartialEq)]
pub enum CreateOutcome {
    /// The document is stored.
    Created(Revision),
    /// There is a document of that id already; it is untouched.
    Exists(StoredWorkflow),
}

/// What became of [`WorkflowStore::compare_and_set`].
#[derive(Clone, Debug, PartialEq)]
pub enum SwapOutcome {
    /// The document is replaced.
    Won(Revision),
    /// Somebody else changed it before; this is what it is.
    Lost(StoredWorkflow),
    /// There is no such document.
    Missing,
}

/// What became of [`WorkflowStore::remember`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remembered {
    /// The key was unknown and stands for the offered workflow from now on.
    New,
    /// The same request came before and became this workflow.
    Same(QueueId),
    /// The key stands for a request with another body.
    Other,
}

/// Which documents to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkflowQuery {
    /// How many at most; at least one is read.
    pub limit: usize,
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// Only those of this status.
    pub status: Option<String>,
}

/// A page of documents, newest first.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkflowPage {
    /// The documents.
    pub documents: Vec<WorkflowDocument>,
    /// Cursor of the next page, if there is one.
    pub next: Option<String>,
}

/// What a page holds at most, whatever is asked for.
const MAX_PAGE: usize = 10_000;

impl WorkflowQuery {
    /// How many documents the page may hold.
    pub(crate) fn limit(&self) -> usize {
        self.limit.clamp(1, MAX_PAGE)
    }

    /// Creation time and id that the page begins below.
    pub(crate) fn position(&self) -> Result<(Millis, String), Error> {
        let Some(cursor) = &self.cursor else { return Ok((Millis::MAX, String::new())) };
        let position = cursor.split_once('~').and_then(|(time, id)| Some((time.parse().ok()?, id.to_owned())));
        position.ok_or_else(|| Error::Cursor(cursor.chars().take(64).collect()))
    }
}

impl WorkflowPage {
    /// A page of at most `limit` of the documents; there is a next one if there are more.
    pub(crate) fn cut(mut documents: Vec<WorkflowDocument>, limit: usize) -> Self {
        let more = documents.len() > limit;
        documents.truncate(limit);
        let last = documents.last().filter(|_| more);
        let next = last.map(|document| format!("{}~{}", document.created_at, document.id));
        Self { documents, next }
    }
}

/// Workflow documents.
#[async_trait]
pub trait WorkflowStore: Send + Sync {
    /// Reads a document.
    ///
    /// # Errors
    /// A failure of the store.
    async fn get(&self, id: &QueueId) -> Result<Option<StoredWorkflow>, Error>;

    /// Stores a document unless there is one of its id.
    ///
    /// # Errors
    /// A failure of the store.
    async fn create(&self, document: &WorkflowDocument) -> Result<CreateOutcome, Error>;

    /// Replaces a document if it is still in the state `expected`; its `created_at` stays.
    ///
    /// # Errors
    /// A failure of the store.
    async fn compare_and_set(&self, document: &WorkflowDocument, expected: &Revision) -> Result<SwapOutcome, Error>;

    /// Lists documents, newest first, then by id.
    ///
    /// # Errors
    /// [`Error::Cursor`] if the cursor is not one of this store, or a failure of the store.
    async fn list(&self, query: &WorkflowQuery) -> Result<WorkflowPage, Error>;

    /// How many documents there are of each status; one that no document has is left out.
    ///
    /// # Errors
    /// A failure of the store.
    async fn count_by_status(&self) -> Result<BTreeMap<String, u64>, Error>;

    /// All documents whose deadline is at or before `now`, the most overdue first.
    ///
    /// # Errors
    /// A failure of the store.
    async fn overdue(&self, now: Millis) -> Result<Vec<StoredWorkflow>, Error>;

    /// Ties an idempotency key to a request and its workflow; the first call wins.
    ///
    /// # Errors
    /// A failure of the store.
    async fn remember(&self, key: &str, body_digest: &[u8; 32], id: &QueueId) -> Result<Remembered, Error>;
}
