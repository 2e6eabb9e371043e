//! What one task asks for: streams of symbols, read from the command.

use serde::Deserialize;
use serde_json::Value;
use streamforge_events::{ControlCommand, Interval, Symbol};
use streamforge_exchange::stream;

/// Streams that one connection can have.
const MOST_STREAMS: usize = streamforge_exchange::stream::MOST_STREAMS;

/// A kind of stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `ws_trades`: aggregate trades, which have the ids that history has.
    Trades,
    /// `ws_candles_<interval>`.
    Klines(Interval),
    /// `ws_orderbook`.
    Depth,
}

/// What is to be listened to.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// The symbols.
    pub symbols: Vec<Symbol>,
    /// What is wanted of each.
    pub kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Raw {
    symbols: Vec<Symbol>,
    streams: Vec<String>,
}

impl Assignment {
    /// Reads a command's parameters.
    ///
    /// # Errors
    /// What is wrong with them, in words for a report.
    pub fn parse(command: &ControlCommand) -> Result<Self, String> {
        let parameters = Value::Object(command.parameters.clone());
        let raw = Raw::deserialize(parameters).map_err(|error| format!("parameters are not valid: {error}"))?;
        let kinds = raw.streams.iter().map(|name| kind(name)).collect::<Result<Vec<_>, _>>()?;
        let count = raw.symbols.len() * kinds.len();
        if count == 0 || count > MOST_STREAMS {
            return Err(format!("{count} streams are asked for; a task has from 1 to {MOST_STREAMS}"));
        }
        Ok(Self { symbols: raw.symbols, kinds })
    }

    /// Names of the streams, as the exchange knows them.
    #[must_use]
    pub fn streams(&self) -> Vec<String> {
        let of = |symbol: &Symbol| {
            let symbol = symbol.to_lower();
            self.kinds.iter().map(move |kind| match kind {
                Kind::Trades => format!("{symbol}@aggTrade"),
                Kind::Klines(interval) => format!("{symbol}@kline_{interval}"),
                Kind::Depth => format!("{symbol}@depth@100ms"),
            })
        };
        self.symbols.iter().flat_map(of).collect()
    }

    /// Names of the streams that a recording has instead of snapshots over REST.
    #[must_use]
    pub fn snapshots(&self) -> Vec<String> {
        let symbols = self.symbols.iter().filter(|_| self.kinds.contains(&Kind::Depth));
        symbols.map(stream::snapshots).collect()
    }
}

fn kind(name: &str) -> Result<Kind, String> {
    match name {
        "ws_trades" => Ok(Kind::Trades),
        "ws_orderbook" => Ok(Kind::Depth),
        _ => {
            let interval = name.strip_prefix("ws_candles_").and_then(|interval| interval.parse().ok());
            let words = || format!("`{name}` is none of ws_trades, ws_candles_<interval> and ws_orderbook");
            interval.map(Kind::Klines).ok_or_else(words)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(parameters: &Value) -> Result<Assignment, String> {
        let command = json!({
            "command": "start", "queue_id": "wf-btcusdt-x-20240801-a1b2c3", "target": "loader-ws", "type": "live",
            "telemetry_id": "loader__a1b2c3", "timestamp": 0.0, "parameters": parameters,
        });
        Assignment::parse(&serde_json::from_value(command).unwrap())
    }

    #[test]
    fn streams_are_named_as_the_exchange_names_them() {
        let streams = ["ws_trades", "ws_candles_1m", "ws_orderbook"];
        let assignment = parse(&json!({"symbols": ["BTCUSDT"], "streams": streams})).unwrap();
        assert_eq!(assignment.streams(), ["btcusdt@aggTrade", "btcusdt@kline_1m", "btcusdt@depth@100ms"]);
    }

    #[test]
    fn mistakes_are_told() {
        for (parameters, word) in [
            (json!({}), "symbols"),
            (json!({"symbols": [], "streams": ["ws_trades"]}), "0 streams"),
            (json!({"symbols": ["A"], "streams": ["ws_candles_7m"]}), "ws_candles_7m"),
            (json!({"symbols": ["A"], "streams": vec!["ws_trades"; 1_025]}), "1025 streams"),
        ] {
            let reason = parse(&parameters).unwrap_err();
            assert!(reason.contains(word), "{reason}");
        }
    }
}
