//! Features that all symbols share: what the market did as a whole.

use streamforge_events::Interval;

use super::{levels, volatility::of_squares};
use crate::{
    Panel,
    returns::Series,
    window::{count, sums},
};

/// All symbols and their mean.
pub(crate) struct Market {
    pub(super) series: Vec<Series>,
    /// Mean return of the symbols that have one; NaN where none has.
    returns: Vec<f64>,
}

impl Market {
    pub(super) fn of(panel: &Panel) -> Self {
        let series: Vec<Series> = panel.bars().iter().map(Series::of).collect();
        let returns = mean(panel.times().len(), series.iter().map(|series| series.returns.as_slice()));
        Self { series, returns }
    }
}

/// Return of the market over some bars.
pub(super) fn total_return(market: &Market, _: Interval, parameters: &[usize]) -> Vec<f64> {
    sums(&market.returns, parameters[0])
}

/// Realised volatility of the market's return.
pub(super) fn realised(market: &Market, _: Interval, parameters: &[usize]) -> Vec<f64> {
    let squares: Vec<f64> = market.returns.iter().map(|value| value * value).collect();
    of_squares(&squares, parameters[0])
}

/// Mean over the symbols of their own realised volatilities.
pub(super) fn mean_volatility(market: &Market, _: Interval, parameters: &[usize]) -> Vec<f64> {
    mean_of(market, |series| of_squares(&series.squares, parameters[0]))
}

/// Mean over the symbols of their own ranges.
pub(super) fn mean_range(market: &Market, interval: Interval, parameters: &[usize]) -> Vec<f64> {
    mean_of(market, |series| levels::mean_range(series, interval, parameters))
}

/// Mean over the symbols of their own seasonal ranges.
pub(super) fn mean_seasonal_range(market: &Market, interval: Interval, parameters: &[usize]) -> Vec<f64> {
    mean_of(market, |series| levels::seasonal_range(series, interval, parameters))
}

/// Mean over the symbols of their own turnovers.
pub(super) fn mean_turnover(market: &Market, interval: Interval, parameters: &[usize]) -> Vec<f64> {
    mean_of(market, |series| levels::turnover(series, interval, parameters))
}

/// Mean over the symbols of a feature of theirs.
fn mean_of(market: &Market, feature: impl Fn(&Series) -> Vec<f64>) -> Vec<f64> {
    let columns: Vec<Vec<f64>> = market.series.iter().map(feature).collect();
    mean(market.returns.len(), columns.iter().map(Vec::as_slice))
}

/// Mean of the columns that have a value in a row.
fn mean<'column>(rows: usize, columns: impl Iterator<Item = &'column [f64]>) -> Vec<f64> {
    let (mut totals, mut present) = (vec![0.0; rows], vec![0_usize; rows]);
    for column in columns {
        for ((total, present), value) in totals.iter_mut().zip(&mut present).zip(column) {
            if !value.is_nan() {
                *total += value;
                *present += 1;
            }
        }
    }
    let mean = |(total, present): (f64, usize)| if present == 0 { f64::NAN } else { total / count(present) };
    totals.into_iter().zip(present).map(mean).collect()
}
