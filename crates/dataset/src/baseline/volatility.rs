//! Predictions of volatility: by the last value, a smoothed one, and heterogeneous autoregression.

use super::least_squares::LeastSquares;
use crate::{Dataset, Definition, Error, Fold, Windows};

/// A symbol with fewer rows a column than this to learn from is predicted by what all symbols show.
const LEAST_ROWS: usize = 20;

/// A simple prediction of volatility.
///
/// # Source
/// HAR: F. Corsi, A Simple Approximate Long-Memory Model of Realized Volatility (2009)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VolatilityBaseline {
    /// What was in the last bars comes again.
    LastValue,
    /// A mean whose weights fall with age comes.
    Ewma,
    /// Least squares on hours, a day and a week, for each symbol.
    Har,
    /// The same, and the last hour and the time of day and week.
    HarClock,
    /// The same, and the market, ranges and turnover.
    HarClockMarket,
}

impl VolatilityBaseline {
    /// All of them, the simplest first.
    pub const ALL: [Self; 5] = [Self::LastValue, Self::Ewma, Self::Har, Self::HarClock, Self::HarClockMarket];

    /// Name among the scores.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LastValue => "last value",
            Self::Ewma => "EWMA",
            Self::Har => "HAR",
            Self::HarClock => "HAR + clock",
            Self::HarClockMarket => "HAR + clock + market",
        }
    }

    /// Predicts the complete cells of the test, in their order.
    ///
    /// # Errors
    /// [`Error::FeatureAbsent`] if the dataset lacks a column, [`Error::NoRows`] if there is nothing to learn from.
    pub fn predict(self, dataset: &Dataset, definition: &Definition, fold: &Fold) -> Result<Vec<f64>, Error> {
        let names = self.columns(definition);
        let columns =
            names.iter().map(|name| dataset.features.column(&name.parse()?)).collect::<Result<Vec<_>, _>>()?;
        match self {
            Self::LastValue | Self::Ewma => {
                let cells = dataset.cells(fold.test.clone());
                Ok(cells.map(|cell| f64::from(dataset.features.row(cell.index)[columns[0]])).collect())
            }
            Self::Har | Self::HarClock | Self::HarClockMarket => regression(dataset, &columns, fold),
        }
    }

    pub(super) fn columns(self, definition: &Definition) -> Vec<String> {
        let Windows { short, middle, long, longest } = definition.windows;
        let volatilities = |windows: &[usize]| windows.iter().map(|bars| format!("volatility_{bars}")).collect();
        let mut names: Vec<String> = match self {
            Self::LastValue => return volatilities(&[middle]),
            Self::Ewma => return vec!["ewma_volatility".to_owned()],
            Self::Har | Self::HarClock | Self::HarClockMarket => volatilities(&[middle, long, longest]),
        };
        if matches!(self, Self::HarClock | Self::HarClockMarket) {
            names.push(format!("volatility_{short}"));
            names.extend(["day_sin_1", "day_cos_1", "day_sin_2", "day_cos_2", "weekend"].map(str::to_owned));
        }
        if matches!(self, Self::HarClockMarket) {
            names.extend([short, middle, long].iter().map(|bars| format!("market_volatility_{bars}")));
            names.extend([format!("parkinson_{middle}"), format!("turnover_{middle}_{longest}")]);
        }
        names
    }
}

/// Rows and truths to learn from.
#[derive(Default)]
struct Sample {
    rows: Vec<f64>,
    truth: Vec<f64>,
}

/// Fits each symbol by itself, and all together for those that have too little of their own.
fn regression(dataset: &Dataset, columns: &[usize], fold: &Fold) -> Result<Vec<f64>, Error> {
    let width = columns.len();
    let values = |index: usize| {
        let row = dataset.features.row(index);
        columns.iter().map(move |column| f64::from(row[*column]))
    };
    let mut samples: Vec<Sample> = dataset.features.symbols.iter().map(|_| Sample::default()).collect();
    for cell in dataset.cells(fold.training.clone()) {
        samples[cell.symbol].rows.extend(values(cell.index));
        samples[cell.symbol].truth.push(f64::from(dataset.targets.volatility[cell.index]));
    }
    let fit = |sample: &Sample| LeastSquares::fit(&sample.rows, &sample.truth, width);
    let has_enough = |sample: &Sample| sample.truth.len() >= LEAST_ROWS * width;
    let all = if samples.iter().all(has_enough) {
        None
    } else {
        let all = Sample {
            rows: samples.iter().flat_map(|sample| sample.rows.iter().copied()).collect(),
            truth: samples.iter().flat_map(|sample| sample.truth.iter().copied()).collect(),
        };
        if all.truth.is_empty() {
            return Err(Error::NoRows("a regression".to_owned()));
        }
        Some(fit(&all))
    };
    let own: Vec<Option<LeastSquares>> = samples.iter().map(|sample| has_enough(sample).then(|| fit(sample))).collect();
    let predictions = dataset.cells(fold.test.clone()).filter_map(|cell| {
        let fit = own[cell.symbol].as_ref().or(all.as_ref())?;
        Some(fit.predict(values(cell.index)))
    });
    Ok(predictions.collect())
}
