//! Commands for a dummy.
#![allow(dead_code, reason = "each test file uses its own part")]

use serde_json::{Value, json};
use streamforge_function::Event;

pub(crate) const QUEUE_ID: &str = "wf-btcusdt-dummy-20240801-a1b2c3";

pub(crate) fn command(command: &str, kind: &str, parameters: &Value) -> Event {
    let data = json!({
        "command": command, "queue_id": QUEUE_ID, "target": "dummy-service", "symbol": "BTCUSDT", "type": kind,
        "time_range": "2024-08-01:2024-08-02", "timestamp": 1_722_500_000.123, "task": "task-1", "attempt": 1,
        "parameters": parameters, "telemetry_id": "dummy-service__a1b2c3",
    });
    let event = json!({
        "specversion": "1.0", "id": format!("{command}-1"), "source": "/streamforge/queue-manager",
        "type": format!("io.streamforge.control.{command}.v1"), "partitionkey": QUEUE_ID, "queueid": QUEUE_ID,
        "datacontenttype": "application/json", "data": data,
    });
    serde_json::from_value(event).expect("the attributes are complete")
}
