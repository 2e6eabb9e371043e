//! Columns brought to mean nought and deviation one, by what the training part alone shows.

use serde::{Deserialize, Serialize};

use crate::{Dataset, Error, Features, Fold, window::count};

/// Mean and deviation of one column.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say all")]
pub struct Scale {
    pub mean: f64,
    /// Population standard deviation; 1 for a column that never changes.
    pub deviation: f64,
}

impl Scale {
    /// Fits the scale of values.
    ///
    /// # Errors
    /// [`Error::NoRows`] if there are none.
    pub fn fit(values: impl Iterator<Item = f32> + Clone) -> Result<Self, Error> {
        let (mut rows, mut total, mut least, mut most) = (0, 0.0, f32::INFINITY, f32::NEG_INFINITY);
        for value in values.clone() {
            rows += 1;
            total += f64::from(value);
            (least, most) = (least.min(value), most.max(value));
        }
        if rows == 0 {
            return Err(Error::NoRows("normalisation".to_owned()));
        }
        let mean = total / count(rows);
        let squares: f64 = values.map(|value| (f64::from(value) - mean).powi(2)).sum();
        let deviation = if least < most { (squares / count(rows)).sqrt() } else { 1.0 };
        Ok(Self { mean, deviation })
    }

    /// Brings a value to the scale.
    #[must_use]
    pub fn apply(self, value: f32) -> f32 {
        crate::features::single((f64::from(value) - self.mean) / self.deviation)
    }

    /// Takes a value back from the scale.
    #[must_use]
    pub fn invert(self, value: f32) -> f32 {
        crate::features::single(f64::from(value) * self.deviation + self.mean)
    }
}

/// The scales of all features, in their order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Normalisation {
    /// One for each column.
    pub columns: Vec<Scale>,
}

impl Normalisation {
    /// Fits the features of a training part; what the test holds makes no difference.
    ///
    /// # Errors
    /// [`Error::NoRows`] if the training has no complete cell.
    pub fn fit(dataset: &Dataset, fold: &Fold) -> Result<Self, Error> {
        let cells: Vec<usize> = dataset.cells(fold.training.clone()).map(|cell| cell.index).collect();
        let columns = 0..dataset.features.features.len();
        let scale = |column| Scale::fit(cells.iter().map(move |cell| dataset.features.row(*cell)[column]));
        Ok(Self { columns: columns.map(scale).collect::<Result<_, Error>>()? })
    }

    /// Brings all rows that are there to the scales; the others stay nought.
    pub fn apply(&self, features: &mut Features) {
        let width = features.features.len().max(1);
        for (row, present) in features.values.chunks_exact_mut(width).zip(&features.present) {
            if *present {
                self.apply_row(row);
            }
        }
    }

    /// Brings one row to the scales.
    pub fn apply_row(&self, row: &mut [f32]) {
        for (value, scale) in row.iter_mut().zip(&self.columns) {
            *value = scale.apply(*value);
        }
    }
}

impl Scale {
    /// Fits the volatility target of a training part.
    ///
    /// # Errors
    /// [`Error::NoRows`] if the training has no complete cell.
    pub fn of_volatility(dataset: &Dataset, fold: &Fold) -> Result<Self, Error> {
        let cells: Vec<usize> = dataset.cells(fold.training.clone()).map(|cell| cell.index).collect();
        Self::fit(cells.iter().map(|cell| dataset.targets.volatility[*cell]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_goes_both_ways_and_a_constant_stays_finite() {
        let scale = Scale::fit([1.0, 3.0].into_iter()).unwrap();
        assert_eq!(scale, Scale { mean: 2.0, deviation: 1.0 });
        assert_eq!((scale.apply(5.0), scale.invert(3.0)), (3.0, 5.0));
        let constant = Scale::fit([0.1; 1_000].into_iter()).unwrap();
        assert!((constant.deviation - 1.0).abs() < f64::EPSILON && constant.apply(0.1).abs() < 1e-6);
        assert!(Scale::fit(std::iter::empty()).is_err());
    }
}
