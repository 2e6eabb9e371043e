//! Multinomial logistic regression.

use super::linear_system::{LinearSystem, add_products};
use crate::{Direction, Scale};

/// More steps change nothing that a score shows.
const MOST_STEPS: usize = 200;
/// A step that changes no weight by more ends the fit.
const CLOSE_ENOUGH: f64 = 1e-6;
/// Weight of the squared weights, as if this many rows said nought.
const RIDGE: f64 = 1.0;

/// Weights of a fitted regression.
pub(super) struct Logistic {
    scales: Vec<Scale>,
    /// For each direction one weight a column and an intercept.
    weights: [Vec<f64>; 3],
}

impl Logistic {
    /// Fits rows of as many values as there are scales.
    ///
    /// Each step solves with a bound of the curvature that holds for any weights, so that none overshoots and the
    /// matrix is factored once.
    ///
    /// # Source
    /// D. Böhning, Multinomial logistic regression algorithm (1992)
    pub(super) fn fit(scales: Vec<Scale>, rows: &[f32], truth: &[Direction]) -> Self {
        let width = scales.len() + 1;
        let rows: Vec<f64> = rows.chunks_exact(scales.len()).flat_map(|row| on_scales(&scales, row)).collect();
        let mut curvature = vec![0.0; width * width];
        for row in rows.chunks_exact(width) {
            add_products(&mut curvature, row);
        }
        for value in &mut curvature {
            *value /= 2.0;
        }
        for place in 0..width {
            curvature[place * width + place] += RIDGE;
        }
        let system = LinearSystem::of(&curvature, width);
        let mut weights = [0; 3].map(|_| vec![0.0; width]);
        for _ in 0..MOST_STEPS {
            let mut largest: f64 = 0.0;
            let gradients = gradient(&weights, &rows, truth);
            for (weights, gradient) in weights.iter_mut().zip(gradients) {
                for (weight, step) in weights.iter_mut().zip(system.solve(&gradient)) {
                    *weight += step;
                    largest = largest.max(step.abs());
                }
            }
            if largest < CLOSE_ENOUGH {
                break;
            }
        }
        Self { scales, weights }
    }

    pub(super) fn predict(&self, row: &[f32]) -> [f64; 3] {
        let row: Vec<f64> = on_scales(&self.scales, row).collect();
        probabilities(&self.weights, &row)
    }
}

/// A row on its scales, with the one of the intercept.
fn on_scales(scales: &[Scale], row: &[f32]) -> impl Iterator<Item = f64> {
    row.iter().zip(scales).map(|(value, scale)| f64::from(scale.apply(*value))).chain(std::iter::once(1.0))
}

/// Where the likelihood grows, for each direction.
fn gradient(weights: &[Vec<f64>; 3], rows: &[f64], truth: &[Direction]) -> [Vec<f64>; 3] {
    let mut gradient =
        weights.clone().map(|weights| weights.into_iter().map(|weight| -RIDGE * weight).collect::<Vec<_>>());
    for (row, truth) in rows.chunks_exact(weights[0].len()).zip(truth) {
        let probabilities = probabilities(weights, row);
        for (direction, gradient) in Direction::ALL.into_iter().zip(&mut gradient) {
            let came = if direction == *truth { 1.0 } else { 0.0 };
            let surprise = came - probabilities[direction.index()];
            for (gradient, value) in gradient.iter_mut().zip(row) {
                *gradient += surprise * value;
            }
        }
    }
    gradient
}

fn probabilities(weights: &[Vec<f64>; 3], row: &[f64]) -> [f64; 3] {
    let logits = [0, 1, 2]
        .map(|direction: usize| weights[direction].iter().zip(row).map(|(weight, value)| weight * value).sum::<f64>());
    let largest = logits.into_iter().fold(f64::NEG_INFINITY, f64::max);
    let odds = logits.map(|logit| (logit - largest).exp());
    let total: f64 = odds.iter().sum();
    odds.map(|odds| odds / total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_odds_behind_a_sample_are_found() {
        let mut random = crate::synthetic::random(41);
        let odds =
            |value: f32| probabilities(&[vec![-1.0, 0.3], vec![0.0, 0.0], vec![2.0, -0.5]], &[value.into(), 1.0]);
        let rows: Vec<f32> = (0..40_000).map(|_| 4.0 * random.f32() - 2.0).collect();
        let drawn = rows.iter().map(|row| {
            let [down, sideways, _] = odds(*row);
            let place = random.f64();
            if place < down {
                Direction::Down
            } else if place < down + sideways {
                Direction::Sideways
            } else {
                Direction::Up
            }
        });
        let truth: Vec<Direction> = drawn.collect();
        let fit = Logistic::fit(vec![Scale { mean: 0.5, deviation: 2.0 }], &rows, &truth);
        for value in [-2.0, -0.5, 0.0, 1.0, 2.0] {
            for (found, expected) in fit.predict(&[value]).into_iter().zip(odds(value)) {
                assert!((found - expected).abs() < 0.02, "at {value}: {found} for {expected}");
            }
        }
    }
}
