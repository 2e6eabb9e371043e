//! From a panel of bars to what a model says after each of them.

use std::{num::NonZeroU32, ops::Range, time::Instant};

use streamforge_dataset::{Features, Targets};
use streamforge_events::{Health, Millis, Prediction, Split, TimeRange};

use crate::{
    Error,
    health::Soundness,
    history::History,
    metrics::Metrics,
    model::ReadyModel,
    network::{Inputs, Outputs, Size},
};

/// Rows that the network is asked for at once.
const BATCH: usize = 256;

/// What a model says about one symbol after one bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Forecast {
    pub(crate) open_time: Millis,
    /// Place in the card's list.
    pub(crate) symbol: usize,
    pub(crate) volatility: f64,
    pub(crate) probabilities: [f64; 3],
    pub(crate) health: Health,
}

/// Predicts after each bar of the panel that opens in `range`, for each symbol that has its features there; `now` is
/// given where the bars are new.
///
/// Computes for as long as it takes; not to be called where others wait.
///
/// # Errors
/// [`Error::Model`] if the runtime fails or the network says what no prediction can be.
pub(crate) fn forecasts(
    model: &ReadyModel,
    history: &History,
    range: TimeRange,
    now: Option<Millis>,
    metrics: &Metrics,
) -> Result<Vec<Forecast>, Error> {
    let features = Features::compute(&history.panel, &model.card.definition.features);
    let symbols = model.network.size().symbols;
    let is_wanted = |row: &usize| features.present[row * symbols..(row + 1) * symbols].contains(&true);
    let rows: Vec<usize> = rows_in(&features.times, range).filter(is_wanted).collect();
    let soundness = Soundness::new(history, model.card.look_back(), now);
    let mut found = Vec::new();
    for rows in rows.chunks(BATCH) {
        let inputs = inputs(&features, rows, &model.card.lags, model.network.size());
        let started = Instant::now();
        let outputs = model.network.run(inputs).map_err(|reason| model.unusable(reason))?;
        metrics.inference.observe(started.elapsed().as_secs_f64());
        for (place, row) in rows.iter().enumerate() {
            let health = soundness.after(*row);
            for symbol in (0..symbols).filter(|symbol| features.present[row * symbols + symbol]) {
                found.push(forecast(&outputs, place * symbols + symbol, features.times[*row], symbol, health[symbol]));
            }
        }
    }
    check(model, &found)?;
    Ok(found)
}

/// The rows whose times lie in a range.
fn rows_in(times: &[Millis], range: TimeRange) -> Range<usize> {
    times.partition_point(|time| *time < range.from())..times.partition_point(|time| *time < range.to())
}

/// Features of some rows and of the bars before them that the network reads; what is missing stays nought.
fn inputs(features: &Features, rows: &[usize], lags: &[usize], size: Size) -> Inputs {
    let cells = rows.len() * size.lags * size.symbols;
    let mut inputs = Inputs {
        rows: rows.len(),
        features: Vec::with_capacity(cells * size.features),
        present: Vec::with_capacity(cells),
    };
    for row in rows {
        for lag in lags {
            let Some(bar) = row.checked_sub(*lag) else {
                inputs.features.resize(inputs.features.len() + size.symbols * size.features, 0.0);
                inputs.present.resize(inputs.present.len() + size.symbols, 0.0);
                continue;
            };
            let cells = bar * size.symbols..(bar + 1) * size.symbols;
            inputs.features.extend(&features.values[cells.start * size.features..cells.end * size.features]);
            inputs.present.extend(features.present[cells].iter().map(|is_there| f32::from(u8::from(*is_there))));
        }
    }
    inputs
}

fn forecast(outputs: &Outputs, cell: usize, open_time: Millis, symbol: usize, health: Health) -> Forecast {
    let direction = |class: usize| outputs.direction.get(cell * 3 + class).map_or(f64::NAN, |value| f64::from(*value));
    let logarithm = outputs.volatility.get(cell).map_or(f64::NAN, |value| f64::from(*value));
    // The floor would hide what is no number.
    let volatility = if logarithm.is_nan() { f64::NAN } else { Targets::volatility_of(logarithm) };
    Forecast { open_time, symbol, volatility, probabilities: [direction(0), direction(1), direction(2)], health }
}

/// Refuses what no prediction can be before any of it is stored.
fn check(model: &ReadyModel, forecasts: &[Forecast]) -> Result<(), Error> {
    let horizon = horizon(model)?;
    forecasts.iter().try_for_each(|forecast| {
        let prediction = prediction(model, horizon, forecast);
        prediction.check().map_err(|error| model.unusable(error.to_string()))
    })
}

/// The predictions that forecasts are.
///
/// # Errors
/// [`Error::Model`] if the card's horizon is none.
pub(crate) fn predictions(model: &ReadyModel, forecasts: &[Forecast]) -> Result<Vec<Prediction>, Error> {
    let horizon = horizon(model)?;
    Ok(forecasts.iter().map(|forecast| prediction(model, horizon, forecast)).collect())
}

fn horizon(model: &ReadyModel) -> Result<NonZeroU32, Error> {
    let bars = u32::try_from(model.card.definition.horizon).ok().and_then(NonZeroU32::new);
    bars.ok_or_else(|| model.unusable("its horizon is no number of bars".to_owned()))
}

fn prediction(model: &ReadyModel, horizon: NonZeroU32, forecast: &Forecast) -> Prediction {
    Prediction {
        model: model.manifest.name.clone(),
        version: model.manifest.version.clone(),
        symbol: model.card.symbols[forecast.symbol].clone(),
        interval: model.card.interval,
        open_time: forecast.open_time,
        horizon,
        volatility: forecast.volatility,
        probabilities: forecast.probabilities.into(),
        split: Split::Live,
        health: Some(forecast.health),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_before_the_first_and_cells_that_are_missing_are_marked() {
        let symbols = ["A", "B"].map(|symbol| symbol.parse().unwrap()).to_vec();
        let features = Features {
            times: vec![0, 1, 2],
            symbols,
            features: vec!["weekend".parse().unwrap()],
            values: vec![1.0, 2.0, 3.0, 0.0, 5.0, 6.0],
            present: vec![true, true, true, false, true, true],
        };
        let size = Size { lags: 2, symbols: 2, features: 1 };
        let found = inputs(&features, &[0, 2], &[0, 1], size);
        assert_eq!(found.features, [1.0, 2.0, 0.0, 0.0, 5.0, 6.0, 3.0, 0.0]);
        assert_eq!(found.present, [1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0]);
        assert_eq!(found.rows, 2);
        assert_eq!(rows_in(&features.times, TimeRange::new(1, 9).unwrap()), 1..3);
    }
}
