//! The features once more, as plainly as they can be said, straight from bars by their open times.

use std::collections::BTreeMap;

use streamforge_events::{Interval, Millis};

use super::{market::Market, own, shared};
use crate::{
    Definition, Feature, Features, LARGEST_RETURN, Panel, SymbolBars,
    synthetic::{market, random},
};

const INTERVAL: Interval = Interval::H1;
const HOUR: i64 = 3_600_000;

/// One symbol's bars by open time: high, low, close, volume, quote volume, bought volume.
type Bars = BTreeMap<Millis, [f64; 6]>;

fn bars(symbol: &SymbolBars) -> Bars {
    let bar = |row| {
        let SymbolBars { high, low, close, volume, quote_volume, taker_buy_volume, .. } = symbol;
        [high, low, close, volume, quote_volume, taker_buy_volume].map(|column: &Vec<f64>| column[row])
    };
    symbol.open_time.iter().enumerate().map(|(row, time)| (*time, bar(row))).collect()
}

fn a_return(bars: &Bars, time: Millis) -> Option<f64> {
    let value = (bars.get(&time)?[2] / bars.get(&(time - HOUR))?[2]).ln();
    (value.abs() <= LARGEST_RETURN).then_some(value)
}

/// Values of the last bars, newest first, if each has a return.
fn last<T>(count: usize, time: Millis, value: impl Fn(Millis) -> Option<T>) -> Option<Vec<T>> {
    (0..i64::try_from(count).unwrap()).map(|age| value(time - age * HOUR)).collect()
}

fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.into_iter().collect();
    values.iter().sum::<f64>() / f64::from(u32::try_from(values.len()).unwrap())
}

fn volatility(returns: &[f64]) -> f64 {
    (mean(returns.iter().map(|value| value * value)).sqrt() + 1e-6).ln()
}

fn weighted(values: &[f64], decay: f64) -> f64 {
    let weights: Vec<f64> = (0..168).map(|age| decay.powi(age)).collect();
    values.iter().zip(&weights).map(|(value, weight)| value * weight).sum::<f64>() / weights.iter().sum::<f64>()
}

fn naive(name: &str, numbers: &[usize], symbol: usize, all: &[Bars], time: Millis) -> Option<f64> {
    let bars = &all[symbol];
    let returns = |count: usize| last(count, time, |time| a_return(bars, time));
    let levels = |count: usize, field: usize| {
        returns(count)?;
        last(count, time, |time| Some(bars[&time][field]))
    };
    let market = |time| {
        let returns: Vec<f64> = all.iter().filter_map(|bars| a_return(bars, time)).collect();
        (!returns.is_empty()).then(|| mean(returns))
    };
    Some(match name {
        "return" => returns(numbers[0])?.iter().sum(),
        "absolute_return" => (returns(1)?[0].abs() + 1e-6).ln(),
        "volatility" => volatility(&returns(numbers[0])?),
        "ewma_volatility" => {
            let squares: Vec<f64> = returns(168)?.iter().map(|value| value * value).collect();
            (weighted(&squares, 0.94).sqrt() + 1e-6).ln()
        }
        "rsi" => {
            let returns = returns(168)?;
            let decay = 13.0 / 14.0;
            let gains = weighted(&returns.iter().map(|value| value.max(0.0)).collect::<Vec<_>>(), decay);
            let losses = weighted(&returns.iter().map(|value| (-value).max(0.0)).collect::<Vec<_>>(), decay);
            100.0 - 100.0 / (1.0 + gains / losses)
        }
        "seasonal_volatility" => {
            let ahead: i64 = numbers[0].try_into().unwrap();
            // The first day whose bars of these times are all past.
            let first = if ahead > 24 { 2 } else { 1 };
            let days = (first..first + 7)
                .map(|day| last(numbers[0], time + (ahead - 24 * day) * HOUR, |time| a_return(bars, time)));
            volatility(&days.collect::<Option<Vec<_>>>()?.concat())
        }
        "parkinson" => {
            let (high, low) = (levels(numbers[0], 0)?, levels(numbers[0], 1)?);
            (mean(high.iter().zip(&low).map(|(high, low)| (high / low).ln())) + 1e-6).ln()
        }
        "ewma_range" => {
            let (high, low) = (levels(168, 0)?, levels(168, 1)?);
            let ranges: Vec<f64> = high.iter().zip(&low).map(|(high, low)| (high / low).ln()).collect();
            let decay = 1.0 - f64::from(u32::try_from(numbers[0]).unwrap()) / 100.0;
            (weighted(&ranges, decay) + 1e-6).ln()
        }
        "seasonal_range" | "past_range" => {
            let ahead: i64 = numbers[0].try_into().unwrap();
            // The first day whose bars of these times are all past.
            let first = if ahead > 24 { 2 } else { 1 };
            let days = match numbers.get(1) {
                Some(day) => {
                    let day = first + i64::try_from(*day).unwrap() - 1;
                    day..day + 1
                }
                None => first..first + 7,
            };
            let range = |time| {
                a_return(bars, time)?;
                Some((bars[&time][0] / bars[&time][1]).ln())
            };
            let days = days.map(|day| last(numbers[0], time + (ahead - 24 * day) * HOUR, range));
            (mean(days.collect::<Option<Vec<_>>>()?.concat()) + 1e-6).ln()
        }
        "parkinson_mean" | "seasonal_range_mean" | "turnover_mean" => {
            let own = |symbol| naive(name.strip_suffix("_mean").unwrap(), numbers, symbol, all, time);
            let own: Vec<f64> = (0..all.len()).filter_map(own).collect();
            if own.is_empty() { None? } else { mean(own) }
        }
        "turnover" => {
            let (short, long) = (mean(levels(numbers[0], 4)?), mean(levels(numbers[1], 4)?));
            if long == 0.0 { 0.0 } else { (short / long).max(1e-6).ln() }
        }
        "taker_share" => {
            let volume = levels(numbers[0], 3)?.iter().sum::<f64>();
            let bought = levels(numbers[0], 5)?.iter().sum::<f64>();
            if volume == 0.0 { 0.5 } else { bought / volume }
        }
        "market_return" => last(numbers[0], time, market)?.iter().sum(),
        "market_volatility" => volatility(&last(numbers[0], time, market)?),
        "volatility_mean" => {
            let own = |bars: &Bars| Some(volatility(&last(numbers[0], time, |time| a_return(bars, time))?));
            let own: Vec<f64> = all.iter().filter_map(own).collect();
            if own.is_empty() { None? } else { mean(own) }
        }
        _ => panic!("{name} has no plain definition here"),
    })
}

#[test]
fn features_are_those_of_their_definitions() {
    let mut random = random(31);
    let symbols = market(&mut random, INTERVAL, 420);
    let all: Vec<Bars> = symbols.iter().map(bars).collect();
    let panel = Panel::new(INTERVAL, symbols).unwrap();
    let market = Market::of(&panel);
    let further =
        ["volatility_mean_3", "market_return_4", "seasonal_volatility_30", "past_range_30_2", "turnover_1_24"]
            .map(str::to_owned);
    let definition = Definition::standard(INTERVAL, 6).unwrap().with(&further).unwrap();
    for feature in definition.features.iter().filter(|feature| feature.look_back(INTERVAL) > 0) {
        let mut there = 0;
        for symbol in 0..all.len() {
            let found =
                own(feature, &panel, &market.series[symbol]).or_else(|| shared(feature, &panel, &market)).unwrap();
            for (found, time) in found.iter().zip(panel.times()) {
                let expected = naive(feature.family().name, feature.parameters(), symbol, &all, *time);
                assert_eq!(found.is_finite(), expected.is_some(), "{feature} of symbol {symbol} at {time}");
                there += usize::from(expected.is_some());
                let error = expected.map_or(0.0, |expected| (found - expected).abs() / expected.abs().max(1.0));
                assert!(error < 1e-9, "{feature} of symbol {symbol} at {time}: {found} for {expected:?}");
            }
        }
        assert!(there > 300, "{feature} is hardly ever there");
    }
}

#[test]
fn what_stands_still_has_features_too() {
    let mut random = random(32);
    let mut symbols = market(&mut random, INTERVAL, 200);
    symbols.truncate(1);
    let SymbolBars { high, low, close, volume, quote_volume, taker_buy_volume, .. } = &mut symbols[0];
    for (column, value) in
        [(high, 5.0), (low, 5.0), (close, 5.0), (volume, 0.0), (quote_volume, 0.0), (taker_buy_volume, 0.0)]
    {
        column.fill(value);
    }
    let definition = Definition::standard(INTERVAL, 6).unwrap();
    let panel = Panel::new(INTERVAL, symbols).unwrap();
    let features = Features::compute(&panel, &definition.features);
    assert!(features.present[199] && features.values.iter().all(|value| value.is_finite()));
    let value = |name: &str| {
        let column = features.column(&name.parse::<Feature>().unwrap()).unwrap();
        features.row(199)[column]
    };
    for (name, expected) in [("rsi_14", 50.0), ("turnover_16_168", 0.0), ("taker_share_16", 0.5)] {
        assert!((value(name) - expected).abs() < f32::EPSILON, "{name}");
    }
    assert!((value("volatility_16") - 1e-6_f32.ln()).abs() < 1e-6);
}

#[test]
fn columns_can_be_chosen_and_rows_without_bars_are_nought() {
    let mut random = random(33);
    let panel = Panel::new(INTERVAL, market(&mut random, INTERVAL, 420)).unwrap();
    let definition = Definition::standard(INTERVAL, 6).unwrap();
    let features = Features::compute(&panel, &definition.features);
    let names = ["weekend", "return_1"].map(|name| name.parse::<Feature>().unwrap());
    let few = features.select(&names).unwrap();
    let places = names.each_ref().map(|name| features.column(name).unwrap());
    for cell in 0..features.present.len() {
        assert_eq!(few.row(cell), places.map(|place| features.row(cell)[place]));
        assert!(features.present[cell] || features.row(cell).iter().all(|value| value.to_bits() == 0));
    }
    let clock = Features::compute(&panel, &["weekend".parse().unwrap()]);
    // The second symbol is listed late: the clock runs before, but there is nothing that it could be a feature of.
    assert!((0..20).all(|row| clock.present[row * 4] == (row > 0) && !clock.present[row * 4 + 1]));
    let absent = "return_7".parse::<Feature>().unwrap();
    assert_eq!(features.select(&[absent]).unwrap_err().to_string(), "feature `return_7` is not among those computed");
}
