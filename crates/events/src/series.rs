//! Identity of a stored series.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Interval, Symbol};

/// What a series holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SeriesKind {
    /// Klines of an interval.
    Klines(Interval),
    /// Aggregate trades.
    Trades,
}

impl SeriesKind {
    /// What a live feed calls the stream that the series is made of.
    #[must_use]
    pub fn stream(self) -> String {
        match self {
            Self::Klines(interval) => format!("klines_{interval}"),
            Self::Trades => "trades".to_owned(),
        }
    }
}

/// A series of Binance's spot market, the only venue and market there is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SeriesId {
    /// Whose series.
    pub symbol: Symbol,
    /// What it holds.
    pub kind: SeriesKind,
}

/// `binance-spot-BTCUSDT-15m`, the prefix of its records' keys.
impl fmt::Display for SeriesId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "binance-spot-{}-", self.symbol)?;
        match self.kind {
            SeriesKind::Klines(interval) => interval.fmt(formatter),
            SeriesKind::Trades => formatter.write_str("trades"),
        }
    }
}
