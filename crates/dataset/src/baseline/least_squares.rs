//! Ordinary least squares with an intercept.

use super::linear_system::{LinearSystem, add_products};
use crate::window::count;

/// Weights of a fitted plane.
pub(super) struct LeastSquares {
    means: Vec<f64>,
    weights: Vec<f64>,
    /// Prediction at the means.
    centre: f64,
}

impl LeastSquares {
    /// Fits rows of `width` values each, which must be at least one.
    pub(super) fn fit(rows: &[f64], truth: &[f64], width: usize) -> Self {
        let mut means = vec![0.0; width];
        for row in rows.chunks_exact(width) {
            for (mean, value) in means.iter_mut().zip(row) {
                *mean += value / count(truth.len());
            }
        }
        let centre = truth.iter().sum::<f64>() / count(truth.len());
        let mut products = vec![0.0; width * width];
        let mut right = vec![0.0; width];
        let mut centred = vec![0.0; width];
        for (row, truth) in rows.chunks_exact(width).zip(truth) {
            for ((centred, value), mean) in centred.iter_mut().zip(row).zip(&means) {
                *centred = value - mean;
            }
            add_products(&mut products, &centred);
            for (right, value) in right.iter_mut().zip(&centred) {
                *right += value * (truth - centre);
            }
        }
        Self { weights: LinearSystem::of(&products, width).solve(&right), means, centre }
    }

    pub(super) fn predict(&self, row: impl Iterator<Item = f64>) -> f64 {
        let terms = row.zip(&self.means).zip(&self.weights).map(|((value, mean), weight)| (value - mean) * weight);
        self.centre + terms.sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plane_is_found_and_a_constant_column_ignored() {
        let mut random = fastrand::Rng::with_seed(5);
        let rows: Vec<f64> = (0..200).flat_map(|_| [1e3 + random.f64(), 7.0, random.f64() - 0.5]).collect();
        let truth: Vec<f64> = rows.chunks_exact(3).map(|row| 3.0 * row[0] - 2.0 * row[2] + 0.25).collect();
        let fit = LeastSquares::fit(&rows, &truth, 3);
        let found = fit.predict([1_001.0, 7.0, 1.0].into_iter());
        assert!((found - 3_001.25).abs() < 1e-8, "{found}");
    }
}
