//! Levels far from the best one of a side: prices in order, the best one last.

use streamforge_events::Decimal;

/// Share of the worst levels that go when there is no room for another.
const FREED: usize = 8;

/// Levels by keys, of which the greatest is the best.
///
/// Prices and quantities lie apart, so that a search touches nothing but prices. A level that is taken away stays with
/// quantity nought, unless it is the best one: most come back, and nothing has to be moved.
#[derive(Clone, Debug)]
pub(super) struct Ladder {
    keys: Vec<u64>,
    quantities: Vec<Decimal>,
    /// Levels of quantity nought.
    gone: usize,
    /// Levels below this key may be there without being known here.
    edge: u64,
    most: usize,
}

impl Ladder {
    /// An empty side that never holds more levels than this.
    pub(super) fn new(most: usize) -> Self {
        let (keys, quantities) = (Vec::with_capacity(most), Vec::with_capacity(most));
        Self { keys, quantities, gone: 0, edge: 0, most }
    }

    /// Forgets all; below `edge` nothing will be known.
    pub(super) fn clear(&mut self, edge: u64) {
        self.keys.clear();
        self.quantities.clear();
        self.gone = 0;
        self.edge = edge;
    }

    /// Sets the quantity at a key; nought takes the level away.
    pub(super) fn set(&mut self, key: u64, quantity: Decimal) {
        let index = self.position(key);
        if self.keys.get(index) == Some(&key) {
            self.change(index, quantity);
        } else if !quantity.is_zero() {
            self.add(index, key, quantity);
        }
        // Nought for an unknown level is normal: it was never within the snapshot's window.
    }

    /// The index of the first key that is not below this one.
    fn position(&self, key: u64) -> usize {
        self.keys.partition_point(|other| *other < key)
    }

    /// Sets the quantity of a level that is there.
    fn change(&mut self, index: usize, quantity: Decimal) {
        let was_gone = self.quantities[index].is_zero();
        self.quantities[index] = quantity;
        match (was_gone, quantity.is_zero()) {
            (true, false) => self.gone -= 1,
            (false, true) => {
                self.gone += 1;
                self.drop_gone_from_the_top();
            }
            _ => {}
        }
    }

    /// The last level is always one that is there.
    fn drop_gone_from_the_top(&mut self) {
        while self.quantities.last().is_some_and(|quantity| quantity.is_zero()) {
            self.keys.pop();
            self.quantities.pop();
            self.gone -= 1;
        }
    }

    /// Adds a level whose key belongs at an index.
    fn add(&mut self, index: usize, key: u64, quantity: Decimal) {
        // A level beside it that is gone gives its place.
        let beside = [Some(index), index.checked_sub(1)].into_iter().flatten();
        let is_free = |place: &usize| self.quantities.get(*place).is_some_and(|quantity| quantity.is_zero());
        if let Some(place) = beside.into_iter().find(is_free) {
            self.keys[place] = key;
            self.quantities[place] = quantity;
            self.gone -= 1;
            return;
        }
        if self.gone > self.keys.len() / 2 || self.keys.len() == self.most && self.gone > 0 {
            self.compact();
            let index = self.position(key);
            self.insert(index, key, quantity);
        } else if self.keys.len() < self.most {
            self.insert(index, key, quantity);
        } else if index == 0 {
            // Worse than all: it goes in its own place.
            self.edge = self.edge.max(self.keys[0]);
        } else {
            let freed = (self.most / FREED).clamp(1, index);
            self.keys.drain(..freed);
            self.quantities.drain(..freed);
            self.insert(index - freed, key, quantity);
            self.edge = self.edge.max(self.keys[0]);
        }
    }

    fn insert(&mut self, index: usize, key: u64, quantity: Decimal) {
        self.keys.insert(index, key);
        self.quantities.insert(index, quantity);
    }

    /// Takes away what is gone.
    fn compact(&mut self) {
        let mut kept = 0;
        for index in 0..self.keys.len() {
            if !self.quantities[index].is_zero() {
                self.keys[kept] = self.keys[index];
                self.quantities[kept] = self.quantities[index];
                kept += 1;
            }
        }
        self.keys.truncate(kept);
        self.quantities.truncate(kept);
        self.gone = 0;
    }

    pub(super) fn best(&self) -> Option<(u64, Decimal)> {
        Some((*self.keys.last()?, *self.quantities.last()?))
    }

    /// Takes the best level away.
    pub(super) fn pop(&mut self) {
        if self.keys.pop().is_some() {
            self.quantities.pop();
            self.drop_gone_from_the_top();
        }
    }

    /// Levels below this key may be there without being known here; nought for none.
    pub(super) fn edge(&self) -> u64 {
        self.edge
    }

    /// Levels from the best one on.
    pub(super) fn levels(&self) -> impl Iterator<Item = (u64, Decimal)> {
        let levels = self.keys.iter().copied().zip(self.quantities.iter().copied()).rev();
        levels.filter(|(_, quantity)| !quantity.is_zero())
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
                assert!(ladder.keys.len() <= most && ladder.keys.is_sorted());
                assert_eq!(held.len() + ladder.gone, ladder.keys.len());
                // All that is known lies from the edge on, and is true.
                let above: Vec<_> = known.iter().copied().filter(|(key, _)| *key >= ladder.edge).collect();
                let held_above: Vec<_> = held.iter().copied().filter(|(key, _)| *key >= ladder.edge).collect();
                assert_eq!(held_above, above);
                let is_beyond_edge = ladder.best().is_none_or(|(best, _)| best < ladder.edge());
                assert!(is_beyond_edge && ladder.edge() > 0 || ladder.best() == known.first().copied());
            }
            assert_eq!(ladder.edge == 0, most >= 200, "{most}");
        }
    }
}
