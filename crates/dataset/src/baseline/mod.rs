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

#[cfg(test)]
mod tests {
    use streamforge_events::Interval;

    use super::*;
    use crate::{
        Direction, Score,
        synthetic::{panel, random},
    };

    fn split() -> (Dataset, Definition, Vec<Fold>) {
        let panel = panel(&mut random(42), Interval::H1, 900);
        let definition = Definition::standard(Interval::H1, 6).unwrap();
        let few = Definition { features: Vec::new(), ..definition }.with_baselines().unwrap();
        let dataset = Dataset::compute(&panel, &few);
        let folds = dataset.walk_forward(&[0.6, 0.8, 0.99], few.embargo()).unwrap();
        (dataset, few, folds)
    }

    #[test]
    fn every_baseline_is_measured_in_every_test() {
        let (dataset, definition, folds) = split();
        let scores = scores(&dataset, &definition, &folds).unwrap();
        let all = [&scores.volatility, &scores.volatility_qlike, &scores.direction, &scores.direction_log_loss];
        assert_eq!(all.map(std::collections::BTreeMap::len), [5, 5, 3, 3]);
        let is_sound = |score: &Score| score.windows.len() == 2 && score.mean.is_finite() && score.mean > 0.0;
        assert!(all.iter().all(|scores| scores.values().all(is_sound)));
        // A walk has no direction to be learned: nothing is sure, and nothing is worse than a guess by far.
        assert!(scores.direction_log_loss.values().all(|score| (0.8..1.4).contains(&score.mean)));
    }

    #[test]
    fn the_previous_class_is_what_had_come_by_now() {
        let (dataset, definition, folds) = split();
        let found = DirectionBaseline::PreviousClass.predict(&dataset, &definition, &folds[0]).unwrap();
        let symbols = dataset.targets.symbols.len();
        let (mut told, mut others) = (0, 0);
        for (cell, forecast) in dataset.cells(folds[0].test.clone()).zip(found) {
            let past = cell.index - definition.horizon * symbols;
            if dataset.targets.present[past] {
                assert_eq!(forecast.direction, dataset.targets.direction[past]);
                told += 1;
                others += usize::from(forecast.direction != Direction::Sideways);
            }
        }
        assert!(told > 100 && others > 20, "{told} of which {others} moved");
    }

    #[test]
    fn a_symbol_without_a_past_is_predicted_by_the_others() {
        let (mut dataset, definition, folds) = split();
        let symbols = dataset.targets.symbols.len();
        for index in (0..folds[0].training.end * symbols).filter(|index| index % symbols == 0) {
            dataset.features.present[index] = false;
        }
        let found = VolatilityBaseline::Har.predict(&dataset, &definition, &folds[0]).unwrap();
        assert_eq!(found.len(), dataset.cells(folds[0].test.clone()).count());
        let nothing = Fold { training: 0..1, test: folds[0].test.clone() };
        assert!(VolatilityBaseline::Har.predict(&dataset, &definition, &nothing).is_err());
    }

    #[test]
    fn a_dataset_without_their_columns_is_refused() {
        let (mut dataset, definition, folds) = split();
        let few = [definition.features[0].clone()];
        dataset.features = dataset.features.select(&few).unwrap();
        assert!(matches!(scores(&dataset, &definition, &folds), Err(Error::FeatureAbsent(_))));
    }
}
