//! The bodies that the calls take, as their document describes them.

use serde_json::{Value, json};
use streamforge_function::api::openapi::{About, reference};

/// What the document says beside the calls.
pub(super) const ABOUT: About = About {
    title: "StreamForge queue-manager",
    description: "Starts, stops and shows workflows.",
    idempotent: &["WorkflowRequest", "ShortRequest", "TestFlow", "RetryRequest"],
    optional: &["QueueReference"],
};

/// The schemas of all bodies, by name.
pub(super) fn schemas() -> Value {
    let text = json!({"type": "string"});
    json!({
        "WorkflowRequest": {
            "type": "object", "additionalProperties": false, "required": ["time_range"],
            "properties": {
                "symbol": text,
                "symbols": {"type": "array", "items": text},
                "time_range": {"type": "string", "description":
                    "YYYY-MM-DD:YYYY-MM-DD, both days inclusive, UTC; or two RFC 3339 instants joined by /, half-open"},
                "requests": {"type": "array", "items": reference("StageRequest")},
                "microservices": {"type": "array", "items": reference("StageRequest")},
            },
        },
        "StageRequest": {
            "type": "object", "required": ["target", "type"],
            "properties": {
                "target": {"type": "string", "description": "loader-producer, or the name of a function"},
                "type": {"type": "string", "description": "such as api_candles_15m, api_trades, gnn_graph"},
                "after": {"type": "array", "items": text, "description": "<target>/<type> of what must be finished first"},
                "refresh": {"type": "boolean", "description": "load what is stored already, too"},
            },
        },
        "ShortRequest": {
            "type": "object", "additionalProperties": false, "required": ["type", "time_range"],
            "properties": {
                "symbol": text, "symbols": {"type": "array", "items": text}, "type": text, "time_range": text,
            },
        },
        "TestFlow": {
            "type": "object", "additionalProperties": false, "required": ["flow"],
            "properties": {
                "flow": {"enum": ["default_candles_flow", "default_trade_flow"]},
                "symbol": text, "time_range": text, "type": text,
            },
        },
        "QueueReference": {
            "type": "object", "additionalProperties": false, "properties": {"queue_id": text},
        },
        "RetryRequest": {
            "type": "object", "additionalProperties": false, "required": ["queue_id"], "properties": {"queue_id": text},
        },
        "ControlRequest": {
            "type": "object", "additionalProperties": false, "required": ["queue_id", "command"],
            "properties": {
                "queue_id": text, "command": {"enum": ["ping", "stop"]},
                "target": {"type": "string", "description": "the function; without it all functions of the workflow"},
            },
        },
    })
}
