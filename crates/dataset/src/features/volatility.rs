//! Features of how much the price moved.

use streamforge_events::Interval;

use crate::{
    returns::Series,
    window::{count, decayed_sums, sums},
};

/// Keeps the logarithm of a market that stands still finite.
pub(crate) const FLOOR: f64 = 1e-6;

/// Bars after which a smoothed value forgets: what lies beyond weighs less than 4e-5.
///
/// The shortest of the longest windows, so that no smoothed feature lengthens the look-back.
pub(super) const SMOOTHED_OVER: usize = 168;

/// Weight of the last squared return in the smoothed volatility: that of `RiskMetrics` for daily returns.
///
/// # Source
/// J.P. Morgan, `RiskMetrics` Technical Document (1996), section 5.3.2
const SMOOTHING: f64 = 0.06;

const DAY: i64 = 86_400_000;
/// Days that a seasonal mean goes back.
pub(super) const DAYS: usize = 7;

/// `ln(sqrt(mean square) + 1e-6)`, the measure of volatility everywhere.
pub(crate) fn log_root(mean_square: f64) -> f64 {
    (mean_square.sqrt() + FLOOR).ln()
}

/// The volatility whose logarithm a target or the answer of a network is: the root of the mean square of returns.
#[must_use]
pub fn volatility_of_logarithm(logarithm: f64) -> f64 {
    (logarithm.exp() - FLOOR).max(0.0)
}

/// Realised volatility over some bars.
pub(super) fn realised(series: &Series, _: Interval, parameters: &[usize]) -> Vec<f64> {
    of_squares(&series.squares, parameters[0])
}

/// Realised volatility of squared returns.
pub(super) fn of_squares(squares: &[f64], bars: usize) -> Vec<f64> {
    sums(squares, bars).into_iter().map(|sum| log_root(sum / count(bars))).collect()
}

/// Volatility with weights that fall by 6 % a bar.
pub(super) fn smoothed(series: &Series, _: Interval, _: &[usize]) -> Vec<f64> {
    let decay = 1.0 - SMOOTHING;
    let weights: f64 = std::iter::successors(Some(1.0), |weight| Some(weight * decay)).take(SMOOTHED_OVER).sum();
    decayed_sums(&series.squares, SMOOTHED_OVER, decay).into_iter().map(|sum| log_root(sum / weights)).collect()
}

/// Volatility that the next bars had at their times of day on the past seven days.
///
/// A horizon of more than a day goes back further, to days on which all its bars are past.
pub(super) fn seasonal(series: &Series, interval: Interval, parameters: &[usize]) -> Vec<f64> {
    let sums = seasonal_sums(&series.squares, interval, parameters);
    sums.into_iter().map(|sum| log_root(sum / count(DAYS * parameters[0]))).collect()
}

/// Sums over the next bars' times of day on the past seven days.
pub(super) fn seasonal_sums(values: &[f64], interval: Interval, parameters: &[usize]) -> Vec<f64> {
    let horizon = parameters[0];
    let sums = sums(values, horizon);
    let look_back = seasonal_look_back(interval, parameters);
    let day = bars_of_a_day(interval);
    let mut seasonal = vec![f64::NAN; values.len()];
    // The horizon of `age` bars ago ended `age - horizon` bars ago.
    let ages: Vec<usize> = (0..DAYS).map(|days| look_back - days * day - horizon).collect();
    for (row, value) in seasonal.iter_mut().enumerate().skip(look_back) {
        *value = ages.iter().map(|age| sums[row - age]).sum();
    }
    seasonal
}

pub(super) fn seasonal_look_back(interval: Interval, parameters: &[usize]) -> usize {
    let day = bars_of_a_day(interval);
    (parameters[0].div_ceil(day) + DAYS - 1) * day
}

pub(super) fn bars_of_a_day(interval: Interval) -> usize {
    let bars = interval.millis().map_or(1, |length| DAY / length);
    usize::try_from(bars).unwrap_or(1).max(1)
}
