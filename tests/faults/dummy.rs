//! Commands for the diagnostic function, and which of them were reported as finished.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::Answer;

/// Posts the command of a task, which takes a while, to `http://ADDRESS/PATH`; none without an answer.
pub(crate) fn post(url: &str, task: &str, millis: u64) -> Option<u16> {
    let headers = [
        ("ce-specversion", "1.0"),
        ("ce-id", task),
        ("ce-source", "/tests"),
        ("ce-type", "io.streamforge.control.start.v1"),
    ];
    let command = json!({
        "command": "start", "queue_id": "wf-btcusdt-dummy-20240801-a1b2c3", "target": "dummy-service",
        "symbol": "BTCUSDT", "type": "dummy", "task": task, "attempt": 1,
        "parameters": {"simulate_loading": {"steps": 1, "step_ms": millis}},
    });
    Answer::try_post(url, &headers, &command.to_string()).ok().map(|answer| answer.status)
}

/// Tasks that these reports say are finished.
pub(crate) fn finished(reports: impl Iterator<Item = Value>) -> BTreeSet<String> {
    let finished = reports.filter(|report| report["status"] == "finished");
    finished.filter_map(|report| report["task"].as_str().map(str::to_owned)).collect()
}
