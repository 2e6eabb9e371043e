//! What the views take and what they show, as their document describes it.

use serde_json::{Value, json};
use streamforge_events::Topic;
use streamforge_function::api::schema;

/// All schemas, by name.
pub(crate) fn schemas() -> Value {
    let mut schemas = market();
    for more in [models(), platform(), bodies()] {
        for (name, schema) in more.as_object().into_iter().flatten() {
            schemas[name] = schema.clone();
        }
    }
    schemas
}

/// Any text; the name of something that may not be there.
pub(crate) fn text() -> Value {
    json!({"type": "string", "minLength": 1})
}

pub(crate) fn whole_number() -> Value {
    json!({"type": "integer", "minimum": i64::MIN, "maximum": i64::MAX})
}

/// Places in a topic, as [`Places`](streamforge_message::Places) reads them.
pub(crate) fn places() -> Value {
    json!({"type": "string", "pattern": r"^[0-9]{1,18}(\.[0-9]{1,18}){0,31}$", "example": "0.0.0.0"})
}

pub(crate) fn topic() -> Value {
    json!({"enum": Topic::PUBLIC.map(Topic::as_str)})
}

/// What is stored of the market.
fn market() -> Value {
    let (number, instant, decimal) = (count(), milliseconds(), decimal());
    let levels = json!({
        "type": "array", "description": "price and quantity, the best first", "items": row(&[&decimal, &decimal]),
    });
    json!({
        "Symbols": list("symbols", &json!({
            "type": "object", "required": ["symbol", "intervals", "has_trades"], "properties": {
                "symbol": schema::symbol(), "has_trades": {"type": "boolean"},
                "intervals": {"type": "array", "items": schema::interval()},
            },
        })),
        "Klines": {
            "type": "object", "required": ["rows", "gaps", "earlier"], "properties": {
                "rows": {
                    "type": "array", "description": "open time, open, high, low, close, volume; ascending",
                    "items": row(&[&instant, &decimal, &decimal, &decimal, &decimal, &decimal]),
                },
                "gaps": {"type": "array", "items": {
                    "type": "object", "required": ["from", "to", "missing"],
                    "properties": {"from": instant, "to": instant, "missing": number},
                }},
                "earlier": {"type": "boolean", "description": "whether there are earlier ones"},
            },
        },
        "Trades": {
            "type": "object", "required": ["rows", "earlier"], "properties": {
                "rows": {
                    "type": "array", "description": "id, time, price, quantity, whether the buyer was the maker",
                    "items": row(&[&whole_number(), &instant, &decimal, &decimal, &json!({"type": "boolean"})]),
                },
                "earlier": {"type": "boolean", "description": "whether there are earlier ones"},
            },
        },
        "Book": {
            "type": "object", "required": ["book", "resume"], "properties": {
                "book": {
                    "type": ["object", "null"], "description": "none where the log has nothing of it",
                    "required": ["last_update_id", "bids", "asks", "trust", "at"], "properties": {
                        "last_update_id": number, "bids": levels, "asks": levels, "at": instant,
                        "trust": {
                            "enum": ["whole", "partial", "broken"],
                            "description": "partial: of the changes alone; broken: a gap was told of since",
                        },
                    },
                },
                "resume": places(),
            },
        },
        "Predictions": {
            "type": "object", "required": ["predictions", "is_complete"], "properties": {
                "predictions": {"type": "array", "items": {
                    "type": "object", "required": [
                        "symbol", "interval", "open_time", "model", "version", "horizon", "volatility",
                        "realised_volatility", "realised_class",
                    ],
                    "properties": {"symbol": schema::symbol(), "interval": schema::interval(), "open_time": instant},
                }},
                "is_complete": {"type": "boolean", "description": "whether there are no more in the range"},
            },
        },
        "Graphs": list("graphs", &json!({
            "type": "object", "required": ["id", "version", "interval", "from", "to", "nodes", "edges"],
            "properties": {
                "id": text(), "version": number, "interval": schema::interval(), "from": instant, "to": instant,
                "nodes": number, "edges": number,
            },
        })),
        "Graph": {
            "type": "object",
            "required": ["id", "version", "interval", "from", "to", "parameters", "nodes", "edges"],
            "properties": {
                "id": text(), "version": number, "interval": schema::interval(), "from": instant, "to": instant,
                "nodes": {"type": "array", "items": {
                    "type": "object", "required": ["symbol", "observations", "mean_return", "volatility"],
                    "properties": {"symbol": schema::symbol(), "observations": number},
                }},
                "edges": {"type": "array", "items": {
                    "type": "object", "required": ["from", "to", "correlation", "weight", "observations"],
                    "description": "`from` and `to` are places in `nodes`",
                    "properties": {
                        "from": number, "to": number, "observations": number,
                        "correlation": {"type": "number", "minimum": -1, "maximum": 1},
                    },
                }},
            },
        },
    })
}

/// Models, and where they came from.
fn models() -> Value {
    json!({
        "Models": list("models", &json!({
            "type": "object", "required": ["name", "latest", "versions"], "properties": {
                "name": text(), "latest": {"type": ["string", "null"], "description": "the version in use"},
                "versions": {"type": "array", "items": {
                    "type": "object", "required": ["version", "trained_at", "scores", "verdicts"],
                    "properties": {"version": text(), "trained_at": milliseconds()},
                }},
            },
        })),
        "Model": {
            "type": "object", "required": ["name", "version", "latest", "card"],
            "properties": {"name": text(), "version": text(), "latest": {"type": "boolean"}, "card": {"type": "object"}},
        },
        "Promoted": {
            "type": "object", "required": ["name", "version", "latest"],
            "properties": {"name": text(), "version": text(), "latest": {"const": true}},
        },
    })
}

/// What runs, and what was published.
fn platform() -> Value {
    let (number, instant, perhaps) = (count(), milliseconds(), json!({"type": ["string", "null"]}));
    let passed = json!({"type": ["integer", "null"], "minimum": 0});
    let cold_start = json!({
        "type": "object", "required": ["at", "scale_ms", "ready_ms", "first_event_ms"],
        "description": "from the oldest event that waited over the wish for a worker and its readiness to an answer",
        "properties": {"at": instant, "scale_ms": passed, "ready_ms": number, "first_event_ms": passed},
    });
    let place = json!({
        "type": "object", "required": ["partition", "offset", "event"],
        "properties": {"partition": number, "offset": number, "event": {"type": "object"}},
    });
    json!({
        "Platform": {
            "type": "object", "required": ["functions", "samples"], "properties": {
                "functions": {"type": "array", "items": {
                    "type": "object",
                    "required": ["name", "kind", "replicas", "wanted", "lag", "max", "cold_starts"],
                    "properties": {
                        "name": text(), "kind": {"enum": ["function", "job"]}, "replicas": passed, "wanted": passed,
                        "lag": number, "max": passed, "cold_starts": {"type": ["array", "null"], "items": cold_start},
                    },
                }},
                "samples": {"type": "array", "items": {
                    "type": "object", "required": ["at", "functions"],
                    "description": "replicas and lag of each function at a moment",
                    "properties": {"at": instant, "functions": {
                        "type": "object", "additionalProperties": row(&[&passed, &number]),
                    }},
                }},
            },
        },
        "Topics": list("topics", &json!({
            "type": "object", "required": ["name", "partitions", "is_public"], "properties": {
                "name": text(), "is_public": {"type": "boolean"},
                "partitions": {"type": "array", "items": {
                    "type": "object", "required": ["partition", "begin", "end"],
                    "properties": {"partition": number, "begin": number, "end": number},
                }},
            },
        })),
        "Messages": {
            "type": "object", "required": ["messages", "before", "end"], "properties": {
                "messages": {"type": "array", "items": place},
                "before": perhaps, "end": places(),
            },
        },
        "Letters": {
            "type": "object", "required": ["letters", "next_cursor"], "properties": {
                "letters": {"type": "array", "items": {
                    "allOf": [place, {"required": ["letter", "reason", "replayed", "at"]}],
                }},
                "next_cursor": perhaps,
            },
        },
        "Replayed": {
            "type": "object", "required": ["letter", "broker"], "properties": {"letter": text(), "broker": text()},
        },
        "Lineage": {
            "type": "object", "required": ["events", "is_complete"], "properties": {
                "events": {"type": "array", "items": {
                    "type": "object", "required": ["id", "type", "source", "topic", "partition", "offset", "timestamp"],
                    "properties": {"partition": number, "offset": number, "timestamp": instant},
                }},
                "is_complete": {"type": "boolean", "description": "whether there are no more of this workflow"},
            },
        },
        "Lines": list("lines", &json!({
            "type": "object", "required": ["at", "function", "text"],
            "properties": {"at": {"type": "string"}, "function": text(), "text": {"type": "string"}},
        })),
    })
}

/// What is sent.
fn bodies() -> Value {
    json!({
        "Promotion": {
            "type": "object", "additionalProperties": false, "required": ["version"],
            "properties": {"version": {
                "type": "string", "pattern": r"^[\p{L}\p{N}_-][\p{L}\p{N}._-]{0,63}$", "not": {"const": "latest"},
            }},
        },
        "LetterReference": {
            "type": "object", "additionalProperties": false, "required": ["partition", "offset"],
            "properties": {
                "topic": {"const": "dead-letters"},
                "partition": {"type": "integer", "minimum": 0, "maximum": u32::MAX},
                "offset": {"type": "integer", "minimum": 0, "maximum": i64::MAX},
                "again": {"type": "boolean", "description": "replay even a letter that was replayed before"},
            },
        },
    })
}

fn list(name: &str, item: &Value) -> Value {
    json!({"type": "object", "required": [name], "properties": {name: {"type": "array", "items": item}}})
}

/// A row of so many fields.
fn row(fields: &[&Value]) -> Value {
    json!({"type": "array", "prefixItems": fields, "minItems": fields.len(), "maxItems": fields.len()})
}

fn count() -> Value {
    json!({"type": "integer", "minimum": 0})
}

/// Milliseconds since 1970, UTC.
fn milliseconds() -> Value {
    json!({"type": "integer"})
}

/// A number with all its digits.
fn decimal() -> Value {
    json!({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"})
}
