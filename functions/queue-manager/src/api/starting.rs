//! What is documented of all calls that start a workflow: the key that makes many of them one, and where it is shown.

use serde_json::{Value, json};
use streamforge_function::api::openapi::{Answer, Route, operation_id};

/// Longest key that makes one workflow of many calls.
///
/// # Units
/// Characters.
pub(super) const MOST_KEY: usize = 255;

/// What only these calls answer.
pub(super) const ACCEPTED: Answer = Answer::Data(202, "Accepted");

/// Adds the header, and what can be done with the workflow that was started.
pub(super) fn describe(document: &mut Value, routes: &[Route]) {
    for route in routes.iter().filter(|route| route.answer == ACCEPTED) {
        let call = &mut document["paths"][route.path][route.method];
        if let Some(parameters) = call["parameters"].as_array_mut() {
            parameters.push(json!({
                "name": "Idempotency-Key", "in": "header", "required": false,
                "schema": {"type": "string", "minLength": 1, "maxLength": MOST_KEY, "pattern": "^[ -~]+$"},
                "description": "the same key with the same body is one workflow",
            }));
        }
        let accepted = &mut call["responses"]["202"];
        accepted["headers"] = json!({"Location": {
            "description": "where the workflow is shown", "required": true,
            "schema": {"type": "string", "pattern": "^/queues/.+$"},
        }});
        accepted["links"] = links();
    }
}

fn links() -> Value {
    let id = "$response.body#/data/queue_id";
    let by_id = |method, path| json!({"operationId": operation_id(method, path), "parameters": {"queue_id": id}});
    json!({
        "show": by_id("get", "/queues/{queue_id}"),
        "watch": by_id("get", "/queues/{queue_id}/events"),
        "stop": by_id("post", "/queues/stop"),
    })
}
