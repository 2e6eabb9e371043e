//! The list of all features. A new one is an entry here and a formula beside it.

use streamforge_events::{Interval, Millis};

use super::{clock, levels, market, market::Market, momentum, volatility};
use crate::returns::Series;

/// Features of one formula that differ in numbers, as `volatility_16` and `volatility_96` do.
pub(crate) struct Family {
    /// What a name begins with; the numbers follow, each after `_`.
    pub(crate) name: &'static str,
    /// How many numbers a name has.
    pub(crate) parameters: usize,
    /// Returns before and at the current bar that a value reads.
    pub(crate) look_back: fn(Interval, &[usize]) -> usize,
    pub(crate) formula: Formula,
}

/// How a column comes about. What is missing is NaN; a formula reads nothing behind the row that it computes.
#[derive(Clone, Copy)]
pub(crate) enum Formula {
    /// From the bars of a symbol.
    Symbol(fn(&Series, Interval, &[usize]) -> Vec<f64>),
    /// From the bars of all symbols.
    Market(fn(&Market, Interval, &[usize]) -> Vec<f64>),
    /// From the open time.
    Clock(fn(Millis, &[usize]) -> f64),
}

use Formula::{Clock, Market as OfMarket, Symbol};

pub(crate) const FAMILIES: [Family; 24] = [
    family("return", 1, longest, Symbol(momentum::total_return)),
    family("absolute_return", 0, one, Symbol(momentum::absolute_return)),
    family("rsi", 1, smoothed, Symbol(momentum::relative_strength)),
    family("volatility", 1, longest, Symbol(volatility::realised)),
    family("ewma_volatility", 0, smoothed, Symbol(volatility::smoothed)),
    family("seasonal_volatility", 1, volatility::seasonal_look_back, Symbol(volatility::seasonal)),
    family("parkinson", 1, longest, Symbol(levels::mean_range)),
    family("ewma_range", 1, smoothed, Symbol(levels::smoothed_range)),
    family("seasonal_range", 1, volatility::seasonal_look_back, Symbol(levels::seasonal_range)),
    family("past_range", 2, levels::past_look_back, Symbol(levels::past_range)),
    family("turnover", 2, longest, Symbol(levels::turnover)),
    family("taker_share", 1, longest, Symbol(levels::taker_share)),
    family("market_return", 1, longest, OfMarket(market::total_return)),
    family("market_volatility", 1, longest, OfMarket(market::realised)),
    family("volatility_mean", 1, longest, OfMarket(market::mean_volatility)),
    family("parkinson_mean", 1, longest, OfMarket(market::mean_range)),
    family("seasonal_range_mean", 1, volatility::seasonal_look_back, OfMarket(market::mean_seasonal_range)),
    family("turnover_mean", 2, longest, OfMarket(market::mean_turnover)),
    family("day_sin", 1, none, Clock(clock::day_sin)),
    family("day_cos", 1, none, Clock(clock::day_cos)),
    family("week_sin", 1, none, Clock(clock::week_sin)),
    family("week_cos", 1, none, Clock(clock::week_cos)),
    family("weekday", 1, none, Clock(clock::weekday)),
    family("weekend", 0, none, Clock(clock::weekend)),
];

const fn family(
    name: &'static str,
    parameters: usize,
    look_back: fn(Interval, &[usize]) -> usize,
    formula: Formula,
) -> Family {
    Family { name, parameters, look_back, formula }
}

fn longest(_: Interval, parameters: &[usize]) -> usize {
    parameters.iter().copied().max().unwrap_or(0)
}

fn smoothed(_: Interval, _: &[usize]) -> usize {
    volatility::SMOOTHED_OVER
}

fn one(_: Interval, _: &[usize]) -> usize {
    1
}

fn none(_: Interval, _: &[usize]) -> usize {
    0
}
