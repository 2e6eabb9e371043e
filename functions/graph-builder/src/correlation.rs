//! Pearson correlation of every pair of symbols over the returns that both have.

use crate::{
    aligned::Aligned,
    moments::{Side, by_sums, by_values},
    product::{Products, Shape},
    returns::Returns,
};

/// Times that are multiplied at once: what they take stays in the last cache.
const SLAB: usize = 2048;

/// Correlation of one pair of symbols.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// Index of the earlier symbol of the input.
    pub first: usize,
    /// Index of the later symbol of the input.
    pub second: usize,
    /// Pearson correlation, in `[-1, 1]`.
    pub correlation: f64,
    /// Number of returns that both symbols have.
    pub observations: usize,
}

/// Correlates every pair of symbols over the returns that both have.
///
/// The returns stand on one axis of time, less their mean and zero where there is none. The sums of
/// products of all pairs are then one symmetric matrix product. What a symbol sums up to where another
/// has returns is the product of its values, and of their squares, with the other's mask of ones and
/// zeros; that is computed for symbols with gaps alone. Means are those of the common returns of the
/// pair, as in `numpy.corrcoef` of the same rows.
///
/// A pair with fewer than `minimum_observations` common returns, or with a constant side, has no
/// correlation and is left out.
///
/// # Shape
/// At most one [`Pair`] for each `first < second`, ascending by (`first`, `second`).
#[must_use]
pub fn correlations(symbols: &[Returns], minimum_observations: usize) -> Vec<Pair> {
    let minimum = minimum_observations.max(2);
    let market = Market::new(symbols);
    let mut pairs = Vec::with_capacity(symbols.len() * symbols.len().saturating_sub(1) / 2);
    for first in 0..symbols.len() {
        if market.lengths[first].is_some() {
            market.correlate(first, minimum, &mut pairs);
        }
    }
    pairs
}

/// The sums from which correlations follow.
struct Market<'a> {
    symbols: &'a [Returns],
    aligned: Aligned<'a>,
    /// One by the length of each symbol's vector of deviations; nothing for constant symbols.
    lengths: Vec<Option<f64>>,
    /// Of the values of each pair.
    products: Products,
    /// Of the values of each symbol, where a symbol with gaps has one.
    values: Products,
    /// Of the squares of these values.
    squares: Products,
}

impl<'a> Market<'a> {
    fn new(symbols: &'a [Returns]) -> Self {
        let aligned = Aligned::new(symbols);
        let (all, gapped) = (symbols.len(), aligned.gapped.len());
        let mut products = Products::zeros(Shape::Triangle, all, all);
        let mut values = Products::zeros(Shape::Rectangle, all, gapped);
        let mut squares = values.clone();
        for from in (0..aligned.depth).step_by(SLAB) {
            let to = aligned.depth.min(from + SLAB);
            let panel = aligned.values(from, to);
            products.add(&panel, &panel);
            if gapped > 0 {
                let masks = aligned.masks(from, to);
                values.add(&panel, &masks);
                squares.add(&panel.squared(), &masks);
            }
        }
        let length = |symbol: usize| {
            let squares = products.get(symbol, symbol);
            let side = Side { sum: 0.0, squares, scale: squares };
            side.deviations(symbols[symbol].values.len()).map(|deviations| 1.0 / deviations.sqrt())
        };
        let lengths = (0..all).map(length).collect();
        Self { symbols, aligned, lengths, products, values, squares }
    }

    /// Adds the pairs of a symbol with those behind it.
    fn correlate(&self, first: usize, minimum: usize, pairs: &mut Vec<Pair>) {
        let has_gaps = self.aligned.rows[first].gaps.is_some();
        let Some(length) = self.lengths[first] else { return };
        for second in first + 1..self.symbols.len() {
            let Some(other) = self.lengths[second] else { continue };
            let observations = self.aligned.common(first, second);
            if observations < minimum {
                continue;
            }
            let correlation = if has_gaps || self.aligned.rows[second].gaps.is_some() {
                let Some(correlation) = self.with_gaps(first, second, observations) else { continue };
                correlation
            } else {
                (self.products.get(first, second) * length * other).clamp(-1.0, 1.0)
            };
            pairs.push(Pair { first, second, correlation, observations });
        }
    }

    /// Correlates a pair of which at least one side has gaps.
    fn with_gaps(&self, first: usize, second: usize, observations: usize) -> Option<f64> {
        let (here, there) = (self.side(first, second), self.side(second, first));
        by_sums(observations, here, there, self.products.get(first, second)).or_else(|| {
            let (here, there) = common(&self.symbols[first], &self.symbols[second]);
            by_values(here, there)
        })
    }

    /// The sums of one symbol where another has values; its mean is zero where it has them all.
    fn side(&self, symbol: usize, other: usize) -> Side {
        let (sum, squares) = match &self.aligned.rows[other].gaps {
            Some(gaps) => (self.values.get(symbol, gaps.number), self.squares.get(symbol, gaps.number)),
            None => (0.0, self.products.get(symbol, symbol)),
        };
        Side { sum, squares, scale: squares }
    }
}

/// The values of two symbols at the times that both have.
fn common(left: &Returns, right: &Returns) -> (Vec<f64>, Vec<f64>) {
    let mut others = right.open_times.iter().zip(&right.values).peekable();
    let mut both = (Vec::new(), Vec::new());
    for (time, value) in left.open_times.iter().zip(&left.values) {
        while others.next_if(|(other, _)| *other < time).is_some() {}
        if let Some((_, other)) = others.next_if(|(other, _)| *other == time) {
            both.0.push(*value);
            both.1.push(*other);
        }
    }
    both
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use streamforge_events::Millis;

    use super::*;
    use crate::returns::count;

    fn returns(values: &[(Millis, f64)]) -> Returns {
        let (open_times, values) = values.iter().copied().unzip();
        Returns { open_times, values }
    }

    /// Numbers the values from zero.
    fn row(values: &[f64]) -> Returns {
        Returns { open_times: (0..).take(values.len()).collect(), values: values.to_vec() }
    }

    fn assert_close(pairs: &[Pair], expected: &[(usize, usize, f64, usize)]) {
        assert_eq!(pairs.len(), expected.len(), "{pairs:?}");
        for (pair, &(first, second, correlation, observations)) in pairs.iter().zip(expected) {
            assert_eq!((pair.first, pair.second, pair.observations), (first, second, observations));
            assert!((pair.correlation - correlation).abs() < 1e-12, "{pair:?} {correlation}");
        }
    }

    /// The definition, pair by pair, over the times in both maps.
    fn naive(left: &Returns, right: &Returns, minimum: usize) -> Option<(f64, usize)> {
        let other: BTreeMap<_, _> = right.open_times.iter().zip(&right.values).collect();
        let both: Vec<(f64, f64)> = left
            .open_times
            .iter()
            .zip(&left.values)
            .filter_map(|(time, value)| Some((*value, **other.get(time)?)))
            .collect();
        if both.len() < minimum {
            return None;
        }
        let rows = count(both.len());
        let x = both.iter().map(|pair| pair.0).sum::<f64>() / rows;
        let y = both.iter().map(|pair| pair.1).sum::<f64>() / rows;
        let covariance: f64 = both.iter().map(|pair| (pair.0 - x) * (pair.1 - y)).sum();
        let first: f64 = both.iter().map(|pair| (pair.0 - x).powi(2)).sum();
        let second: f64 = both.iter().map(|pair| (pair.1 - y).powi(2)).sum();
        (first > 1e-27 && second > 1e-27).then(|| (covariance / (first * second).sqrt(), both.len()))
    }

    #[test]
    fn hand_computed_table() {
        let symbols = [row(&[1.0, 2.0, 3.0]), row(&[1.0, 3.0, 2.0]), row(&[6.0, 4.0, 2.0])];
        assert_close(&correlations(&symbols, 2), &[(0, 1, 0.5, 3), (0, 2, -1.0, 3), (1, 2, -0.5, 3)]);
    }

    #[test]
    fn only_common_times_count() {
        let symbols =
            [returns(&[(1, 1.0), (2, 2.0), (3, 3.0), (9, -50.0)]), returns(&[(0, 70.0), (1, 1.0), (2, 3.0), (3, 2.0)])];
        assert_close(&correlations(&symbols, 3), &[(0, 1, 0.5, 3)]);
        assert_close(&correlations(&symbols, 4), &[]);
    }

    #[test]
    fn constant_series_have_no_correlation() {
        let growth: Vec<f64> = (1..9).map(|_| 1.01_f64.ln()).collect();
        let noisy: Vec<f64> = growth.iter().enumerate().map(|(i, value)| value + 1e-16 * count(i % 3)).collect();
        let moving = row(&[1.0, 2.0, 1.0, 3.0, 1.0, 2.0, 0.0, 1.0]);
        assert_close(&correlations(&[row(&growth), moving.clone(), row(&noisy)], 2), &[]);
        assert_close(&correlations(&[row(&[0.0; 8]), moving], 2), &[]);
    }

    #[test]
    fn a_large_mean_costs_no_digits() {
        let plain = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0];
        let other = [2.0, 7.0, 1.0, 8.0, 2.0, 8.0, 1.0, 8.0];
        let shifted: Vec<f64> = plain.iter().map(|value| value + 1e8).collect();
        let reference = correlations(&[row(&plain), row(&other)], 2)[0].correlation;
        let offset = correlations(&[row(&shifted), row(&other)], 2)[0].correlation;
        assert!((reference - offset).abs() < 1e-14);
    }

    #[test]
    fn common_returns_far_from_the_mean_of_all_lose_no_digits() {
        let small = [0.3, 0.1, 0.4, 0.1, 0.5, 0.9, 0.2, 0.6];
        let mut far: Vec<f64> = small.iter().map(|value| 1e4 + 1e-4 * value).collect();
        far.extend([0.0; 80]);
        let symbols = [row(&far), row(&[0.2, 0.7, 0.1, 0.8, 0.2, 0.8, 0.1, 0.8])];
        let (expected, _) = naive(&symbols[0], &symbols[1], 2).unwrap();
        assert!((correlations(&symbols, 2)[0].correlation - expected).abs() < 1e-6);
        let still = [row(&[[1.0; 8].as_slice(), &[0.0; 80]].concat()), symbols[1].clone()];
        assert_close(&correlations(&still, 2), &[]);
    }

    #[test]
    fn nothing_and_single_symbols_have_no_pairs() {
        assert_close(&correlations(&[], 2), &[]);
        assert_close(&correlations(&[row(&[1.0, 2.0])], 2), &[]);
        assert_close(&correlations(&[row(&[]), row(&[])], 0), &[]);
    }

    fn market() -> impl Strategy<Value = Vec<Returns>> {
        let symbol = prop::collection::vec(prop::option::weighted(0.8, -0.2..0.2), 24);
        let complete = prop::collection::vec(-0.2..0.2, 24);
        let symbol = prop_oneof![symbol, complete.prop_map(|row| row.into_iter().map(Some).collect())];
        prop::collection::vec(symbol, 0..12).prop_map(|symbols: Vec<Vec<Option<f64>>>| {
            symbols
                .iter()
                .map(|row| {
                    let some = (0..).zip(row).filter_map(|(time, value)| Some((time, (*value)?)));
                    returns(&some.collect::<Vec<_>>())
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn equals_the_definition(symbols in market(), minimum in 2_usize..20) {
            let mut expected = Vec::new();
            for first in 0..symbols.len() {
                for second in first + 1..symbols.len() {
                    if let Some((correlation, observations)) =
                        naive(&symbols[first], &symbols[second], minimum)
                    {
                        expected.push((first, second, correlation, observations));
                    }
                }
            }
            assert_close(&correlations(&symbols, minimum), &expected);
        }
    }
}
