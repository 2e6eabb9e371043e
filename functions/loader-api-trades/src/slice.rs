//! The slice of a series that one command asks for, and how far it can be known.

use serde::Deserialize;
use serde_json::Value;
use streamforge_events::{ControlCommand, Millis, Symbol, TimeRange};

/// What is to be loaded, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Slice {
    /// The symbol.
    pub symbol: Symbol,
    /// Times of the trades.
    pub range: TimeRange,
}

/// The parameters as they stand in the command; what else a command carries is not this function's.
#[derive(Deserialize)]
struct Raw {
    from: Millis,
    to: Millis,
}

/// A trade may show up in the exchange's answers this much later than its own time.
const SETTLING: Millis = 10_000;

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
        Ok(Self { symbol, range })
    }

    /// Up to when the slice is complete if at `read_at` the exchange had no further trade.
    ///
    /// # Units
    /// UTC milliseconds since the Unix epoch, both server time.
    #[must_use]
    pub fn complete_until(&self, read_at: Millis) -> Millis {
        read_at.saturating_sub(SETTLING).clamp(self.range.from(), self.range.to())
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
        assert_eq!(parse("BTCUSDT", &json!({"from": 0, "to": 10, "window": 1})).unwrap().range.to(), 10);
        for (parameters, word) in [
            (json!({}), "parameters"),
            (json!({"from": 0}), "`to`"),
            (json!({"from": 10, "to": 10}), "time range"),
            (json!({"from": "2024-01-01", "to": 10}), "parameters"),
        ] {
            let reason = parse("BTCUSDT", &parameters).unwrap_err();
            assert!(reason.contains(word), "{reason}");
        }
    }

    #[test]
    fn the_newest_seconds_are_not_taken_for_complete() {
        let slice = parse("BTCUSDT", &json!({"from": 100_000, "to": 200_000})).unwrap();
        for (read_at, until) in [
            (0, 100_000),
            (105_000, 100_000),
            (150_000, 140_000),
            (209_999, 199_999),
            (210_000, 200_000),
            (i64::MAX, 200_000),
        ] {
            assert_eq!(slice.complete_until(read_at), until, "{read_at}");
        }
    }
}
