//! Payload of the topic `queue-control`: what the queue manager tells a function.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{QueueId, Symbol};

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Command {
    /// Begin the task.
    Start,
    /// Leave off every task of the workflow.
    Stop,
    /// Answer with `pong`.
    Ping,
}

/// A command to one function.
///
/// `kafka_topic`, `collection_name` and `image` are written for old readers; nothing obeys them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ControlCommand {
    /// What is to be done.
    pub command: Command,
    /// The workflow.
    pub queue_id: QueueId,
    /// The function as the request named it.
    pub target: String,
    /// Symbol of the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbol: Option<Symbol>,
    /// Type of the request, such as `api_candles_5m`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// Range of the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_range: Option<String>,
    /// Old name of the workflow's data topic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kafka_topic: Option<String>,
    /// Old name of the series.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collection_name: Option<String>,
    /// Who reports about the task.
    #[serde(default)]
    pub telemetry_id: String,
    /// Old name of the function's image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// When it was commanded, in seconds since the epoch.
    #[serde(default)]
    pub timestamp: f64,
    /// The task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Which attempt at the task, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// What else the function has to know.
    #[serde(default)]
    pub parameters: Map<String, Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_of_the_old_contract_is_read() {
        let text = r#"{"command": "start", "queue_id": "wf-btcusdt-api_candles_5m-20240801-a1b2c3",
            "target": "loader-producer", "symbol": "BTCUSDT", "type": "api_candles_5m",
            "time_range": "2024-08-01:2024-08-02", "kafka_topic": "wf-btcusdt-data",
            "collection_name": "btcusdt_api_candles_5m_2024_08_01", "telemetry_id": "loader-producer__a1b2c3",
            "image": "registry/loader-producer:v0.2.0", "timestamp": 1722500000.123}"#;
        let command: ControlCommand = serde_json::from_str(text).unwrap();
        assert_eq!(command.command, Command::Start);
        assert_eq!(command.kind, "api_candles_5m");
        assert_eq!(command.parameters, Map::new());
        let again = serde_json::to_string(&command).unwrap();
        assert_eq!(serde_json::from_str::<ControlCommand>(&again).unwrap(), command);
    }
}
