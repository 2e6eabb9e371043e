//! Correlations over the newest bars, kept up to date bar by bar.

use std::{collections::VecDeque, num::NonZeroUsize};

use crate::{
    correlation::Pair,
    moments::{Side, by_sums, by_values},
    product::{Panel, Products, STRIP},
};

/// Correlations of every pair of symbols over a window that moves by a bar.
///
/// A bar adds the products of its returns to the sums of all pairs and takes off those of the bar that leaves
/// the window. The sums are computed anew once for each window of bars, so that rounding errors do not grow with
/// time; a pair whose sums have lost too many digits meanwhile, after a jump for example, is computed from the
/// returns of the window when it is read. What is read is what [`correlations`](crate::correlations) gives for
/// the same returns, to about 1e-9.
#[derive(Debug, Clone)]
pub struct SlidingCorrelation {
    /// Bars seen so far.
    bars: usize,
    /// Returns of the window, less the shifts and zero where there is none; bar `n` at place `n % window`.
    window: Panel,
    /// What is taken off each return of a symbol so that sums keep their digits; nothing before its first return.
    shifts: Vec<Option<f64>>,
    /// Bars of the window without a return of the symbol, ascending.
    missing: Vec<VecDeque<usize>>,
    sums: Vec<f64>,
    /// The largest sum of squares of each symbol since the sums were computed anew.
    peaks: Vec<f64>,
    products: Products,
    /// The newest returns and those that leave, as the two sides of the product that is added.
    change: [Panel; 2],
}

impl SlidingCorrelation {
    /// An empty window for this many symbols and bars.
    #[must_use]
    pub fn new(symbols: usize, window: NonZeroUsize) -> Self {
        Self {
            bars: 0,
            window: Panel::zeros(symbols, window.get()),
            shifts: vec![None; symbols],
            missing: vec![VecDeque::new(); symbols],
            sums: vec![0.0; symbols],
            peaks: vec![0.0; symbols],
            products: Products::zeros(symbols),
            change: [Panel::zeros(symbols, 2), Panel::zeros(symbols, 2)],
        }
    }

    /// Adds the returns of one more bar, one for each symbol that has one.
    ///
    /// What is not finite, or absent at the end, is no return.
    pub fn push(&mut self, returns: &[Option<f64>]) {
        let depth = self.window.depth();
        let place = self.bars % depth;
        for symbol in 0..self.shifts.len() {
            let value = returns.get(symbol).copied().flatten().filter(|value| value.is_finite());
            self.remember(symbol, value.is_some());
            let newest = value.map_or(0.0, |value| value - *self.shifts[symbol].get_or_insert(value));
            let lane = symbol % STRIP;
            let oldest = std::mem::replace(&mut self.window.strip_mut(symbol / STRIP)[place][lane], newest);
            self.sums[symbol] += newest - oldest;
            let [left, right] = &mut self.change;
            let (left, right) = (left.strip_mut(symbol / STRIP), right.strip_mut(symbol / STRIP));
            (left[0][lane], left[1][lane]) = (newest, -oldest);
            (right[0][lane], right[1][lane]) = (newest, oldest);
        }
        self.bars += 1;
        if self.bars.is_multiple_of(depth) {
            self.refresh();
            return;
        }
        let [left, right] = &self.change;
        self.products.add(left, right);
        for (symbol, peak) in self.peaks.iter_mut().enumerate() {
            *peak = peak.max(self.products.get(symbol, symbol));
        }
    }

    /// Returns every pair with a correlation over at least `minimum_observations` returns that both have.
    ///
    /// # Shape
    /// At most one [`Pair`] for each `first < second`, ascending by (`first`, `second`).
    #[must_use]
    pub fn pairs(&self, minimum_observations: usize) -> Vec<Pair> {
        let moving: Vec<usize> = (0..self.shifts.len()).filter(|&symbol| self.moves(symbol)).collect();
        let mut pairs = Vec::with_capacity(moving.len() * moving.len().saturating_sub(1) / 2);
        for (position, &first) in moving.iter().enumerate() {
            let others = moving[position + 1..].iter();
            pairs.extend(others.filter_map(|&second| self.pair(first, second, minimum_observations.max(2))));
        }
        pairs
    }

    /// Notes whether a symbol has a return in the newest bar, and forgets the bar that leaves.
    fn remember(&mut self, symbol: usize, is_there: bool) {
        let missing = &mut self.missing[symbol];
        missing.pop_front_if(|bar| *bar + self.window.depth() <= self.bars);
        if !is_there {
            missing.push_back(self.bars);
        }
    }

    /// Computes the sums anew from the returns of the window, with the means of now.
    fn refresh(&mut self) {
        let depth = self.window.depth();
        for symbol in 0..self.shifts.len() {
            let (Some(shift), rows) = (&mut self.shifts[symbol], depth - self.missing[symbol].len()) else { continue };
            if rows == 0 {
                continue;
            }
            let mean = self.window.row(symbol).sum::<f64>() / crate::returns::count(rows);
            *shift += mean;
            let values = self.window.strip_mut(symbol / STRIP);
            for lanes in values.iter_mut() {
                lanes[symbol % STRIP] -= mean;
            }
            for bar in &self.missing[symbol] {
                values[bar % depth][symbol % STRIP] = 0.0;
            }
            self.sums[symbol] = self.window.row(symbol).sum();
        }
        self.products.clear();
        self.products.add(&self.window, &self.window);
        for (symbol, peak) in self.peaks.iter_mut().enumerate() {
            *peak = self.products.get(symbol, symbol);
        }
    }

    fn pair(&self, first: usize, second: usize, minimum: usize) -> Option<Pair> {
        let observations = self.bars.min(self.window.depth()) - self.missing_in_either(first, second);
        if observations < minimum {
            return None;
        }
        let (here, there) = (self.side(first, second), self.side(second, first));
        let correlation = by_sums(observations, here, there, self.products.get(first, second)).or_else(|| {
            let [here, there] = [first, second].map(|symbol| self.values(symbol, [first, second]));
            by_values(here, there)
        })?;
        Some(Pair { first, second, correlation, observations })
    }

    /// The sums of one symbol over the bars of the window in which another has returns.
    fn side(&self, symbol: usize, other: usize) -> Side {
        let values = self.window.strip(symbol / STRIP);
        let absent = self.missing[other].iter().map(|bar| values[bar % values.len()][symbol % STRIP]);
        let (mut sum, mut squares) = (self.sums[symbol], self.products.get(symbol, symbol));
        for value in absent {
            sum -= value;
            squares -= value * value;
        }
        Side { sum, squares, scale: self.peaks[symbol] }
    }

    /// The returns of one symbol in the bars in which all of these have one.
    fn values(&self, symbol: usize, all: [usize; 2]) -> Vec<f64> {
        let depth = self.window.depth();
        let bars = self.bars.saturating_sub(depth)..self.bars;
        let have = bars.filter(|bar| all.iter().all(|symbol| self.missing[*symbol].binary_search(bar).is_err()));
        have.map(|bar| self.window.strip(symbol / STRIP)[bar % depth][symbol % STRIP]).collect()
    }

    /// Whether a symbol is not constant.
    fn moves(&self, symbol: usize) -> bool {
        let values = || self.values(symbol, [symbol; 2]);
        self.side(symbol, symbol).deviations(self.bars.min(self.window.depth())).is_some()
            || by_values(values(), values()).is_some()
    }

    fn missing_in_either(&self, first: usize, second: usize) -> usize {
        let (first, second) = (&self.missing[first], &self.missing[second]);
        let both = first.iter().filter(|bar| second.binary_search(bar).is_ok()).count();
        first.len() + second.len() - both
    }
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;
    use proptest::prelude::*;
    use streamforge_events::Millis;

    use super::*;
    use crate::{Returns, correlations};

    const MINIMUM: usize = 4;

    fn sliding(symbols: usize, window: usize) -> SlidingCorrelation {
        SlidingCorrelation::new(symbols, NonZeroUsize::new(window).unwrap())
    }

    /// The last bars of each symbol, as the full build takes them.
    fn last(bars: &[Vec<Option<f64>>], window: usize) -> Vec<Returns> {
        let from = bars.len().saturating_sub(window);
        let symbol = |symbol: usize| {
            let values = (0..).zip(&bars[from..]).filter_map(|(time, bar)| Some((time, bar[symbol]?)));
            let (open_times, values): (Vec<Millis>, Vec<f64>) = values.unzip();
            Returns { open_times, values }
        };
        (0..bars[0].len()).map(symbol).collect()
    }

    fn assert_equal(found: &[Pair], expected: &[Pair]) {
        assert_eq!(found.len(), expected.len(), "{found:?} {expected:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert_eq!(
                (found.first, found.second, found.observations),
                (expected.first, expected.second, expected.observations)
            );
            assert!((found.correlation - expected.correlation).abs() < 1e-9, "{found:?} {expected:?}");
        }
    }

    /// Returns that are sometimes absent, sometimes the same for long, and sometimes a jump.
    fn bars() -> impl Strategy<Value = (usize, Vec<Vec<Option<f64>>>)> {
        let usual = (-0.02..0.02).prop_map(Some);
        let value = prop_oneof![20 => usual, 3 => Just(None), 3 => Just(Some(0.0)), 1 => Just(Some(9.9))];
        (1_usize..6, 3_usize..20).prop_flat_map(move |(symbols, window)| {
            let bar = prop::collection::vec(value.clone(), symbols);
            (Just(window), prop::collection::vec(bar, 1..70))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn equals_the_full_build_after_each_bar((window, bars) in bars()) {
            let mut sliding = sliding(bars[0].len(), window);
            for seen in 1..=bars.len() {
                sliding.push(&bars[seen - 1]);
                assert_equal(&sliding.pairs(MINIMUM), &correlations(&last(&bars[..seen], window), MINIMUM));
            }
        }
    }

    #[test]
    fn errors_do_not_grow_with_time_nor_stay_after_a_jump() {
        let (symbols, window) = (30, 60);
        let mut random = Rng::with_seed(7);
        let mut sliding = sliding(symbols, window);
        let mut bars: Vec<Vec<Option<f64>>> = Vec::new();
        for bar in 0..40 * window {
            let mut returns: Vec<Option<f64>> = (0..symbols).map(|_| Some(1e-5 * random.f64())).collect();
            // There and back, so that the mean stays and nothing but the sums remembers it.
            if let 100 | 101 = bar % 500 {
                returns[bar / 500] = Some(if bar.is_multiple_of(2) { 9.9 } else { -9.9 });
            }
            sliding.push(&returns);
            bars.push(returns);
            if bar % 7 == 0 {
                assert_equal(&sliding.pairs(2), &correlations(&last(&bars, window), 2));
            }
        }
    }

    #[test]
    fn the_sums_are_computed_anew_once_a_window() {
        let mut random = Rng::with_seed(11);
        let mut sliding = sliding(5, 10);
        for _ in 0..50 {
            sliding.push(&(0..5).map(|_| Some(random.f64())).collect::<Vec<_>>());
        }
        let mut exact = Products::zeros(5);
        exact.add(&sliding.window, &sliding.window);
        let all = |products: &Products| (0..5).map(|second| products.get(0, second).to_bits()).collect::<Vec<_>>();
        assert_eq!(all(&sliding.products), all(&exact));
        assert!(sliding.sums.iter().all(|sum| sum.abs() < 1e-15), "{:?}", sliding.sums);
    }

    #[test]
    fn what_is_no_number_is_no_return() {
        let mut sliding = sliding(2, 4);
        for bar in [[1.0, 2.0], [2.0, f64::NAN], [3.0, f64::INFINITY], [4.0, 1.0]] {
            sliding.push(&bar.map(Some));
        }
        sliding.push(&[Some(2.0)]);
        assert_eq!(sliding.pairs(2), []);
        sliding.push(&[Some(5.0), Some(3.0)]);
        let [pair] = sliding.pairs(2)[..] else { panic!("one pair") };
        assert_eq!((pair.observations, pair.correlation), (2, 1.0));
    }
}
