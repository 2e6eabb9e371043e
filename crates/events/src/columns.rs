//! Klines as columns: what computing reads.

use crate::Millis;

/// Klines as columns for computing, ascending by open time.
///
/// # Shape
/// All columns have the same length; index `i` of each belongs to one kline.
///
/// # Units
/// As in [`Kline`](crate::Kline), each decimal as the nearest double.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "the columns bear the names of the kline's fields")]
pub struct KlineColumns {
    pub open_time: Vec<Millis>,
    pub open: Vec<f64>,
    pub high: Vec<f64>,
    pub low: Vec<f64>,
    pub close: Vec<f64>,
    pub volume: Vec<f64>,
    pub close_time: Vec<Millis>,
    pub quote_asset_volume: Vec<f64>,
    pub number_of_trades: Vec<u64>,
    pub taker_buy_base_asset_volume: Vec<f64>,
    pub taker_buy_quote_asset_volume: Vec<f64>,
}

impl KlineColumns {
    /// Number of klines.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open_time.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open_time.is_empty()
    }
}
