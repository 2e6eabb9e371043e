//! Which correlated pairs become edges: those above a threshold, and the nearest of each symbol.

use std::{cmp::Ordering, collections::BTreeSet};

use crate::correlation::Pair;

/// Chooses the pairs that become edges.
///
/// A pair is kept if the magnitude of its correlation reaches `threshold`, or if it is among the
/// `nearest` pairs of the largest magnitude of either of its symbols. So a symbol that follows
/// nothing strongly still has neighbours; with `nearest` zero only the threshold counts. Of equal
/// magnitudes the pair that comes first in the input is nearer.
///
/// # Shape
/// The kept pairs in the order of the input; `symbols` is one more than the largest index in it.
#[must_use]
pub fn select_edges(pairs: &[Pair], symbols: usize, threshold: f64, nearest: usize) -> Vec<Pair> {
    let mut by_symbol: Vec<Vec<usize>> = vec![Vec::new(); symbols];
    for (position, pair) in pairs.iter().enumerate() {
        by_symbol[pair.first].push(position);
        by_symbol[pair.second].push(position);
    }
    let mut kept: BTreeSet<usize> =
        (0..pairs.len()).filter(|&position| pairs[position].correlation.abs() >= threshold).collect();
    for positions in &mut by_symbol {
        positions.sort_by(|&left, &right| by_strength(&pairs[left], &pairs[right]));
        kept.extend(positions.iter().take(nearest));
    }
    kept.into_iter().map(|position| pairs[position]).collect()
}

/// Orders pairs by falling magnitude of their correlation, then by their symbols.
fn by_strength(left: &Pair, right: &Pair) -> Ordering {
    right
        .correlation
        .abs()
        .total_cmp(&left.correlation.abs())
        .then_with(|| (left.first, left.second).cmp(&(right.first, right.second)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four symbols; 3 follows nothing strongly.
    const CORRELATIONS: [(usize, usize, f64); 6] =
        [(0, 1, 0.9), (0, 2, -0.6), (0, 3, 0.1), (1, 2, 0.3), (1, 3, -0.2), (2, 3, 0.2)];

    fn selected(threshold: f64, nearest: usize) -> Vec<(usize, usize)> {
        let pairs =
            CORRELATIONS.map(|(first, second, correlation)| Pair { first, second, correlation, observations: 30 });
        select_edges(&pairs, 4, threshold, nearest).iter().map(|pair| (pair.first, pair.second)).collect()
    }

    #[test]
    fn the_threshold_is_on_the_magnitude_and_inclusive() {
        assert_eq!(selected(0.6, 0), [(0, 1), (0, 2)]);
        assert_eq!(selected(0.95, 0), []);
        assert_eq!(selected(0.0, 0).len(), 6);
    }

    #[test]
    fn each_symbol_keeps_its_nearest() {
        assert_eq!(selected(1.0, 1), [(0, 1), (0, 2), (1, 3)]);
        assert_eq!(selected(1.0, 2), [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3)]);
        assert_eq!(selected(1.0, 9).len(), 6);
    }

    #[test]
    fn no_pairs_give_no_edges() {
        assert_eq!(select_edges(&[], 3, 0.5, 3), []);
        assert_eq!(select_edges(&[], 0, 0.5, 3), []);
    }
}
