//! One side of a book: prices in order, the best one last, where most changes are.

use streamforge_events::Decimal;

/// Share of the worst levels that go when there is no room for another.
const FREED: usize = 8;

/// Levels by keys, of which the greatest is the best.
///
/// Prices and quantities lie apart, so that a search touches nothing but prices.
#[derive(Clone, Debug)]
pub(super) struct Ladder {
    keys: Vec<u64>,
    quantities: Vec<Decimal>,
    /// Levels below this key may be there without being known here.
    edge: u64,
    most: usize,
}

impl Ladder {
    /// An empty side that never holds more levels than this.
    pub(super) fn new(most: usize) -> Self {
        Self { keys: Vec::with_capacity(most), quantities: Vec::with_capacity(most), edge: 0, most }
    }

    /// Forgets all; below `edge` nothing will be known.
    pub(super) fn clear(&mut self, edge: u64) {
        self.keys.clear();
        self.quantities.clear();
        self.edge = edge;
    }

    /// Sets the quantity at a key; nought takes the level away.
    pub(super) fn set(&mut self, key: u64, quantity: Decimal) {
        let index = self.position(key);
        let is_there = self.keys.get(index) == Some(&key);
        match (is_there, quantity.is_zero()) {
            (true, false) => self.quantities[index] = quantity,
            (true, true) => {
                self.keys.remove(index);
                self.quantities.remove(index);
            }
            // Normal: the level was never within the snapshot's window.
            (false, true) => {}
            (false, false) if self.keys.len() < self.most => self.insert(index, key, quantity),
            // Worse than all: it goes in its own place.
            (false, false) if index == 0 => self.edge = self.edge.max(self.keys[0]),
            (false, false) => {
                let freed = (self.most / FREED).clamp(1, index);
                self.keys.drain(..freed);
                self.quantities.drain(..freed);
                self.insert(index - freed, key, quantity);
                self.edge = self.edge.max(self.keys[0]);
            }
        }
    }

    fn insert(&mut self, index: usize, key: u64, quantity: Decimal) {
        self.keys.insert(index, key);
        self.quantities.insert(index, quantity);
    }

    /// The index of the first key that is not below this one, looked for from the best level on.
    fn position(&self, key: u64) -> usize {
        let mut upper = self.keys.len();
        let mut step = 1;
        // As long as the key before is not below, the position lies further from the best.
        while upper > 0 {
            let lower = upper.saturating_sub(step);
            if self.keys[lower] < key {
                return lower + 1 + self.keys[lower + 1..upper].partition_point(|other| *other < key);
            }
            upper = lower;
            step *= 2;
        }
        0
    }

    pub(super) fn best(&self) -> Option<(u64, Decimal)> {
        Some((*self.keys.last()?, *self.quantities.last()?))
    }

    /// Whether levels better than the best known one may be there.
    pub(super) fn is_beyond_edge(&self) -> bool {
        self.keys.last().is_none_or(|best| *best < self.edge) && self.edge > 0
    }

    /// Levels from the best one on.
    pub(super) fn levels(&self) -> impl ExactSizeIterator<Item = (u64, Decimal)> {
        self.keys.iter().copied().zip(self.quantities.iter().copied()).rev()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn quantity(number: u64) -> Decimal {
        Decimal::from_parts(u128::from(number), 0).unwrap()
    }

    #[test]
    fn a_ladder_is_a_sorted_map() {
        let mut chance = fastrand::Rng::with_seed(7);
        for most in [1, 2, 3, 40, 400] {
            let mut ladder = Ladder::new(most);
            let mut truth: BTreeMap<u64, Decimal> = BTreeMap::new();
            for _ in 0..4_000 {
                let (key, amount) = (chance.u64(1..200), quantity(chance.u64(0..3)));
                ladder.set(key, amount);
                truth.insert(key, amount);
                truth.retain(|_, amount| !amount.is_zero());
                let known: Vec<_> = truth.iter().rev().map(|(key, amount)| (*key, *amount)).collect();
                let held: Vec<_> = ladder.levels().collect();
                assert!(held.len() <= most);
                // All that is known lies from the edge on, and is true.
                let above: Vec<_> = known.iter().copied().filter(|(key, _)| *key >= ladder.edge).collect();
                let held_above: Vec<_> = held.iter().copied().filter(|(key, _)| *key >= ladder.edge).collect();
                assert_eq!(held_above, above);
                assert!(ladder.is_beyond_edge() || ladder.best() == known.first().copied());
            }
            assert_eq!(ladder.edge == 0, most >= 200, "{most}");
        }
    }
}
