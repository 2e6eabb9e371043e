//! Starts workflows: the full request, the short form and the test flows.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use streamforge_events::{digest, hex};
use streamforge_function::{
    Trace,
    api::{Problem, fields, parse_body, required, success},
    axum::{
        body::Bytes,
        extract::State,
        http::{HeaderMap, StatusCode},
        response::Response,
    },
};

use super::{ApiState, read::find, starting::MOST_KEY};
use crate::{
    engine::{Error, Request},
    outgoing,
};

/// Source of the events that stand for requests to the API.
const SOURCE: &str = "/streamforge/api";

/// `POST /queues/start-pipeline`: a full request.
pub(super) async fn pipeline(
    State(state): State<Arc<ApiState>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let body = parse_body(&headers, &body)?;
    start(&state, &headers, body).await
}

/// `POST /queues/start`: one loader with its connector.
pub(super) async fn short(
    State(state): State<Arc<ApiState>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let body = expand_short(&parse_body(&headers, &body)?)?;
    start(&state, &headers, body).await
}

/// `POST /queues/start-test-flow`: a flow that needs nothing but its name.
pub(super) async fn test_flow(
    State(state): State<Arc<ApiState>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let body = expand_test_flow(&parse_body(&headers, &body)?)?;
    start(&state, &headers, body).await
}

/// `POST /queues/retry`: the request of a workflow that has ended, as a new workflow.
pub(super) async fn retry(
    State(state): State<Arc<ApiState>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let body = parse_body(&headers, &body)?;
    let (_, workflow) = find(&state, required(fields(&body, &["queue_id"])?, "queue_id")?).await?;
    if !workflow.status.is_terminal() {
        let message = format!("the workflow is {}; stop it before it is started again", workflow.status.as_str());
        return Err(Problem::new(StatusCode::CONFLICT, "not_ended", message));
    }
    start(&state, &headers, workflow.request).await
}

async fn start(state: &ApiState, headers: &HeaderMap, body: Value) -> Result<Response, Problem> {
    let id = match idempotency_key(headers)? {
        Some(key) => format!("key-{}", &hex(&digest(&[key]))[..32]),
        None => format!("request-{}", state.nonce()),
    };
    let request = Request { source: SOURCE.to_owned(), id, body, traceparent: Some(traceparent(headers)) };
    let queue_id = state.engine.accept(&request).await?;
    let event = outgoing::requested(&request, &queue_id, state.engine.now());
    let event = event.map_err(|source| Error::Event { id: queue_id.clone(), source })?;
    // The pending document is durable and has a deadline: without this event the clock brings it to the engine.
    if let Err(error) = state.engine.publisher().publish(&event).await {
        tracing::warn!(%queue_id, %error, "accepted workflow waits for the clock");
    }
    let location = format!("/queues/{queue_id}");
    let mut response = success(StatusCode::ACCEPTED, "workflow accepted", &json!({"queue_id": queue_id}));
    if let Ok(location) = location.parse() {
        response.headers_mut().insert("location", location);
    }
    Ok(response)
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let key = value.to_str().ok().filter(|key| (1..=MOST_KEY).contains(&key.len()));
    let message = format!("the key must be 1 to {MOST_KEY} characters of ASCII");
    key.map(Some).ok_or_else(|| Problem::field("invalid_idempotency_key", "Idempotency-Key", message))
}

fn traceparent(headers: &HeaderMap) -> String {
    let parent = headers.get("traceparent").and_then(|value| value.to_str().ok());
    let trace = parent.and_then(|parent| Trace::parse(parent, None));
    trace.map_or_else(Trace::start, |trace| trace.child()).traceparent()
}

/// `{"symbol", "type", "time_range"}` as the full request that it stands for.
fn expand_short(body: &Value) -> Result<Value, Problem> {
    let given = fields(body, &["symbol", "symbols", "type", "time_range"])?;
    let kind = required(given, "type")?.to_owned();
    let rest: Map<String, Value> =
        given.iter().filter(|(name, _)| *name != "type").map(|(name, value)| (name.clone(), value.clone())).collect();
    Ok(full_request(rest, &kind))
}

/// A test flow as the full request that it stands for; a given field wins over the flow's own.
fn expand_test_flow(body: &Value) -> Result<Value, Problem> {
    let given = fields(body, &["flow", "symbol", "type", "time_range"])?;
    let (kind, time_range) = match required(given, "flow")? {
        "default_candles_flow" => ("api_candles_5m", "2024-01-01:2024-01-03"),
        "default_trade_flow" => ("api_trades", "2024-01-01:2024-01-01"),
        _ => {
            let message = "known flows are default_candles_flow and default_trade_flow";
            return Err(Problem::field("unknown_flow", "flow", message));
        }
    };
    let kind = if given.contains_key("type") { required(given, "type")? } else { kind };
    let value = |name: &str, default: &str| given.get(name).cloned().unwrap_or_else(|| default.into());
    let rest = [("symbol", value("symbol", "BTCUSDT")), ("time_range", value("time_range", time_range))];
    Ok(full_request(rest.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(), kind))
}

fn full_request(mut request: Map<String, Value>, kind: &str) -> Value {
    let requests = ["loader-producer", "arango-connector"].map(|target| json!({"target": target, "type": kind}));
    request.insert("requests".to_owned(), requests.to_vec().into());
    Value::Object(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_stand_for_full_requests() {
        let short = json!({"symbol": "BTCUSDT", "type": "api_candles_5m", "time_range": "2024-01-01:2024-01-03"});
        let full = json!({
            "symbol": "BTCUSDT", "time_range": "2024-01-01:2024-01-03",
            "requests": [
                {"target": "loader-producer", "type": "api_candles_5m"},
                {"target": "arango-connector", "type": "api_candles_5m"},
            ],
        });
        assert_eq!(expand_short(&short), Ok(full.clone()));
        assert_eq!(expand_test_flow(&json!({"flow": "default_candles_flow"})), Ok(full));
    }
}
