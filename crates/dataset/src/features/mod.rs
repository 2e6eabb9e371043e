//! The columns that a model reads, computed for every bar from it and earlier ones.

mod clock;
mod family;
mod feature;
mod levels;
mod market;
mod momentum;
#[cfg(test)]
mod naive;
mod volatility;

use streamforge_events::{Millis, Symbol};

pub use feature::Feature;
pub use volatility::volatility_of_logarithm;

use crate::{Error, Panel, returns::Series};
use family::Formula;
use market::Market;

pub(crate) use volatility::{FLOOR, log_root};

/// Features of all symbols at all bars.
///
/// A row of a symbol is there when every feature of it is; what is missing is nought and not marked in `present`.
///
/// # Shape
/// `values` is `[times, symbols, features]` and `present` `[times, symbols]`, row-major.
///
/// # Units
/// Logarithms of volatilities and ratios, shares from 0 to 1, the relative strength index from 0 to 100.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the type describes its columns")]
pub struct Features {
    pub times: Vec<Millis>,
    pub symbols: Vec<Symbol>,
    pub features: Vec<Feature>,
    pub values: Vec<f32>,
    pub present: Vec<bool>,
}

impl Features {
    /// Computes features; a panel of [`look_back`](crate::Definition::look_back)` + 1` bars yields those of its last.
    ///
    /// The result of a row depends on that row and `look_back` earlier ones alone, to the last bit.
    #[must_use]
    pub fn compute(panel: &Panel, features: &[Feature]) -> Self {
        let market = Market::of(panel);
        let shared: Vec<Option<Vec<f64>>> = features.iter().map(|feature| shared(feature, panel, &market)).collect();
        let (times, symbols) = (panel.times().len(), panel.symbols().len());
        let mut values = vec![0.0; times * symbols * features.len()];
        let mut present = vec![false; times * symbols];
        for (symbol, series) in market.series.iter().enumerate() {
            let own: Vec<Option<Vec<f64>>> = features.iter().map(|feature| own(feature, panel, series)).collect();
            let columns: Vec<&[f64]> =
                own.iter().zip(&shared).filter_map(|(a, b)| a.as_deref().or(b.as_deref())).collect();
            for row in 0..times {
                let cell = row * symbols + symbol;
                // Levels of a bar without a return are not there either, so that this is a check of the bar itself.
                if series.returns[row].is_nan() || columns.iter().any(|column| !column[row].is_finite()) {
                    continue;
                }
                present[cell] = true;
                let place = cell * features.len();
                for (value, column) in values[place..place + features.len()].iter_mut().zip(&columns) {
                    *value = single(column[row]);
                }
            }
        }
        Self {
            times: panel.times().to_vec(),
            symbols: panel.symbols().to_vec(),
            features: features.to_vec(),
            values,
            present,
        }
    }

    /// The features of one symbol in one row, all nought where they are missing.
    #[must_use]
    pub fn row(&self, cell: usize) -> &[f32] {
        &self.values[cell * self.features.len()..(cell + 1) * self.features.len()]
    }

    /// Some of the features, in the order asked for, of the rows in which all were there.
    ///
    /// # Errors
    /// [`Error::FeatureAbsent`] if one was not computed.
    pub fn select(&self, features: &[Feature]) -> Result<Self, Error> {
        let columns = features.iter().map(|feature| self.column(feature)).collect::<Result<Vec<_>, Error>>()?;
        let values = (0..self.present.len()).flat_map(|cell| {
            let row = self.row(cell);
            columns.iter().map(|column| row[*column])
        });
        Ok(Self {
            values: values.collect(),
            times: self.times.clone(),
            symbols: self.symbols.clone(),
            features: features.to_vec(),
            present: self.present.clone(),
        })
    }

    /// Place of a feature in a row.
    ///
    /// # Errors
    /// [`Error::FeatureAbsent`] if it was not computed.
    pub fn column(&self, feature: &Feature) -> Result<usize, Error> {
        let place = self.features.iter().position(|other| other == feature);
        place.ok_or_else(|| Error::FeatureAbsent(feature.to_string()))
    }
}

/// The column of a feature that all symbols share.
fn shared(feature: &Feature, panel: &Panel, market: &Market) -> Option<Vec<f64>> {
    match feature.family().formula {
        Formula::Symbol(_) => None,
        Formula::Market(formula) => Some(formula(market, panel.interval(), feature.parameters())),
        Formula::Clock(formula) => {
            Some(panel.times().iter().map(|time| formula(*time, feature.parameters())).collect())
        }
    }
}

/// The column of a feature that each symbol has of its own.
fn own(feature: &Feature, panel: &Panel, series: &Series) -> Option<Vec<f64>> {
    match feature.family().formula {
        Formula::Symbol(formula) => Some(formula(series, panel.interval(), feature.parameters())),
        Formula::Market(_) | Formula::Clock(_) => None,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a model computes in single precision")]
pub(crate) fn single(value: f64) -> f32 {
    value as f32
}
