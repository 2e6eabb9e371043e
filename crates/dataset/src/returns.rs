//! What is computed from the bars of one symbol before any feature: returns, and which bars may stand in one window.

use crate::panel::Bars;

/// Largest logarithm of a price ratio of adjacent bars that is taken for a return: a factor of eight.
///
/// A redenomination or a relaunch comes across a halt, which leaves a gap. On long bars the halt may lie inside of one,
/// and then the jump alone tells; recorded ones were by factors from 11 to 20,000. The steepest crash of a whole asset
/// that was recorded, LUNA in May 2022, fell by a factor of 7.5 in an hour.
pub const LARGEST_RETURN: f64 = 2.079_441_541_679_835_7;

/// One symbol's columns over the grid; NaN where there is no return.
///
/// Bars without a return begin a new series: a window of bars never reaches behind one.
pub(crate) struct Series {
    /// `ln(close / previous close)`.
    pub(crate) returns: Vec<f64>,
    /// Squares of the returns.
    pub(crate) squares: Vec<f64>,
    /// `ln(high / low)`.
    pub(crate) ranges: Vec<f64>,
    pub(crate) volume: Vec<f64>,
    pub(crate) quote_volume: Vec<f64>,
    pub(crate) taker_buy_volume: Vec<f64>,
}

impl Series {
    pub(crate) fn of(bars: &Bars) -> Self {
        let returns = returns(&bars.close);
        let masked = |column: &[f64]| -> Vec<f64> {
            let pairs = column.iter().zip(&returns);
            pairs.map(|(value, a_return)| if a_return.is_nan() { f64::NAN } else { *value }).collect()
        };
        let ranges: Vec<f64> = bars.high.iter().zip(&bars.low).map(|(high, low)| (high / low).ln()).collect();
        Self {
            squares: returns.iter().map(|value| value * value).collect(),
            ranges: masked(&ranges),
            volume: masked(&bars.volume),
            quote_volume: masked(&bars.quote_volume),
            taker_buy_volume: masked(&bars.taker_buy_volume),
            returns,
        }
    }
}

/// Returns between neighbours on the grid; NaN where either is missing or the jump is no return.
fn returns(closes: &[f64]) -> Vec<f64> {
    let mut returns = vec![f64::NAN; closes.len()];
    for (value, pair) in returns.iter_mut().skip(1).zip(closes.windows(2)) {
        let ratio = (pair[1] / pair[0]).ln();
        if ratio.abs() <= LARGEST_RETURN {
            *value = ratio;
        }
    }
    returns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_return_spans_a_gap_or_a_redenomination() {
        let returns = returns(&[1.0, 2.0, f64::NAN, 4.0, 5.0, 0.05, 0.05, 0.4]);
        let is_there: Vec<bool> = returns.iter().map(|value| !value.is_nan()).collect();
        assert_eq!(is_there, [false, true, false, false, true, false, true, true]);
        assert!((returns[1] - 2_f64.ln()).abs() < 1e-15);
    }
}
