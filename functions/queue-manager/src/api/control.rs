//! Stops workflows and sends control commands.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::json;
use streamforge_events::{Command, QueueId};
use streamforge_function::{
    api::{Problem, fields, parse_body, parse_query, required, success},
    axum::{
        body::Bytes,
        extract::{RawQuery, State},
        http::{HeaderMap, StatusCode},
        response::Response,
    },
};

use super::{ApiState, problem::unknown_queue};
use crate::{
    engine::Error,
    outgoing,
    plan::{AVAILABLE, CONNECTOR},
    reduce::Input,
};

/// Answers a ping for a queue that is no workflow of ours: how a connection is tried out.
const DIAGNOSTICS: &str = "dummy-service";

/// `POST /queues/stop`: ends a workflow; one that ended already stays as it is.
pub(super) async fn stop(
    State(state): State<Arc<ApiState>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let pairs = parse_query(query.as_deref().unwrap_or_default(), &["queue_id"])?;
    let queried = pairs.first().map(|(_, id)| id.as_str());
    if let (Some(id), true) = (queried, body.is_empty()) {
        return end(&state, id).await;
    }
    let body = parse_body(&headers, &body)?;
    let given = fields(&body, &["queue_id"])?;
    match queried {
        Some(id) if given.is_empty() => end(&state, id).await,
        Some(id) if id != required(given, "queue_id")? => {
            let message = "the query and the body name different workflows; name one";
            Err(Problem::field("contradiction", "queue_id", message))
        }
        _ => end(&state, required(given, "queue_id")?).await,
    }
}

/// `POST /queues/control`: ping or stop to the functions of a workflow, or to the one that is named.
pub(super) async fn send(
    State(state): State<Arc<ApiState>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let body = parse_body(&headers, &body)?;
    let given = fields(&body, &["queue_id", "command", "target"])?;
    let id = required(given, "queue_id")?;
    let command = match required(given, "command")? {
        "ping" => Command::Ping,
        "stop" => Command::Stop,
        _ => {
            return Err(Problem::field("unknown_command", "command", "known commands are ping and stop"));
        }
    };
    let target = given.get("target").map(|_| required(given, "target")).transpose()?;
    if let Some(target) = target
        && (!AVAILABLE.contains(&target) || target == CONNECTOR)
    {
        let commanded: Vec<&str> = AVAILABLE.into_iter().filter(|function| *function != CONNECTOR).collect();
        let message = format!("available targets are {}", commanded.join(", "));
        return Err(Problem::field("unsupported_target", "target", message));
    }
    let queue_id: QueueId = id.parse().map_err(|_| {
        Problem::field("invalid_queue_id", "queue_id", "write an id of letters, digits, `-`, `_` and `.`")
    })?;
    let workflow = state.engine.load(&queue_id).await?;
    if workflow.is_some() && command == Command::Stop && target.is_none() {
        return end(&state, id).await;
    }
    let stages = workflow.iter().flat_map(|workflow| &workflow.stages);
    let functions = stages.map(|stage| stage.function.as_str()).filter(|function| *function != CONNECTOR);
    let mut targets: BTreeSet<&str> = target.map_or_else(|| functions.collect(), |target| BTreeSet::from([target]));
    if targets.is_empty() {
        targets.insert(DIAGNOSTICS);
    }
    let nonce = state.nonce();
    let events = targets.iter().map(|target| outgoing::control(&queue_id, command, target, &nonce, state.engine.now()));
    let events = events.collect::<Result<Vec<_>, _>>();
    let events = events.map_err(|source| Error::Event { id: queue_id.clone(), source })?;
    state.engine.publisher().publish_all(events).await.map_err(Error::Publish)?;
    Ok(success(StatusCode::ACCEPTED, "command published", &json!({"queue_id": queue_id, "targets": targets})))
}

async fn end(state: &ApiState, id: &str) -> Result<Response, Problem> {
    let queue_id: QueueId = id.parse().map_err(|_| unknown_queue(id))?;
    let workflow = state.engine.apply(&queue_id, Input::Stop).await?;
    let workflow = workflow.ok_or_else(|| unknown_queue(id))?;
    let data = json!({"queue_id": queue_id, "status": workflow.status});
    Ok(success(StatusCode::OK, &format!("workflow is {}", workflow.status.as_str()), &data))
}
