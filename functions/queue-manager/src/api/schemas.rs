//! What the calls take and what they answer, as their document describes it.

use serde_json::{Map, Value, json};
use streamforge_function::api::{
    openapi::{About, reference},
    schema,
};

use crate::{
    document::Status,
    plan::{AVAILABLE, CONNECTOR},
};

/// What the document says beside the calls.
pub(super) const ABOUT: About =
    About { title: "StreamForge queue-manager", description: "Starts, stops and shows workflows." };

/// All schemas, by name.
pub(super) fn schemas() -> Value {
    let mut schemas = answers();
    schemas.extend(bodies());
    schemas.into()
}

/// How far a workflow or a stage of it is.
pub(super) fn status() -> Value {
    let all = [Status::Pending, Status::Loading, Status::Finished, Status::Stopped, Status::Error];
    json!({"enum": all.map(Status::as_str)})
}

/// What is answered.
fn answers() -> Map<String, Value> {
    let text = json!({"type": "string"});
    let number = json!({"type": "integer", "minimum": 0});
    let instant = json!({"type": "string", "format": "date-time"});
    let perhaps = json!({"type": ["string", "null"], "format": "date-time"});
    // Tools know fewer letters than symbols have, so what is answered has no pattern.
    let id = json!({"type": "string", "minLength": 1, "maxLength": 200});
    let symbol = json!({"type": "string", "minLength": 1, "maxLength": 64});
    object(json!({
        "Accepted": {"type": "object", "required": ["queue_id"], "properties": {"queue_id": id}},
        "Ended": {
            "type": "object", "required": ["queue_id", "status"],
            "properties": {"queue_id": id, "status": status()},
        },
        "Commanded": {
            "type": "object", "required": ["queue_id", "targets"],
            "properties": {
                "queue_id": id,
                "targets": {"type": "array", "minItems": 1, "items": text, "description": "the functions that are told"},
            },
        },
        "Page": {
            "type": "object", "required": ["queues", "next_cursor"],
            "properties": {
                "queues": {"type": "array", "items": reference("Summary")}, "next_cursor": {"type": ["string", "null"]},
            },
        },
        "Summary": {
            "type": "object",
            "required": [
                "id", "symbols", "type", "status", "start_time", "end_time", "created_at", "records_written", "stages",
            ],
            "properties": {
                "id": id, "symbols": {"type": "array", "items": symbol}, "type": text, "status": status(),
                "start_time": instant, "end_time": instant, "created_at": instant,
                "started_at": perhaps, "finished_at": perhaps, "records_written": number,
                "error_message": {"type": ["string", "null"], "description": "why it failed"},
                "stages": {"type": "array", "items": {
                    "type": "object", "required": ["name", "function", "type", "after", "status"],
                    "properties": {
                        "name": text, "function": text, "type": text, "after": {"type": "array", "items": text},
                        "status": status(),
                    },
                }},
            },
        },
        "Workflow": {"allOf": [reference("Summary"), {"required": ["request"], "properties": {"request": {}}}]},
        "Coverage": {
            "type": "object", "required": ["series"],
            "properties": {"series": {"type": "array", "minItems": 1, "items": {
                "type": "object", "required": ["symbol", "stream", "loaded", "missing", "declared", "health"],
                "properties": {
                    "symbol": symbol, "stream": text, "loaded": {"type": "array"},
                    "missing": {"type": "array"}, "declared": {"type": "array"},
                    "health": {"type": "object", "required": ["needed", "present", "grade"], "properties": {
                        "needed": number, "present": number, "grade": {"enum": ["good", "degraded", "poor"]},
                    }},
                },
            }}},
        },
    }))
}

/// What is sent.
fn bodies() -> Map<String, Value> {
    let text = json!({"type": "string"});
    let has_symbol =
        json!([{"required": ["symbol"]}, {"required": ["symbols"], "properties": {"symbols": {"minItems": 1}}}]);
    let commanded: Vec<&str> = AVAILABLE.into_iter().filter(|function| *function != CONNECTOR).collect();
    object(json!({
        "WorkflowRequest": {
            "type": "object", "additionalProperties": false, "required": ["time_range"],
            "properties": {
                "symbol": schema::symbol(), "symbols": symbols(), "time_range": time_range(),
                "requests": parts(), "microservices": parts(),
            },
            "oneOf": [{"required": ["requests"]}, {"required": ["microservices"]}],
            "anyOf": has_symbol,
            "example": {
                "symbol": "BTCUSDT", "time_range": "2024-01-01:2024-01-03", "requests": [
                    {"target": "loader-producer", "type": "api_candles_1h"},
                    {"target": "arango-connector", "type": "api_candles_1h"},
                ],
            },
        },
        "StageRequest": {
            "type": "object", "required": ["target", "type"],
            "properties": {
                "target": {"allOf": [name()], "description": "loader-producer, or the name of a function"},
                "type": {"allOf": [name()], "description": "such as api_candles_15m, api_trades, gnn_graph"},
                "interval": schema::interval(),
                "after": {"type": "array", "items": text, "description": "<target>/<type> of what must be finished first"},
                "refresh": {"type": "boolean", "description": "load what is stored already, too"},
            },
        },
        "ShortRequest": {
            "type": "object", "additionalProperties": false, "required": ["type", "time_range"],
            "properties": {
                "symbol": schema::symbol(), "symbols": symbols(), "type": name(), "time_range": time_range(),
            },
            "anyOf": has_symbol,
            "example": {"symbol": "ETHUSDT", "type": "api_candles_1h", "time_range": "2024-01-01:2024-01-03"},
        },
        "TestFlow": {
            "type": "object", "additionalProperties": false, "required": ["flow"],
            "properties": {
                "flow": {"enum": ["default_candles_flow", "default_trade_flow"]},
                "symbol": schema::symbol(), "time_range": time_range(), "type": name(),
            },
            "example": {"flow": "default_candles_flow"},
        },
        "QueueReference": reference_to_queue(),
        "RetryRequest": reference_to_queue(),
        "ControlRequest": {
            "type": "object", "additionalProperties": false, "required": ["queue_id", "command"],
            "properties": {
                "queue_id": schema::queue_id(), "command": {"enum": ["ping", "stop"]},
                "target": {"enum": commanded, "description": "the function; without it all functions of the workflow"},
            },
            "example": {"queue_id": "try-out", "command": "ping"},
        },
    }))
}

fn reference_to_queue() -> Value {
    json!({
        "type": "object", "additionalProperties": false, "required": ["queue_id"],
        "properties": {"queue_id": schema::queue_id()},
    })
}

/// The parts of a request.
fn parts() -> Value {
    json!({"type": "array", "items": reference("StageRequest"), "minItems": 1, "maxItems": 50})
}

fn symbols() -> Value {
    json!({"type": "array", "items": schema::symbol(), "maxItems": 1000, "example": ["BTCUSDT", "ETHUSDT"]})
}

/// Name of a function, a type, a graph.
fn name() -> Value {
    json!({"type": "string", "pattern": "^[A-Za-z0-9._-]+$", "minLength": 1, "maxLength": 100})
}

/// A range in days or in instants; that its end comes after its beginning, no schema can say.
fn time_range() -> Value {
    json!({
        "type": "string", "example": "2024-01-01:2024-01-03",
        "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([:/][0-9]{4}-[0-9]{2}-[0-9]{2}$|[Tt ].+[:/].+$)",
        "description":
            "YYYY-MM-DD:YYYY-MM-DD, both days inclusive, UTC; or two RFC 3339 instants joined by /, half-open",
    })
}

fn object(schemas: Value) -> Map<String, Value> {
    match schemas {
        Value::Object(schemas) => schemas,
        _ => Map::new(),
    }
}
