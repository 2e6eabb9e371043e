//! What a live feed tells beside trades and bars: differences of order books, and what is missing.

use serde::{Deserialize, Serialize};

use crate::{Decimal, Millis, Symbol};

/// When a live record came, by three clocks.
///
/// # Shape
/// On the wire an array in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(Millis, i64, u64)", into = "(Millis, i64, u64)")]
pub struct Clocks {
    /// When the exchange sent it, in milliseconds since the epoch.
    pub event_time: Millis,
    /// When it was received, in nanoseconds since the epoch by this machine's clock.
    pub received: i64,
    /// The same in nanoseconds since the feed began, by a clock that never goes back.
    pub received_steady: u64,
}

impl From<(Millis, i64, u64)> for Clocks {
    fn from((event_time, received, received_steady): (Millis, i64, u64)) -> Self {
        Self { event_time, received, received_steady }
    }
}

impl From<Clocks> for (Millis, i64, u64) {
    fn from(clocks: Clocks) -> Self {
        (clocks.event_time, clocks.received, clocks.received_steady)
    }
}

/// A difference of an order book, under the exchange's own names.
///
/// # Source
/// <https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams#diff-depth-stream>
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DepthUpdate {
    /// First update.
    #[serde(rename = "U")]
    pub first: u64,
    /// Last update.
    #[serde(rename = "u")]
    pub last: u64,
    /// Bids: price and new quantity.
    #[serde(rename = "b")]
    pub bids: Vec<(Decimal, Decimal)>,
    /// Asks: price and new quantity.
    #[serde(rename = "a")]
    pub asks: Vec<(Decimal, Decimal)>,
    /// When it came.
    pub clocks: Clocks,
}

/// A whole book, from which the differences that follow go on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DepthSnapshot {
    /// The last update in it.
    pub last_update_id: u64,
    /// Bids, the best first.
    pub bids: Vec<(Decimal, Decimal)>,
    /// Asks, the best first.
    pub asks: Vec<(Decimal, Decimal)>,
}

/// Differences of the order book of one symbol that follow one another without a break.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DepthBatch {
    /// Whose book.
    pub symbol: Symbol,
    /// The whole book before them: at the beginning, after a gap, and now and then for those who come later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<DepthSnapshot>,
    /// The differences in their order.
    pub updates: Vec<DepthUpdate>,
    /// Best bid and ask after them: prices and quantities; none while a side is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<[(Decimal, Decimal); 2]>,
    /// Checksum of the ten best levels of each side after them.
    pub checksum: u32,
}

/// What became of a gap; of two that were told of the same gap the greater one is later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GapState {
    /// Records are missing.
    Open,
    /// They stay missing.
    Left,
    /// All of them were asked for and have been published.
    Filled,
}

impl GapState {
    /// The state as it stands on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Left => "left",
            Self::Filled => "filled",
        }
    }
}

/// Records of a live stream that did not come in their turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeedInterrupted {
    /// Whose stream.
    pub symbol: Symbol,
    /// `trades`, `klines_<interval>` or `depth`.
    pub stream: String,
    /// The first that is missing: id of a trade or update, or open time of a bar.
    pub from: u64,
    /// The last that is missing.
    pub to: u64,
    /// What became of them.
    pub state: GapState,
    /// Why they are missing, or stay so.
    pub why: String,
    /// When the gap was found, by the exchange's clock.
    pub since: Millis,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn books_and_gaps_have_the_names_of_the_exchange() {
        let wire = json!({"symbol": "BTCUSDT", "updates": [
            {"U": 3, "u": 5, "b": [["1.50", "0.00"]], "a": [], "clocks": [7, 8, 9]}],
            "best": [["1.40", "2"], ["1.60", "3"]], "checksum": 17});
        let batch: DepthBatch = serde_json::from_value(wire.clone()).unwrap();
        assert_eq!(batch.updates[0].clocks.received, 8);
        assert_eq!(serde_json::to_value(&batch).unwrap(), wire);
        let wire = json!({"symbol": "BTCUSDT", "stream": "trades", "from": 3, "to": 5, "state": "open",
            "why": "the connection broke", "since": 7});
        let gap: FeedInterrupted = serde_json::from_value(wire.clone()).unwrap();
        assert_eq!((gap.state, serde_json::to_value(&gap).unwrap()), (GapState::Open, wire));
        for state in [GapState::Open, GapState::Left, GapState::Filled] {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
    }
}
