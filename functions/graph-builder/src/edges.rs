//! Which correlated pairs become edges: those above a threshold, and the nearest of each symbol.

use std::{cmp::Reverse, collections::BinaryHeap};

use crate::{
    correlation::{Correlations, Pair},
    parallel::{self, Size},
    parameters::EdgeRule,
    returns::Returns,
};

/// Correlates every pair of symbols over the returns that both have and chooses the pairs that become edges.
///
/// A pair has a correlation if it has at least `rule.minimum_observations` common returns and neither side is
/// constant. It is kept if the magnitude of its correlation reaches `rule.threshold`, or if it is among the
/// `rule.k` pairs of the largest magnitude of either of its symbols. So a symbol that follows
/// nothing strongly still has neighbours; with `k` zero only the threshold counts. Of equal
/// magnitudes the pair that comes first in the order of the result is nearer.
///
/// # Shape
/// At most one [`Pair`] for each `first < second`, ascending by (`first`, `second`).
#[must_use]
pub fn edges(symbols: &[Returns], rule: EdgeRule) -> Vec<Pair> {
    let correlations = Correlations::new(symbols, rule.minimum_observations);
    let mut rows: Vec<Chosen> = symbols.iter().map(|_| Chosen::default()).collect();
    let size = Size::of(symbols.len() * symbols.len() * CHOSEN);
    parallel::for_each(size, rows.iter_mut().enumerate(), |(symbol, chosen)| {
        *chosen = Chosen::new(&correlations, symbol, rule);
    });
    let nearest: Vec<Pair> = rows.iter().flat_map(|chosen| chosen.nearest.iter().copied()).collect();
    let mut strong: Vec<Vec<Pair>> = rows.into_iter().map(|chosen| chosen.strong).collect();
    for pair in nearest {
        strong[pair.first].push(pair);
    }
    let mut kept = Vec::with_capacity(strong.iter().map(Vec::len).sum());
    for mut pairs in strong {
        pairs.sort_unstable_by_key(|pair| pair.second);
        pairs.dedup_by_key(|pair| pair.second);
        kept.append(&mut pairs);
    }
    kept
}

/// Chooses of all pairs that have a correlation those that become edges, as [`edges`] does.
///
/// # Shape
/// Pairs as [`correlations`](crate::correlations) gives them, for so many symbols.
pub(crate) fn chosen(pairs: &[Pair], symbols: usize, rule: EdgeRule) -> Vec<Pair> {
    let mut is_kept: Vec<bool> = pairs.iter().map(|pair| pair.correlation.abs() >= rule.threshold).collect();
    let mut of = vec![Vec::new(); if rule.k == 0 { 0 } else { symbols }];
    for (place, pair) in pairs.iter().enumerate().filter(|_| rule.k > 0) {
        of[pair.first].push(place);
        of[pair.second].push(place);
    }
    for mut places in of {
        let by_strength = |left: &usize, right: &usize| {
            let magnitude = |place: &usize| pairs[*place].correlation.abs();
            magnitude(right).total_cmp(&magnitude(left)).then_with(|| left.cmp(right))
        };
        if rule.k < places.len() {
            places.select_nth_unstable_by(rule.k, by_strength);
        }
        places.iter().take(rule.k).for_each(|&place| is_kept[place] = true);
    }
    pairs.iter().zip(is_kept).filter(|(_, is_kept)| *is_kept).map(|(pair, _)| *pair).collect()
}

/// Operations that choosing takes for each pair, about.
const CHOSEN: usize = 8;

/// What one symbol brings to the edges.
#[derive(Default)]
struct Chosen {
    /// Pairs with later symbols that reach the threshold, ascending.
    strong: Vec<Pair>,
    /// The nearest pairs that do not reach it.
    nearest: Vec<Pair>,
}

impl Chosen {
    fn new(correlations: &Correlations, symbol: usize, rule: EdgeRule) -> Self {
        let row = correlations.row(symbol);
        let pair = |other: usize| correlations.pair(symbol.min(other), symbol.max(other), row[other]);
        let strong = (symbol + 1..row.len()).filter(|&other| row[other].abs() >= rule.threshold);
        let nearest = nearest(&row, rule.k).filter(|&other| row[other].abs() < rule.threshold);
        Self { strong: strong.map(pair).collect(), nearest: nearest.map(pair).collect() }
    }
}

/// The places of the largest magnitudes of a row, of equal ones the first; in no order.
fn nearest(row: &[f64], count: usize) -> impl Iterator<Item = usize> {
    let mut found = BinaryHeap::new();
    let mut least = 0.0;
    for (place, value) in row.iter().enumerate() {
        let magnitude = value.abs();
        // What is not a number is in no comparison.
        let is_nearer = if found.len() < count { magnitude >= 0.0 } else { magnitude > least };
        if count > 0 && is_nearer {
            // The bits of what is not negative ascend with the value.
            found.push(Reverse((magnitude.to_bits(), Reverse(place))));
            if found.len() > count {
                found.pop();
            }
            least = found.peek().map_or(0.0, |Reverse((bits, _))| f64::from_bits(*bits));
        }
    }
    found.into_iter().map(|Reverse((_, Reverse(place)))| place)
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use fastrand::Rng;

    use super::*;
    use crate::correlation::correlations;

    /// The definition: all pairs of a symbol in order.
    fn select(pairs: &[Pair], symbols: usize, rule: EdgeRule) -> Vec<Pair> {
        let mut is_kept: Vec<bool> = pairs.iter().map(|pair| pair.correlation.abs() >= rule.threshold).collect();
        for symbol in 0..symbols {
            let mut of: Vec<usize> = (0..pairs.len())
                .filter(|&place| pairs[place].first == symbol || pairs[place].second == symbol)
                .collect();
            of.sort_by(|&left, &right| by_strength(&pairs[left], &pairs[right]));
            of.iter().take(rule.k).for_each(|&place| is_kept[place] = true);
        }
        pairs.iter().zip(is_kept).filter(|(_, is_kept)| *is_kept).map(|(pair, _)| *pair).collect()
    }

    /// Orders pairs by falling magnitude of their correlation, then by their symbols.
    fn by_strength(left: &Pair, right: &Pair) -> Ordering {
        let magnitudes = right.correlation.abs().total_cmp(&left.correlation.abs());
        magnitudes.then_with(|| (left.first, left.second).cmp(&(right.first, right.second)))
    }

    /// Symbols that follow one market more or less; every fifth has gaps, every seventh is one before it.
    fn market(symbols: usize, times: i64) -> Vec<Returns> {
        let mut random = Rng::with_seed(3);
        let moves: Vec<f64> = (0..times).map(|_| random.f64() - 0.5).collect();
        let mut market: Vec<Returns> = Vec::new();
        for symbol in 0..symbols {
            let share = 2.0 * random.f64() - 1.0;
            let values = (0..times).zip(&moves).map(|(time, step)| (time, share * step + 0.3 * (random.f64() - 0.5)));
            let values: Vec<(i64, f64)> = values.collect();
            let there = values.into_iter().filter(|_| symbol % 5 > 0 || random.f64() < 0.9);
            let (open_times, values) = there.unzip();
            let own = Returns { open_times, values };
            market.push(if symbol % 7 == 6 { market[symbol - 3].clone() } else { own });
        }
        market
    }

    #[test]
    fn edges_are_those_of_the_definition() {
        // The second is large enough for other threads.
        for (symbols, times) in [(23, 40), (150, 90)] {
            let market = market(symbols, times);
            let pairs = correlations(&market, 30);
            for (threshold, k) in [(0.6, 0), (0.6, 3), (0.95, 1), (1.0, 2), (0.0, 0), (1.0, 1000)] {
                let rule = EdgeRule { threshold, k, minimum_observations: 30 };
                let expected = select(&pairs, symbols, rule);
                assert_eq!(edges(&market, rule), expected, "{rule:?}");
                assert_eq!(chosen(&pairs, symbols, rule), expected, "{rule:?}");
            }
        }
    }

    #[test]
    fn nearest_are_the_largest_and_of_equal_ones_the_first() {
        let row = [0.1, f64::NAN, -0.9, 0.5, 0.9, -0.5, 0.5];
        let sorted = |count: usize| {
            let mut places: Vec<usize> = nearest(&row, count).collect();
            places.sort_unstable();
            places
        };
        assert_eq!(sorted(0), Vec::<usize>::new());
        assert_eq!(sorted(1), [2]);
        assert_eq!(sorted(3), [2, 3, 4]);
        assert_eq!(sorted(4), [2, 3, 4, 5]);
        assert_eq!(sorted(9), [0, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn no_symbols_give_no_edges() {
        assert_eq!(edges(&[], EdgeRule::default()), []);
        assert_eq!(chosen(&[], 0, EdgeRule::default()), []);
    }
}
