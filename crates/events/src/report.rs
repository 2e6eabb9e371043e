//! Payload of the topic `queue-events`: how a task goes on.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{QueueId, Symbol};

/// State of a task as its worker sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReportStatus {
    /// The worker has begun.
    Started,
    /// The worker is at it, or a batch was stored.
    Loading,
    /// The worker has done its part.
    Finished,
    /// The worker left off because it was told to.
    Interrupted,
    /// The worker failed.
    Error,
    /// Answer to a ping.
    Pong,
}

impl ReportStatus {
    /// The status as it stands on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Loading => "loading",
            Self::Finished => "finished",
            Self::Interrupted => "interrupted",
            Self::Error => "error",
            Self::Pong => "pong",
        }
    }
}

/// One report of a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The workflow.
    pub queue_id: QueueId,
    /// The worker, such as `arango-connector__a1b2c3`.
    pub producer: String,
    /// Symbol of the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbol: Option<Symbol>,
    /// Type of the request, such as `api_candles_5m`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// State of the task.
    pub status: ReportStatus,
    /// A sentence for people.
    #[serde(default)]
    pub message: String,
    /// Records that this report tells of.
    #[serde(default)]
    pub records_written: u64,
    /// No further report of this task follows.
    #[serde(default)]
    pub finished: bool,
    /// When, in seconds since the epoch.
    pub timestamp: f64,
    /// The task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Which attempt at the task, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// The batch that was stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<String>,
    /// Records of the whole task, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records_total: Option<u64>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// Whatever else the kind of task has to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_of_the_old_contract_is_read() {
        let text = r#"{"queue_id": "wf-btcusdt-api_candles_5m-20240801-a1b2c3", "producer": "arango-connector__a1b2c3",
            "symbol": "BTCUSDT", "type": "api_candles_5m", "status": "loading", "message": "Saved 15000 records",
            "records_written": 15000, "finished": false, "timestamp": 1722500125.456}"#;
        let report: Report = serde_json::from_str(text).unwrap();
        assert_eq!(report.status, ReportStatus::Loading);
        assert_eq!(report.records_written, 15_000);
        let again = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&again).unwrap(), report);
    }

    #[test]
    fn names_on_the_wire_are_the_contracts() {
        use ReportStatus::{Error, Finished, Interrupted, Loading, Pong, Started};
        for status in [Started, Loading, Finished, Interrupted, Error, Pong] {
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
    }
}
