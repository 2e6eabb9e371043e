//! Features of where the price went.

use streamforge_events::Interval;

use super::volatility::{FLOOR, SMOOTHED_OVER};
use crate::{
    returns::Series,
    window::{count, decayed_sums, sums},
};

/// Return over some bars.
pub(super) fn total_return(series: &Series, _: Interval, parameters: &[usize]) -> Vec<f64> {
    sums(&series.returns, parameters[0])
}

/// Logarithm of the size of the last return.
pub(super) fn absolute_return(series: &Series, _: Interval, _: &[usize]) -> Vec<f64> {
    series.returns.iter().map(|value| (value.abs() + FLOOR).ln()).collect()
}

/// Relative strength index: the share of gains in all moves, smoothed as Wilder did; 50 where nothing moved.
///
/// Of log returns rather than differences of prices, so that no price level gets into it.
///
/// # Source
/// J. Welles Wilder, New Concepts in Technical Trading Systems (1978); <https://en.wikipedia.org/wiki/Relative_strength_index>
pub(super) fn relative_strength(series: &Series, _: Interval, parameters: &[usize]) -> Vec<f64> {
    let decay = 1.0 - 1.0 / count(parameters[0]);
    let gains: Vec<f64> = series.returns.iter().map(|value| f64::midpoint(*value, value.abs())).collect();
    let moves: Vec<f64> = series.returns.iter().map(|value| value.abs()).collect();
    let gains = decayed_sums(&gains, SMOOTHED_OVER, decay);
    let moves = decayed_sums(&moves, SMOOTHED_OVER, decay);
    let share = |(gains, moves): (&f64, &f64)| if *moves == 0.0 { 50.0 } else { 100.0 * gains / moves };
    gains.iter().zip(&moves).map(share).collect()
}
