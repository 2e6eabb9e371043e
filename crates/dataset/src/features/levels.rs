//! Features of what happened inside of bars: ranges, turnover, who traded.

use streamforge_events::Interval;

use super::volatility::FLOOR;
use crate::{
    returns::Series,
    window::{count, sums},
};

/// Smallest ratio of turnovers that is told apart from none.
const LEAST_TURNOVER: f64 = 1e-6;

/// Logarithm of the mean of `ln(high / low)`.
///
/// # Source
/// After M. Parkinson, The extreme value method for estimating the variance of the rate of return (1980)
pub(super) fn mean_range(series: &Series, _: Interval, parameters: &[usize]) -> Vec<f64> {
    let bars = parameters[0];
    sums(&series.ranges, bars).into_iter().map(|sum| (sum / count(bars) + FLOOR).ln()).collect()
}

/// Logarithm of the mean quote volume over some bars against that over more bars; nought where none was traded.
pub(super) fn turnover(series: &Series, _: Interval, parameters: &[usize]) -> Vec<f64> {
    let (short, long) = (parameters[0], parameters[1]);
    let ratio = |(last, all): (f64, f64)| {
        if all == 0.0 {
            return 0.0;
        }
        let ratio = last / count(short) / (all / count(long));
        if ratio < LEAST_TURNOVER { LEAST_TURNOVER.ln() } else { ratio.ln() }
    };
    sums(&series.quote_volume, short).into_iter().zip(sums(&series.quote_volume, long)).map(ratio).collect()
}

/// Share of the volume that takers bought; a half where nothing was traded.
pub(super) fn taker_share(series: &Series, _: Interval, parameters: &[usize]) -> Vec<f64> {
    let bought = sums(&series.taker_buy_volume, parameters[0]);
    let share = |(bought, all): (f64, f64)| if all == 0.0 { 0.5 } else { bought / all };
    bought.into_iter().zip(sums(&series.volume, parameters[0])).map(share).collect()
}
