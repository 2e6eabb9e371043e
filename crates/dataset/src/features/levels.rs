//! Features of what happened inside of bars: ranges, turnover, who traded.

use streamforge_events::Interval;

use super::volatility::{DAYS, FLOOR, SMOOTHED_OVER, bars_of_a_day, seasonal_sums};
use crate::{
    returns::Series,
    window::{count, decayed_sums, sums},
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

/// Logarithm of the mean of `ln(high / low)` with weights that fall by so many hundredths a bar.
pub(super) fn smoothed_range(series: &Series, _: Interval, parameters: &[usize]) -> Vec<f64> {
    let decay = 1.0 - count(parameters[0].min(99)) / 100.0;
    let weights: f64 = std::iter::successors(Some(1.0), |weight| Some(weight * decay)).take(SMOOTHED_OVER).sum();
    decayed_sums(&series.ranges, SMOOTHED_OVER, decay).into_iter().map(|sum| (sum / weights + FLOOR).ln()).collect()
}

/// Logarithm of the mean of `ln(high / low)` that the next bars had at their times of day on the past seven days.
pub(super) fn seasonal_range(series: &Series, interval: Interval, parameters: &[usize]) -> Vec<f64> {
    let sums = seasonal_sums(&series.ranges, interval, parameters);
    sums.into_iter().map(|sum| (sum / count(DAYS * parameters[0]) + FLOOR).ln()).collect()
}

/// The same of one day alone; the first is the last on which all those bars are past.
pub(super) fn past_range(series: &Series, interval: Interval, parameters: &[usize]) -> Vec<f64> {
    let horizon = parameters[0];
    let sums = sums(&series.ranges, horizon);
    let age = past_look_back(interval, parameters) - horizon;
    let rows = (0..series.ranges.len()).map(|row| if row < age { f64::NAN } else { sums[row - age] });
    rows.map(|sum| (sum / count(horizon) + FLOOR).ln()).collect()
}

pub(super) fn past_look_back(interval: Interval, parameters: &[usize]) -> usize {
    let day = bars_of_a_day(interval);
    (parameters[0].div_ceil(day) + parameters[1] - 1) * day
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
