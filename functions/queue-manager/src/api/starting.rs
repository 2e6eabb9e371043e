//! What is documented of all calls that start a workflow: the key that makes many of them one, and where it is shown.

use serde_json::{Value, json};
use streamforge_function::api::openapi::operation_id;

/// Longest key that makes one workflow of many calls.
///
/// # Units
/// Characters.
pub(super) const MOST_KEY: usize = 255;

/// Name of the schema that only these calls answer with.
pub(super) const ACCEPTED: &str = "Accepted";

/// Adds the header, and what can be done with the workflow that was started.
pub(super) fn describe(document: &mut Value) {
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    for call in paths.flat_map(|(_, path)| path.as_object_mut().into_iter().flatten().map(|(_, call)| call)) {
        let answer = call["responses"]["202"].to_string();
        if !answer.contains(&format!("/{ACCEPTED}\"")) {
            continue;
        }
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
