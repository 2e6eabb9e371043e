//! The slice of a series that one command asks for.

use serde::Deserialize;
use serde_json::Value;
use streamforge_events::{ControlCommand, Interval, Millis, Symbol, TimeRange};

/// What is to be loaded, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Slice {
    /// The symbol.
    pub symbol: Symbol,
    /// Length of the bars.
    pub interval: Interval,
    /// Open times of the bars.
    pub range: TimeRange,
}

/// The parameters as they stand in the command; what else a command carries is not this function's.
#[derive(Deserialize)]
struct Raw {
    interval: Interval,
    from: Millis,
    to: Millis,
}

impl Slice {
    /// Reads a command's symbol and parameters.
    ///
    /// # Errors
    /// What is wrong with them, in words for a report.
    pub fn parse(command: &ControlCommand) -> Result<Self, String> {
        let symbol = command.symbol.clone().ok_or("the command names no symbol")?;
        let parameters = Value::Object(command.parameters.clone());
        let raw = Raw::deserialize(parameters).map_err(|error| format!("parameters are not valid: {error}"))?;
        let range = TimeRange::new(raw.from, raw.to).map_err(|error| error.to_string())?;
        Ok(Self { symbol, interval: raw.interval, range })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(symbol: &str, parameters: &Value) -> Result<Slice, String> {
        let command = json!({
            "command": "start", "queue_id": "wf-btcusdt-x-20240801-a1b2c3", "target": "loader", "symbol": symbol,
            "type": "x", "telemetry_id": "loader__a1b2c3", "timestamp": 0.0, "parameters": parameters,
        });
        Slice::parse(&serde_json::from_value(command).unwrap())
    }

    #[test]
    fn parameters_are_checked_at_the_edge() {
        let parse = |parameters: Value| parse("BTCUSDT", &parameters);
        let slice = parse(json!({"interval": "1M", "from": 0, "to": 10, "window": 1000})).unwrap();
        assert_eq!((slice.interval, slice.range.to()), (Interval::Mo1, 10));
        for (parameters, word) in [
            (json!({}), "parameters"),
            (json!({"interval": "1m", "from": 0}), "`to`"),
            (json!({"interval": "2m", "from": 0, "to": 10}), "interval `2m`"),
            (json!({"interval": "1m", "from": 10, "to": 10}), "time range"),
            (json!({"interval": "1m", "from": "2024-01-01", "to": 10}), "parameters"),
        ] {
            let reason = parse(parameters).unwrap_err();
            assert!(reason.contains(word), "{reason}");
        }
    }
}
