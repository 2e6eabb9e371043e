//! What is to be predicted: volatility and direction of the bars that follow.

use serde::{Deserialize, Serialize};
use streamforge_events::{Millis, Symbol};

use crate::{
    Definition, Panel,
    features::{FLOOR, log_root, single},
    returns::Series,
    window::{count, sums},
};

/// Where the price goes over the horizon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say all")]
pub enum Direction {
    Down,
    Sideways,
    Up,
}

impl Direction {
    /// All directions, in the order in which probabilities are given.
    pub const ALL: [Self; 3] = [Self::Down, Self::Sideways, Self::Up];

    /// Place in a list of probabilities.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }
}

/// Targets of all symbols at all bars; both are there or none, and what is missing is not marked in `present`.
///
/// The volatility is that of the returns of the next bars, as the feature of the same name is of the last ones. The
/// direction is that of their sum, sideways inside of a band that is as wide as the volatility up to now makes
/// likely: `band` times the standard deviation over the horizon.
///
/// # Shape
/// `[times, symbols]`, row-major.
///
/// # Units
/// `volatility` is a logarithm.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the type describes its columns")]
pub struct Targets {
    pub times: Vec<Millis>,
    pub symbols: Vec<Symbol>,
    pub volatility: Vec<f32>,
    pub direction: Vec<Direction>,
    pub present: Vec<bool>,
}

impl Targets {
    /// Takes a volatility back from its logarithm; what stands still comes out as the least volatility that is told.
    ///
    /// # Units
    /// Root of the mean square of the log returns of a bar.
    #[must_use]
    pub fn volatility_of(logarithm: f64) -> f64 {
        (logarithm.exp() - FLOOR).max(FLOOR)
    }

    /// Computes the targets of a definition.
    #[must_use]
    pub fn compute(panel: &Panel, definition: &Definition) -> Self {
        let (times, symbols) = (panel.times().len(), panel.symbols().len());
        let mut targets = Self {
            times: panel.times().to_vec(),
            symbols: panel.symbols().to_vec(),
            volatility: vec![0.0; times * symbols],
            direction: vec![Direction::Sideways; times * symbols],
            present: vec![false; times * symbols],
        };
        let horizon = definition.horizon;
        for (symbol, bars) in panel.bars().iter().enumerate() {
            let series = Series::of(bars);
            let past = sums(&series.squares, definition.windows.middle);
            let squares = sums(&series.squares, horizon);
            let moves = sums(&series.returns, horizon);
            for row in 0..times.saturating_sub(horizon) {
                let (past, square, total) = (past[row], squares[row + horizon], moves[row + horizon]);
                if past.is_nan() || square.is_nan() {
                    continue;
                }
                let cell = row * symbols + symbol;
                let deviation = (past / count(definition.windows.middle)).sqrt();
                targets.volatility[cell] = single(log_root(square / count(horizon)));
                targets.direction[cell] = direction(total, definition.band_of(deviation));
                targets.present[cell] = true;
            }
        }
        targets
    }
}

fn direction(total: f64, band: f64) -> Direction {
    if total > band {
        Direction::Up
    } else if total < -band {
        Direction::Down
    } else {
        Direction::Sideways
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volatility_comes_back_from_its_logarithm() {
        let logarithm = log_root(0.0004);
        assert!((Targets::volatility_of(logarithm) - 0.02).abs() < 1e-12);
        assert!(Targets::volatility_of(-100.0) > 0.0);
    }

    #[test]
    fn the_band_itself_is_sideways() {
        let found = [0.2, 0.1, 0.0, -0.1, -0.2].map(|total| direction(total, 0.1));
        assert_eq!(
            found,
            [Direction::Up, Direction::Sideways, Direction::Sideways, Direction::Sideways, Direction::Down]
        );
        assert_eq!(
            [1e-9, 0.0, -1e-9].map(|total| direction(total, 0.0)),
            [Direction::Up, Direction::Sideways, Direction::Down]
        );
        assert_eq!(Direction::ALL.map(Direction::index), [0, 1, 2]);
    }
}
