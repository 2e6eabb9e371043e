//! Made-up markets: random features, and targets that follow from them and from the neighbours.

#![allow(dead_code, reason = "every test takes what it needs")]

use gnn_trainer::{Aggregation, Architecture, Direction, Samples, Settings, Temporal};

pub(crate) const SYMBOLS: usize = 4;
pub(crate) const FEATURES: usize = 3;

/// Every kind of network, small.
pub(crate) fn architectures() -> Vec<Architecture> {
    let mut architectures = Vec::new();
    for aggregation in [Aggregation::None, Aggregation::Mean, Aggregation::Attention { heads: 2 }] {
        for temporal in [Temporal::Last, Temporal::Mean, Temporal::Gru] {
            let lags = if temporal == Temporal::Last { vec![0] } else { vec![0, 1, 4] };
            architectures.push(Architecture {
                symbols: SYMBOLS,
                features: FEATURES,
                hidden: 8,
                aggregation,
                temporal,
                lags,
                dropout_percent: 10,
            });
        }
    }
    architectures
}

/// Edges between neighbours in a ring of three; the last symbol has none.
pub(crate) fn graph() -> Vec<f32> {
    let mut graph = vec![0.0; SYMBOLS * SYMBOLS];
    for (from, to, weight) in [(0, 1, 0.9), (1, 2, 0.6), (0, 2, 0.7)] {
        graph[from * SYMBOLS + to] = weight;
        graph[to * SYMBOLS + from] = weight;
    }
    graph
}

pub(crate) fn settings(epochs: usize) -> Settings {
    Settings {
        epochs,
        batch: 32,
        stride: 2,
        patience: epochs,
        learning_rate: 1e-2,
        rate_decay: 0.95,
        weight_decay: 1e-4,
        longest_gradient: 1.0,
        direction_weight: 0.2,
        seed: 7,
    }
}

/// A market in which a symbol's volatility is its first feature and half of the second one of its neighbours; one cell
/// in `absent` is not there.
pub(crate) fn samples(times: usize, seed: u64, absent: Option<usize>) -> Samples {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut normal = || (0..12).map(|_| random.f32()).sum::<f32>() - 6.0;
    let values: Vec<f32> = (0..times * SYMBOLS * FEATURES).map(|_| normal()).collect();
    let graph = graph();
    let at = |time: usize, symbol: usize, feature: usize| values[(time * SYMBOLS + symbol) * FEATURES + feature];
    let cells: Vec<(usize, usize)> =
        (0..times).flat_map(|time| (0..SYMBOLS).map(move |symbol| (time, symbol))).collect();
    let volatility = cells.iter().map(|(time, symbol)| {
        let weights = &graph[symbol * SYMBOLS..(symbol + 1) * SYMBOLS];
        let total: f32 = weights.iter().sum();
        let heard: f32 = (0..SYMBOLS).map(|other| weights[other] * at(*time, other, 1)).sum();
        Some(0.5 * at(*time, *symbol, 0) + if total > 0.0 { heard / total } else { 0.0 })
    });
    let volatility: Vec<Option<f32>> = volatility.collect();
    let direction = cells.iter().map(|(time, symbol)| match at(*time, *symbol, 2) {
        value if value < -0.5 => Some(Direction::Down),
        value if value > 0.5 => Some(Direction::Up),
        _ => Some(Direction::Sideways),
    });
    let direction: Vec<Option<Direction>> = direction.collect();
    let present: Vec<bool> = (0..cells.len()).map(|cell| absent.is_none_or(|every| cell % every != 0)).collect();
    Samples::new([times, SYMBOLS, FEATURES], &values, &present, &volatility, &direction).unwrap()
}
