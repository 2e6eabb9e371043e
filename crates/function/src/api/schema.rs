//! Schemas of what names things in any interface, as exact as what reads it.

use serde_json::{Value, json};
use streamforge_events::Interval;

/// A symbol as [`Symbol`](streamforge_events::Symbol) reads it.
#[must_use]
pub fn symbol() -> Value {
    json!({"type": "string", "pattern": r"^[\p{L}\p{N}._-]+$", "minLength": 1, "maxLength": 64, "example": "BTCUSDT"})
}

/// An interval of klines.
#[must_use]
pub fn interval() -> Value {
    json!({"enum": Interval::ALL.map(Interval::as_str)})
}

/// An id as [`QueueId`](streamforge_events::QueueId) reads it.
#[must_use]
pub fn queue_id() -> Value {
    json!({
        "type": "string", "pattern": r"^[\p{L}\p{N}._-]+$", "minLength": 1, "maxLength": 200,
        "example": "wf-btcusdt-api_candles_5m-20240801-a1b2c3",
    })
}

/// An instant as [`TimeRange`](streamforge_events::TimeRange) can hold it.
#[must_use]
pub fn instant() -> Value {
    json!({
        "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "format": "date-time"}],
        "example": "2024-06-01T00:00:00Z",
    })
}

/// How many rows a page has.
#[must_use]
pub fn limit(most: usize, usual: usize) -> Value {
    json!({"type": "integer", "minimum": 1, "maximum": most, "default": usual})
}
