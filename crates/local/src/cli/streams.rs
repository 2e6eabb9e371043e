//! Kinds of streams as requests name them.

use streamforge_events::StreamKind;

/// Reads `ws_trades`, `ws_orderbook` or `ws_candles_<interval>`.
pub(super) fn parse(text: &str) -> Result<StreamKind, String> {
    match text {
        "ws_trades" => Ok(StreamKind::Trades),
        "ws_orderbook" => Ok(StreamKind::OrderBook),
        _ => {
            let interval = text.strip_prefix("ws_candles_").and_then(|interval| interval.parse().ok());
            let words = || "write ws_trades, ws_orderbook or ws_candles_<interval>, such as ws_candles_1m".to_owned();
            interval.map(StreamKind::Klines).ok_or_else(words)
        }
    }
}

/// Writes it again.
pub(super) fn name(kind: StreamKind) -> String {
    match kind {
        StreamKind::Trades => "ws_trades".to_owned(),
        StreamKind::OrderBook => "ws_orderbook".to_owned(),
        StreamKind::Klines(interval) => format!("ws_candles_{interval}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_as_they_are_written() {
        for text in ["ws_trades", "ws_orderbook", "ws_candles_1m", "ws_candles_1M"] {
            assert_eq!(name(parse(text).unwrap()), text);
        }
        for text in ["", "trades", "ws_candles_", "ws_candles_7m", "api_candles_1m"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
