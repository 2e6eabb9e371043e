//! Pearson correlation of every pair of symbols over the returns that both have.

use crate::{
    aligned::{Aligned, Row},
    edges::edges,
    moments::{Side, by_sums, by_values},
    parameters::EdgeRule,
    product::{Lanes, Products, STRIP},
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
/// A pair with fewer than `minimum_observations` common returns, or with a constant side, has no
/// correlation and is left out.
///
/// # Shape
/// At most one [`Pair`] for each `first < second`, ascending by (`first`, `second`).
#[must_use]
pub fn correlations(symbols: &[Returns], minimum_observations: usize) -> Vec<Pair> {
    edges(symbols, EdgeRule { threshold: 0.0, k: 0, minimum_observations })
}

/// The correlations of all pairs of symbols.
///
/// The returns stand on one axis of time, less their mean and zero where there is none. The sums of
/// products of all pairs are then one symmetric matrix product. What a symbol sums up to where another
/// has returns follows from the times at which the other has some or has none, whichever are fewer; it
/// is computed for symbols with gaps alone. Means are those of the common returns of the pair, as in
/// `numpy.corrcoef` of the same rows.
pub(crate) struct Correlations<'a> {
    symbols: &'a [Returns],
    aligned: Aligned<'a>,
    /// Correlations of all pairs; not a number where there is none.
    pairs: Products,
}

impl<'a> Correlations<'a> {
    pub(crate) fn new(symbols: &'a [Returns], minimum_observations: usize) -> Self {
        let aligned = Aligned::new(symbols);
        let mut pairs = Products::zeros(symbols.len());
        let mut fewer = vec![vec![[[0.0; STRIP]; 2]; aligned.gapped.len()]; symbols.len().div_ceil(STRIP)];
        for from in (0..aligned.depth).step_by(SLAB) {
            let panel = aligned.values(from, aligned.depth.min(from + SLAB));
            pairs.add(&panel, &panel);
            aligned.add_fewer(from, &panel, &mut fewer);
        }
        let lengths: Vec<f64> = aligned.rows.iter().map(Row::length).collect();
        let correlate = Correlate { symbols, aligned: &aligned, lengths, fewer, minimum: minimum_observations.max(2) };
        pairs.replace(symbols.len(), |first, second, products| {
            correlate.pair(first, second, products).unwrap_or(f64::NAN)
        });
        Self { symbols, aligned, pairs }
    }

    /// Returns the correlation of one symbol with each; it is not a number with itself and where there is none.
    pub(crate) fn row(&self, symbol: usize) -> Vec<f64> {
        let mut row: Vec<f64> = self.pairs.row(symbol).take(self.symbols.len()).collect();
        row[symbol] = f64::NAN;
        row
    }

    /// Returns a pair that has this correlation.
    pub(crate) fn pair(&self, first: usize, second: usize, correlation: f64) -> Pair {
        Pair { first, second, correlation, observations: self.aligned.common(first, second) }
    }
}

/// What the correlation of a pair follows from, beside its sum of products.
struct Correlate<'a> {
    symbols: &'a [Returns],
    aligned: &'a Aligned<'a>,
    /// One by the length of each symbol's vector of deviations; not a number for constant symbols.
    lengths: Vec<f64>,
    /// For each strip of symbols, its sums at the fewer times of each symbol with gaps.
    fewer: Vec<Vec<[Lanes; 2]>>,
    minimum: usize,
}

impl Correlate<'_> {
    fn pair(&self, first: usize, second: usize, products: f64) -> Option<f64> {
        let length = self.lengths[first] * self.lengths[second];
        let observations = self.aligned.common(first, second);
        if length.is_nan() || observations < self.minimum {
            return None;
        }
        let rows = &self.aligned.rows;
        if rows[first].gaps.is_none() && rows[second].gaps.is_none() {
            return Some((products * length).clamp(-1.0, 1.0));
        }
        by_sums(observations, self.side(first, second), self.side(second, first), products).or_else(|| {
            let (here, there) = common(&self.symbols[first], &self.symbols[second]);
            by_values(here, there)
        })
    }

    /// The sums of one symbol where another has values; its mean is zero where it has them all.
    fn side(&self, symbol: usize, other: usize) -> Side {
        let row = &self.aligned.rows[symbol];
        let Some(gaps) = &self.aligned.rows[other].gaps else {
            return Side { sum: 0.0, squares: row.squares, scale: row.squares };
        };
        let [sums, squares] = &self.fewer[symbol / STRIP][gaps.number];
        gaps.side(row, sums[symbol % STRIP], squares[symbol % STRIP])
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

    #[test]
    fn series_longer_than_a_slab_are_whole() {
        let mut random = fastrand::Rng::with_seed(5);
        let moves: Vec<f64> = (0..2 * SLAB + 5).map(|_| random.f64() - 0.5).collect();
        // Of the third symbol most is absent, of the second a little.
        let symbols = [1.0, 0.98, 0.2].map(|part| {
            let there = (0..).zip(&moves).filter(|_| random.f64() < part).collect::<Vec<_>>();
            let (open_times, values) = there.into_iter().map(|(time, step)| (time, step + random.f64() - 0.5)).unzip();
            Returns { open_times, values }
        });
        let expected: Vec<_> = [(0, 1), (0, 2), (1, 2)]
            .map(|(first, second)| {
                let (correlation, observations) = naive(&symbols[first], &symbols[second], 2).unwrap();
                (first, second, correlation, observations)
            })
            .to_vec();
        assert_close(&correlations(&symbols, 2), &expected);
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
