//! [`WorkflowStore`] on `SQLite`: a revision is a counter in the row.

use std::collections::BTreeMap;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};
use streamforge_events::{Millis, QueueId};

use super::{
    SqliteStore,
    failure::{Failure, parse},
};
use crate::{
    CreateOutcome, Error, Remembered, Revision, StoredWorkflow, SwapOutcome, WorkflowDocument, WorkflowPage,
    WorkflowQuery, WorkflowStore,
};

#[async_trait]
impl WorkflowStore for SqliteStore {
    async fn get(&self, id: &QueueId) -> Result<Option<StoredWorkflow>, Error> {
        let id = id.to_string();
        self.readers.run(move |connection| find(connection, &id)).await
    }

    async fn create(&self, document: &WorkflowDocument) -> Result<CreateOutcome, Error> {
        let document = document.clone();
        self.writer.run(1, move |connection| insert(connection, &document)).await
    }

    async fn compare_and_set(&self, document: &WorkflowDocument, expected: &Revision) -> Result<SwapOutcome, Error> {
        let (document, expected) = (document.clone(), expected.clone());
        self.writer.run(1, move |connection| swap(connection, &document, &expected)).await
    }

    async fn list(&self, query: &WorkflowQuery) -> Result<WorkflowPage, Error> {
        let query = query.clone();
        self.readers.run(move |connection| page(connection, &query)).await
    }

    async fn count_by_status(&self) -> Result<BTreeMap<String, u64>, Error> {
        self.readers.run(count_by_status).await
    }

    async fn overdue(&self, now: Millis) -> Result<Vec<StoredWorkflow>, Error> {
        self.readers.run(move |connection| overdue(connection, now)).await
    }

    async fn remember(&self, key: &str, body_digest: &[u8; 32], id: &QueueId) -> Result<Remembered, Error> {
        let (key, digest, id) = (key.to_owned(), *body_digest, id.to_string());
        self.writer.run(1, move |connection| remember(connection, &key, digest, &id)).await
    }
}

fn find(connection: &Connection, id: &str) -> Result<Option<StoredWorkflow>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT id, status, created_at, next_deadline, document, revision FROM workflows WHERE id = ?1",
    )?;
    let mut rows = statement.query([id])?;
    rows.next()?.map(stored).transpose()
}

fn insert(connection: &Connection, document: &WorkflowDocument) -> Result<CreateOutcome, Failure> {
    let id = document.id.to_string();
    if let Some(current) = find(connection, &id)? {
        return Ok(CreateOutcome::Exists(current));
    }
    connection
        .prepare_cached(
            "INSERT INTO workflows (id, status, created_at, next_deadline, revision, document)
             VALUES (?1, ?2, ?3, ?4, 1, ?5)",
        )?
        .execute(params![
            id,
            document.status,
            document.created_at,
            document.next_deadline,
            document.json.to_string()
        ])?;
    Ok(CreateOutcome::Created(revision(1)))
}

fn swap(connection: &Connection, document: &WorkflowDocument, expected: &Revision) -> Result<SwapOutcome, Failure> {
    let id = document.id.to_string();
    let next: Option<i64> = connection
        .prepare_cached(
            "UPDATE workflows SET status = ?2, next_deadline = ?3, document = ?4, revision = revision + 1
             WHERE id = ?1 AND CAST(revision AS TEXT) = ?5 RETURNING revision",
        )?
        .query_row(params![id, document.status, document.next_deadline, document.json.to_string(), expected.0], |row| {
            row.get(0)
        })
        .optional()?;
    if let Some(next) = next {
        return Ok(SwapOutcome::Won(revision(next)));
    }
    Ok(find(connection, &id)?.map_or(SwapOutcome::Missing, SwapOutcome::Lost))
}

fn page(connection: &Connection, query: &WorkflowQuery) -> Result<WorkflowPage, Failure> {
    let limit = query.limit();
    let (time, id) = query.position()?;
    let filter = if query.status.is_some() { "status = ?3 AND" } else { "?3 IS NULL AND" };
    let sql = format!(
        "SELECT id, status, created_at, next_deadline, document, revision FROM workflows
         WHERE {filter} (created_at, id) < (?1, ?2) ORDER BY created_at DESC, id DESC LIMIT ?4",
    );
    let one_more = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(&sql)?;
    let found = collect(statement.query(params![time, id, query.status, one_more])?)?;
    Ok(WorkflowPage::cut(found.into_iter().map(|stored| stored.document).collect(), limit))
}

fn count_by_status(connection: &Connection) -> Result<BTreeMap<String, u64>, Failure> {
    let mut statement = connection.prepare_cached("SELECT status, count(*) FROM workflows GROUP BY status")?;
    let counts = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(counts.collect::<Result<_, _>>()?)
}

fn overdue(connection: &Connection, now: Millis) -> Result<Vec<StoredWorkflow>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT id, status, created_at, next_deadline, document, revision FROM workflows
         WHERE next_deadline <= ?1 ORDER BY next_deadline, id",
    )?;
    collect(statement.query([now])?)
}

fn remember(connection: &Connection, key: &str, digest: [u8; 32], id: &str) -> Result<Remembered, Failure> {
    let known: Option<([u8; 32], String)> = connection
        .prepare_cached("SELECT body_digest, workflow_id FROM idempotency_keys WHERE key = ?1")?
        .query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((known_digest, known_id)) = known {
        return if known_digest == digest { Ok(Remembered::Same(parse(&known_id)?)) } else { Ok(Remembered::Other) };
    }
    connection
        .prepare_cached("INSERT INTO idempotency_keys (key, body_digest, workflow_id) VALUES (?1, ?2, ?3)")?
        .execute(params![key, digest, id])?;
    Ok(Remembered::New)
}

fn collect(mut rows: rusqlite::Rows<'_>) -> Result<Vec<StoredWorkflow>, Failure> {
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(stored(row)?);
    }
    Ok(found)
}

fn stored(row: &Row<'_>) -> Result<StoredWorkflow, Failure> {
    let id: String = row.get(0)?;
    let json: String = row.get(4)?;
    let json = serde_json::from_str(&json)
        .map_err(|error| Failure::Damaged(format!("document of workflow `{id}` is not JSON: {error}")))?;
    let document = WorkflowDocument {
        id: parse(&id)?,
        status: row.get(1)?,
        created_at: row.get(2)?,
        next_deadline: row.get(3)?,
        json,
    };
    Ok(StoredWorkflow { document, revision: revision(row.get(5)?) })
}

fn revision(counter: i64) -> Revision {
    Revision(counter.to_string())
}
