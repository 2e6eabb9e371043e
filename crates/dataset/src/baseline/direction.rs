//! Predictions of direction: by what was most frequent, what came last, and logistic regression.

use super::logistic::Logistic;
use crate::{
    Dataset, Definition, Direction, Error, Fold, Forecast, Normalisation, Windows, dataset::Cell, window::count,
};

/// A simple prediction of direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirectionBaseline {
    /// What came most often in the training.
    MajorityClass,
    /// What came over the last horizon.
    PreviousClass,
    /// Logistic regression on past returns, volatilities and the clock, of all symbols together.
    Logistic,
}

impl DirectionBaseline {
    /// All of them, the simplest first.
    pub const ALL: [Self; 3] = [Self::MajorityClass, Self::PreviousClass, Self::Logistic];

    /// Name among the scores.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MajorityClass => "majority class",
            Self::PreviousClass => "previous class",
            Self::Logistic => "logistic regression",
        }
    }

    /// Predicts the complete cells of the test, in their order.
    ///
    /// # Errors
    /// [`Error::FeatureAbsent`] if the dataset lacks a column, [`Error::NoRows`] if there is nothing to learn from.
    pub fn predict(self, dataset: &Dataset, definition: &Definition, fold: &Fold) -> Result<Vec<Forecast>, Error> {
        let shares = shares(dataset.cells(fold.training.clone()).map(|cell| truth(dataset, cell)));
        match self {
            Self::MajorityClass => Ok(dataset.cells(fold.test.clone()).map(|_| Forecast::of(shares)).collect()),
            Self::PreviousClass => Ok(after_previous(dataset, definition.horizon, fold, shares)),
            Self::Logistic => regression(dataset, definition, fold),
        }
    }

    pub(super) fn columns(definition: &Definition) -> Vec<String> {
        let Windows { short, middle, long, longest } = definition.windows;
        let mut names: Vec<String> = [1, 4, 12, 24].iter().map(|bars| format!("return_{bars}")).collect();
        names.extend([short, middle, long].iter().map(|bars| format!("volatility_{bars}")));
        names.extend([format!("turnover_{middle}_{longest}"), format!("taker_share_{middle}"), "rsi_14".to_owned()]);
        names.push(format!("market_volatility_{middle}"));
        names.extend(["day_sin_1", "day_cos_1", "weekend"].map(str::to_owned));
        names
    }
}

fn truth(dataset: &Dataset, cell: Cell) -> Direction {
    dataset.targets.direction[cell.index]
}

/// Shares of the directions, each counted once more so that none is held impossible.
fn shares(directions: impl Iterator<Item = Direction>) -> [f64; 3] {
    let mut counts = [1_usize; 3];
    for direction in directions {
        counts[direction.index()] += 1;
    }
    counts.map(|rows| count(rows) / count(counts.iter().sum()))
}

/// Says what came over the last horizon; the probabilities are what followed it in the training.
fn after_previous(dataset: &Dataset, horizon: usize, fold: &Fold, shares_of_all: [f64; 3]) -> Vec<Forecast> {
    let symbols = dataset.targets.symbols.len();
    // The target of `horizon` bars ago ended with the current bar.
    let previous = |cell: Cell| {
        let index = cell.index.checked_sub(horizon * symbols)?;
        dataset.targets.present[index].then(|| dataset.targets.direction[index])
    };
    let after = Direction::ALL.map(|before| {
        let cells = dataset.cells(fold.training.clone()).filter(|cell| previous(*cell) == Some(before));
        shares(cells.map(|cell| truth(dataset, cell)))
    });
    let forecast = |cell| match previous(cell) {
        Some(direction) => Forecast { direction, probabilities: after[direction.index()] },
        None => Forecast::of(shares_of_all),
    };
    dataset.cells(fold.test.clone()).map(forecast).collect()
}

/// Learns from every bar that shares less than three quarters of its future with the one before, of all symbols.
fn regression(dataset: &Dataset, definition: &Definition, fold: &Fold) -> Result<Vec<Forecast>, Error> {
    let names = DirectionBaseline::columns(definition);
    let features = names.iter().map(|name| name.parse()).collect::<Result<Vec<_>, _>>()?;
    let selected = Dataset { features: dataset.features.select(&features)?, targets: dataset.targets.clone() };
    let scales = Normalisation::fit(&selected, fold)?.columns;
    let stride = (definition.horizon / 4).max(1);
    let (mut rows, mut directions) = (Vec::new(), Vec::new());
    for cell in selected.cells(fold.training.clone()).filter(|cell| cell.row % stride == 0) {
        rows.extend_from_slice(selected.features.row(cell.index));
        directions.push(truth(&selected, cell));
    }
    let fit = Logistic::fit(scales, &rows, &directions);
    let forecast = |cell: Cell| Forecast::of(fit.predict(selected.features.row(cell.index)));
    Ok(selected.cells(fold.test.clone()).map(forecast).collect())
}
