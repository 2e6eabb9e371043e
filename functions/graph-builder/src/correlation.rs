//! Pearson correlation of every pair of symbols over the returns that both have.

use std::collections::BTreeMap;

use streamforge_events::Millis;

use crate::returns::{Returns, centre, count};

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
/// Symbols whose returns stand at the same times form one class. The common times are found once
/// for each pair of classes; within it the rows are compacted, centred and scaled once, and a
/// correlation is a dot product. A market without gaps is one class, so all of it is one
/// symmetric matrix product. Means are those of the common returns of the pair, as in
/// `numpy.corrcoef` of the same rows.
///
/// A pair with fewer than `minimum_observations` common returns, or with a constant side, has no
/// correlation and is left out.
///
/// # Shape
/// At most one [`Pair`] for each `first < second`, ascending by (`first`, `second`).
///
/// # Source
/// Two passes: Chan, Golub and others, "Algorithms for Computing the Sample Variance" (1983).
#[must_use]
pub fn correlations(symbols: &[Returns], minimum_observations: usize) -> Vec<Pair> {
    let mut classes: BTreeMap<&[Millis], Vec<usize>> = BTreeMap::new();
    for (index, returns) in symbols.iter().enumerate() {
        classes.entry(&returns.open_times).or_default().push(index);
    }
    let classes: Vec<(&[Millis], Vec<usize>)> = classes.into_iter().collect();
    let minimum = minimum_observations.max(2);
    let mut pairs = Vec::new();
    for (position, (times, members)) in classes.iter().enumerate() {
        if times.len() < minimum {
            continue;
        }
        let every: Vec<usize> = (0..times.len()).collect();
        let rows = Rows::new(symbols, members, &every);
        for (place, left) in rows.rows.iter().enumerate() {
            rows.correlate(left, place + 1, &mut pairs);
        }
        for (other_times, other_members) in &classes[position + 1..] {
            let (here, there) = common(times, other_times);
            if here.len() < minimum {
                continue;
            }
            let lefts = Rows::new(symbols, members, &here);
            let rights = Rows::new(symbols, other_members, &there);
            for left in &lefts.rows {
                rights.correlate(left, 0, &mut pairs);
            }
        }
    }
    pairs.sort_unstable_by_key(|pair| (pair.first, pair.second));
    pairs
}

/// Rows of one class over chosen times: centred, of length one, padded to whole lanes.
struct Rows {
    rows: Vec<Row>,
    observations: usize,
}

struct Row {
    symbol: usize,
    values: Vec<f64>,
}

impl Rows {
    /// Takes the chosen returns of each member; constant members are left out.
    fn new(symbols: &[Returns], members: &[usize], chosen: &[usize]) -> Self {
        let rows = members
            .iter()
            .filter_map(|&symbol| {
                let source = &symbols[symbol].values;
                let values = standardised(chosen.iter().map(|&index| source[index]).collect())?;
                Some(Row { symbol, values })
            })
            .collect();
        Self { rows, observations: chosen.len() }
    }

    /// Adds the pairs of one row with the rows from `start` on.
    fn correlate(&self, left: &Row, start: usize, pairs: &mut Vec<Pair>) {
        let rest = &self.rows[start.min(self.rows.len())..];
        let blocks = rest.chunks_exact(BLOCK);
        let remainder = blocks.remainder();
        for block in blocks {
            let products: [f64; BLOCK] = dot_block(&left.values, block);
            for (right, product) in block.iter().zip(products) {
                pairs.push(self.pair(left, right, product));
            }
        }
        for right in remainder {
            let [product] = dot_block(&left.values, std::slice::from_ref(right));
            pairs.push(self.pair(left, right, product));
        }
    }

    fn pair(&self, left: &Row, right: &Row, product: f64) -> Pair {
        Pair {
            first: left.symbol.min(right.symbol),
            second: left.symbol.max(right.symbol),
            correlation: product.clamp(-1.0, 1.0),
            observations: self.observations,
        }
    }
}

/// Rounding of prices and quotients leaves about 1e-16 in a log return; less than this is no movement.
const ROUNDING_NOISE: f64 = 1e-14;

/// Centres and scales a row to length one, or gives nothing for a constant one.
fn standardised(mut values: Vec<f64>) -> Option<Vec<f64>> {
    let length = centre(&mut values).sqrt();
    if length <= ROUNDING_NOISE * count(values.len()).sqrt() {
        return None;
    }
    for value in &mut values {
        *value /= length;
    }
    values.resize(values.len().next_multiple_of(LANES), 0.0);
    Some(values)
}

/// Independent sums within a dot product: enough for the compiler to use vector registers.
const LANES: usize = 4;
/// Rows multiplied with one row at a time: each value that is read is used this often.
const BLOCK: usize = 4;

fn dot_block<const ROWS: usize>(left: &[f64], rights: &[Row]) -> [f64; ROWS] {
    let mut sums = [[0.0; LANES]; ROWS];
    let (left, _) = left.as_chunks::<LANES>();
    let rights: [&[[f64; LANES]]; ROWS] =
        std::array::from_fn(|row| &rights[row].values.as_chunks::<LANES>().0[..left.len()]);
    for (index, left) in left.iter().enumerate() {
        for row in 0..ROWS {
            for lane in 0..LANES {
                sums[row][lane] += left[lane] * rights[row][index][lane];
            }
        }
    }
    sums.map(|lanes| lanes.iter().sum())
}

/// Finds the positions of the times that two ascending rows share.
fn common(left: &[Millis], right: &[Millis]) -> (Vec<usize>, Vec<usize>) {
    let (mut here, mut there) = (Vec::new(), Vec::new());
    let (mut i, mut j) = (0, 0);
    while i < left.len() && j < right.len() {
        match left[i].cmp(&right[j]) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => {
                here.push(i);
                there.push(j);
                i += 1;
                j += 1;
            }
        }
    }
    (here, there)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
