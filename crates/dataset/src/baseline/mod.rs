//! Simple predictions that a model has to beat, measured on the very cells that it is measured on.

mod direction;
mod least_squares;
mod linear_system;
mod logistic;
mod volatility;

pub use direction::DirectionBaseline;
pub use volatility::VolatilityBaseline;

use crate::{Dataset, Definition, DirectionLoss, Error, Fold, Scores, VolatilityLoss};

impl Definition {
    /// The same with the features that the baselines read, so that all are measured on the same cells.
    ///
    /// # Errors
    /// As of [`Definition::with`].
    pub fn with_baselines(self) -> Result<Self, Error> {
        let columns = VolatilityBaseline::ALL.iter().flat_map(|baseline| baseline.columns(&self));
        let names: Vec<String> = columns.chain(DirectionBaseline::columns(&self)).collect();
        self.with(&names)
    }
}

/// Measures all baselines over the tests of a split.
///
/// # Errors
/// [`Error::FeatureAbsent`] if the dataset is not of a definition [with baselines](Definition::with_baselines),
/// [`Error::NoRows`] if a training or a test has no complete cell.
pub fn scores(dataset: &Dataset, definition: &Definition, folds: &[Fold]) -> Result<Scores, Error> {
    let mut scores = Scores::default();
    for baseline in VolatilityBaseline::ALL {
        let losses = folds.iter().map(|fold| {
            let predicted = baseline.predict(dataset, definition, fold)?;
            let truth = dataset.cells(fold.test.clone()).map(|cell| f64::from(dataset.targets.volatility[cell.index]));
            Ok(VolatilityLoss::of(truth.zip(predicted)))
        });
        scores.add_volatility(baseline.name(), &losses.collect::<Result<Vec<_>, Error>>()?);
    }
    for baseline in DirectionBaseline::ALL {
        let losses = folds.iter().map(|fold| {
            let predicted = baseline.predict(dataset, definition, fold)?;
            let truth = dataset.cells(fold.test.clone()).map(|cell| dataset.targets.direction[cell.index]);
            Ok(DirectionLoss::of(truth.zip(predicted)))
        });
        scores.add_direction(baseline.name(), &losses.collect::<Result<Vec<_>, Error>>()?);
    }
    Ok(scores)
}
