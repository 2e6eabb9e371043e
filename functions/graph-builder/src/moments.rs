//! Pearson correlation of one pair: from sums, and with care where sums have lost too many digits.

use crate::returns::{centre, count};

/// Rounding of prices and quotients leaves about 1e-16 in a log return; less than this is no movement.
const ROUNDING_NOISE: f64 = 1e-14;

/// A sum of squared deviations that is a smaller part of what it was computed from has lost too many digits.
const KEPT: f64 = 1e-3;

/// One symbol's sums over the times that a pair shares.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Side {
    /// Sum of the values.
    pub(crate) sum: f64,
    /// Sum of their squares.
    pub(crate) squares: f64,
    /// The largest sum of squares that this one was computed from, and whose rounding it has.
    pub(crate) scale: f64,
}

impl Side {
    /// Returns the sum of squared deviations, or nothing if it has lost too many digits.
    pub(crate) fn deviations(&self, rows: usize) -> Option<f64> {
        let deviations = self.squares - self.sum * self.sum / count(rows);
        let least = (KEPT * self.scale).max(ROUNDING_NOISE * ROUNDING_NOISE * count(rows));
        (deviations > least).then_some(deviations)
    }
}

/// Correlates a pair by its sums, or gives nothing if they have lost too many digits.
pub(crate) fn by_sums(rows: usize, first: Side, second: Side, products: f64) -> Option<f64> {
    let deviations = first.deviations(rows)? * second.deviations(rows)?;
    let covariance = products - first.sum * second.sum / count(rows);
    Some((covariance / deviations.sqrt()).clamp(-1.0, 1.0))
}

/// Correlates a pair by its values, or gives nothing if one side is constant.
///
/// # Source
/// Two passes: Chan, Golub and others, "Algorithms for Computing the Sample Variance" (1983).
pub(crate) fn by_values(mut first: Vec<f64>, mut second: Vec<f64>) -> Option<f64> {
    let deviations = [&mut first, &mut second].map(|values| centre(values));
    let least = ROUNDING_NOISE * ROUNDING_NOISE * count(first.len());
    if deviations.iter().any(|sum| *sum <= least) {
        return None;
    }
    let covariance: f64 = first.iter().zip(&second).map(|(first, second)| first * second).sum();
    Some((covariance / deviations[0].sqrt() / deviations[1].sqrt()).clamp(-1.0, 1.0))
}
