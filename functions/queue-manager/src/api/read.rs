//! Lists workflows and shows one.

use std::sync::Arc;

use serde_json::{Value, json};
use streamforge_events::QueueId;
use streamforge_function::{
    api::{PathName, Problem, name_in_path, parse_query, success},
    axum::{
        extract::{RawQuery, State},
        http::StatusCode,
        response::Response,
    },
};
use streamforge_store::{Error as StoreError, WorkflowQuery};

use super::{ApiState, problem::unknown_queue};
use crate::{
    document::{Status, Workflow},
    engine::{self, Error},
};

pub(super) const LIMIT: usize = 50;
pub(super) const MAX_LIMIT: usize = 500;

/// `GET /queues` and `/queues/list`: summaries, newest first.
pub(super) async fn list(State(state): State<Arc<ApiState>>, RawQuery(text): RawQuery) -> Result<Response, Problem> {
    let query = list_query(text.as_deref().unwrap_or_default())?;
    let page = state.engine.store().list(&query).await.map_err(|error| match error {
        StoreError::Cursor(_) => Problem::field("invalid_cursor", "cursor", error.to_string()),
        error => Problem::from(Error::Store(error)),
    })?;
    let queues = page.documents.iter().map(|document| engine::read(document).map(|workflow| workflow.summary()));
    let queues = queues.collect::<Result<Vec<Value>, Error>>().map_err(Problem::from)?;
    Ok(success(StatusCode::OK, "workflows, newest first", &json!({"queues": queues, "next_cursor": page.next})))
}

/// `GET /queues/{queue_id}`: one workflow, with stages and tasks.
pub(super) async fn show(State(state): State<Arc<ApiState>>, path: PathName) -> Result<Response, Problem> {
    let id = name_in_path(path)?;
    let (_, workflow) = find(&state, &id).await?;
    Ok(success(StatusCode::OK, "workflow", &workflow.view()))
}

/// The workflow that a caller names.
pub(super) async fn find(state: &ApiState, id: &str) -> Result<(QueueId, Workflow), Problem> {
    // A text that cannot be the id of a workflow names none.
    let queue_id: QueueId = id.parse().map_err(|_| unknown_queue(id))?;
    let workflow = state.engine.load(&queue_id).await.map_err(Problem::from)?;
    workflow.map(|workflow| (queue_id, workflow)).ok_or_else(|| unknown_queue(id))
}

fn list_query(text: &str) -> Result<WorkflowQuery, Problem> {
    let mut query = WorkflowQuery { limit: LIMIT, cursor: None, status: None };
    for (name, value) in parse_query(text, &["limit", "cursor", "status"])? {
        match name.as_str() {
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
                let message = format!("limit must be a whole number from 1 to {MAX_LIMIT}");
                query.limit = limit.ok_or_else(|| Problem::field("invalid_limit", "limit", message))?;
            }
            "status" => {
                let message = "status must be pending, loading, finished, stopped or error";
                let status = Status::parse(&value);
                let status = status.ok_or_else(|| Problem::field("invalid_status", "status", message))?;
                query.status = Some(status.as_str().to_owned());
            }
            _ => query.cursor = Some(value),
        }
    }
    Ok(query)
}
