//! [`WorkflowStore`] on `ArangoDB`: one document a workflow, changed under the condition of its revision.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use streamforge_events::{Millis, QueueId};

use super::{
    ArangoStore, aql,
    cas::{Decision, Marks},
    documents::{Change, Found},
    failure::Failure,
    names::{self, digest_key, hex},
};
use crate::{
    CreateOutcome, Error, Remembered, Revision, StoredWorkflow, SwapOutcome, WorkflowDocument, WorkflowPage,
    WorkflowQuery, WorkflowStore,
};

/// A workflow as it is stored.
#[derive(Serialize, Deserialize)]
struct Record {
    #[serde(rename = "_key")]
    key: String,
    #[serde(rename = "_rev", default, skip_serializing)]
    revision: String,
    id: QueueId,
    status: String,
    created_at: Millis,
    next_deadline: Option<Millis>,
    document: Value,
    marks: Marks,
}

/// What a change changes; the rest stays.
#[derive(Serialize)]
struct Fields<'a> {
    status: &'a str,
    next_deadline: Option<Millis>,
    document: &'a Value,
    marks: Marks,
}

/// A request as it is remembered.
#[derive(Serialize, Deserialize)]
struct Request {
    key: String,
    body_digest: String,
    workflow: QueueId,
}

#[async_trait]
impl WorkflowStore for ArangoStore {
    async fn get(&self, id: &QueueId) -> Result<Option<StoredWorkflow>, Error> {
        self.named(self.workflow(id).await.map(|found| found.map(stored)))
    }

    async fn create(&self, document: &WorkflowDocument) -> Result<CreateOutcome, Error> {
        self.named(self.create_workflow(document).await)
    }

    async fn compare_and_set(&self, document: &WorkflowDocument, expected: &Revision) -> Result<SwapOutcome, Error> {
        self.named(self.swap_workflow(document, expected).await)
    }

    async fn list(&self, query: &WorkflowQuery) -> Result<WorkflowPage, Error> {
        let (time, id) = query.position()?;
        let limit = query.limit();
        let status = &query.status;
        let variables = |last: Option<&Record>, limit: usize| match last {
            Some(last) => json!({"status": status, "time": last.created_at, "id": last.id, "limit": limit}),
            None => json!({"status": status, "time": time, "id": id, "limit": limit}),
        };
        let found: Vec<Record> = self.named(self.pages(aql::WORKFLOWS, limit + 1, variables).await)?;
        Ok(WorkflowPage::cut(found.into_iter().map(|record| stored(record).document).collect(), limit))
    }

    async fn count_by_status(&self) -> Result<BTreeMap<String, u64>, Error> {
        let rows = self.session.options.page_rows;
        let counts: Vec<(String, u64)> = self.named(self.query(aql::STATUSES, json!({}), rows).await)?;
        Ok(counts.into_iter().collect())
    }

    async fn overdue(&self, now: Millis) -> Result<Vec<StoredWorkflow>, Error> {
        let rows = self.session.options.page_rows;
        let found: Vec<Record> = self.named(self.query(aql::OVERDUE, json!({"now": now}), rows).await)?;
        Ok(found.into_iter().map(stored).collect())
    }

    async fn remember(&self, key: &str, body_digest: &[u8; 32], id: &QueueId) -> Result<Remembered, Error> {
        let digest = hex(body_digest);
        let look = |found: Option<Request>| {
            Ok(match found {
                None => {
                    let request = Request { key: key.to_owned(), body_digest: digest.clone(), workflow: id.clone() };
                    Decision::Write(request, Remembered::New)
                }
                Some(known) if known.body_digest == digest => Decision::Keep(Remembered::Same(known.workflow)),
                Some(_) => Decision::Keep(Remembered::Other),
            })
        };
        self.named(self.decide(names::IDEMPOTENCY_KEYS, &digest_key(&[key]), look).await)
    }
}

impl ArangoStore {
    async fn workflow(&self, id: &QueueId) -> Result<Option<Record>, Failure> {
        let found: Option<Found<Record>> = self.find(names::QUEUE_STATE, &key_of(id)).await?;
        Ok(found.map(|found| Record { revision: found.revision, ..found.value }))
    }

    async fn create_workflow(&self, document: &WorkflowDocument) -> Result<CreateOutcome, Failure> {
        let (marks, mine) = Marks::default().and_mine();
        let record = Record {
            key: key_of(&document.id),
            revision: String::new(),
            id: document.id.clone(),
            status: document.status.clone(),
            created_at: document.created_at,
            next_deadline: document.next_deadline,
            document: document.json.clone(),
            marks,
        };
        if let Some(revision) = self.insert(names::QUEUE_STATE, &record).await? {
            return Ok(CreateOutcome::Created(revision_of(&revision, &record.marks)));
        }
        let current = self.workflow(&document.id).await?;
        let current = current.ok_or_else(|| Failure::Unavailable(format!("workflow `{}` went away", document.id)))?;
        if current.marks.have(&mine) {
            // The reply to the try before was lost. What others have made of it since is not ours to replace unseen.
            let seen = if current.marks.end_with(&mine) { current.revision.as_str() } else { "lost" };
            return Ok(CreateOutcome::Created(revision_of(seen, &record.marks)));
        }
        Ok(CreateOutcome::Exists(stored(current)))
    }

    async fn swap_workflow(&self, document: &WorkflowDocument, expected: &Revision) -> Result<SwapOutcome, Failure> {
        let (revision, marks) = expected.0.split_once(' ').unwrap_or((&expected.0, ""));
        let (marks, mine) = Marks::parse(marks).and_mine();
        let fields = Fields {
            status: &document.status,
            next_deadline: document.next_deadline,
            document: &document.json,
            marks: marks.clone(),
        };
        match self.change(names::QUEUE_STATE, &key_of(&document.id), revision, &fields).await? {
            Change::Won(revision) => return Ok(SwapOutcome::Won(revision_of(&revision, &marks))),
            Change::Missing => return Ok(SwapOutcome::Missing),
            Change::Lost => {}
        }
        let Some(current) = self.workflow(&document.id).await? else { return Ok(SwapOutcome::Missing) };
        if current.marks.have(&mine) {
            let seen = if current.marks.end_with(&mine) { current.revision.as_str() } else { revision };
            return Ok(SwapOutcome::Won(revision_of(seen, &marks)));
        }
        Ok(SwapOutcome::Lost(stored(current)))
    }
}

/// Ids of workflows may have letters that no key may have.
fn key_of(id: &QueueId) -> String {
    names::text_key(id.as_str())
}

/// The server's revision, and the marks that the next change has to carry on.
fn revision_of(revision: &str, marks: &Marks) -> Revision {
    Revision(format!("{revision} {}", marks.joined()))
}

fn stored(record: Record) -> StoredWorkflow {
    let revision = revision_of(&record.revision, &record.marks);
    let Record { id, status, created_at, next_deadline, document: json, .. } = record;
    StoredWorkflow { document: WorkflowDocument { id, status, created_at, next_deadline, json }, revision }
}
