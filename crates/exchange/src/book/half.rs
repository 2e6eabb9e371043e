//! One side of a book: places for the prices near the best one, where most changes are, and a ladder for the others.

use streamforge_events::Decimal;

use super::{
    ladder::Ladder,
    window::{Set, Window},
};

/// Levels by keys, of which the greatest is the best.
///
/// All levels of the ladder are worse than those of the window. The window's step is the largest that all prices seen
/// near the best one are in; it moves when the best price comes near its end.
#[derive(Clone, Debug)]
pub(super) struct Half {
    window: Window,
    ladder: Ladder,
}

impl Half {
    /// An empty side that never holds more levels than this, but for those of the window.
    pub(super) fn new(most: usize) -> Self {
        Self { window: Window::closed(), ladder: Ladder::new(most) }
    }

    /// Becomes these levels, the worst first; below `edge` nothing is known.
    pub(super) fn become_levels(&mut self, levels: impl Iterator<Item = (u64, Decimal)>, edge: u64) {
        self.window.close();
        self.ladder.clear(edge);
        for (key, quantity) in levels {
            self.ladder.set(key, quantity);
        }
        self.move_window();
    }

    /// Sets the quantity at a key; nought takes the level away.
    #[inline]
    pub(super) fn set(&mut self, key: u64, quantity: Decimal) {
        match self.window.set(key, quantity) {
            Set::Worse if self.window.is_low() && self.ladder.best().is_some() => self.move_window(),
            Set::Done | Set::Worse => {}
            Set::Outside => self.set_outside(key, quantity),
        }
    }

    fn set_outside(&mut self, key: u64, quantity: Decimal) {
        match self.window.base() {
            Some(base) if key < base => self.ladder.set(key, quantity),
            // Better than the window's prices or between them: such a level is not known.
            Some(_) if quantity.is_zero() => {}
            _ => {
                let step = self.spill();
                self.ladder.set(key, quantity);
                self.open_window(step);
            }
        }
    }

    /// Lets the window begin anew from the best level.
    fn move_window(&mut self) {
        let step = self.spill();
        self.open_window(step);
    }

    /// Puts the window's levels on the ladder, and answers the window's step.
    fn spill(&mut self) -> u64 {
        let mut levels: Vec<_> = self.window.levels().collect();
        while let Some((key, quantity)) = levels.pop() {
            self.ladder.set(key, quantity);
        }
        let step = self.window.step();
        self.window.close();
        step
    }

    /// Takes the best levels from the ladder; stays without a window as long as there is no step.
    fn open_window(&mut self, mut step: u64) {
        let Some((best, _)) = self.ladder.best() else { return };
        for (key, _) in self.ladder.levels() {
            let distance = best - key;
            if step > 0 && distance / step >= super::window::PLACES as u64 {
                break;
            }
            step = greatest_common_divisor(distance, step);
        }
        if step == 0 {
            return;
        }
        self.window.open(best, step);
        while let Some((key, quantity)) = self.ladder.best()
            && self.window.set(key, quantity) != Set::Outside
        {
            self.ladder.pop();
        }
    }

    pub(super) fn best(&self) -> Option<(u64, Decimal)> {
        self.window.best().or_else(|| self.ladder.best())
    }

    /// Whether levels better than the best known one may be there.
    pub(super) fn is_beyond_edge(&self) -> bool {
        let edge = self.ladder.edge();
        edge > 0 && self.best().is_none_or(|(best, _)| best < edge)
    }

    /// Levels from the best one on.
    pub(super) fn levels(&self) -> impl Iterator<Item = (u64, Decimal)> {
        self.window.levels().chain(self.ladder.levels())
    }
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn quantity(number: u64) -> Decimal {
        Decimal::from_parts(u128::from(number), 0).unwrap()
    }

    /// Goes through changes around a price that wanders, beside a map; says how far the edge has come.
    fn wander(most: usize, tick: u64, reach: u64, drift: i64) -> u64 {
        let mut chance = fastrand::Rng::with_seed(7);
        let mut half = Half::new(most);
        let mut truth: BTreeMap<u64, Decimal> = BTreeMap::new();
        let mut middle = 1_000_000_i64;
        for turn in 0..6_000 {
            middle += chance.i64(-drift..=drift);
            let mut key = (u64::try_from(middle).unwrap() - chance.u64(0..reach)) * tick;
            // A price between the ticks comes now and then.
            key += if turn % 1_000 == 500 { tick / 2 } else { 0 };
            if chance.u8(..8) == 0 {
                // The best ones go most often.
                key = truth.keys().next_back().copied().unwrap_or(key);
            }
            let amount = quantity(chance.u64(0..3));
            half.set(key, amount);
            truth.insert(key, amount);
            truth.retain(|_, amount| !amount.is_zero());
            let edge = half.ladder.edge();
            assert!(
                half.is_beyond_edge() || half.best() == truth.last_key_value().map(|(key, amount)| (*key, *amount))
            );
            if turn % 16 == 0 {
                // All that is known lies from the edge on, and is true.
                let above = truth.range(edge..).rev().map(|(key, amount)| (*key, *amount));
                assert!(half.levels().filter(|(key, _)| *key >= edge).eq(above), "{most} {tick} {reach} {drift}");
                assert!(half.levels().is_sorted_by(|better, worse| better.0 > worse.0));
            }
        }
        half.ladder.edge()
    }

    #[test]
    fn a_half_is_a_sorted_map() {
        for tick in [1, 2, 1_000_000] {
            for (reach, drift) in [(30, 1), (300, 3), (20_000, 100), (900_000, 1_000)] {
                assert_eq!(wander(10_000, tick, reach, drift), 0);
                for most in [1, 3, 40] {
                    wander(most, tick, reach, drift);
                }
            }
        }
        assert!(wander(40, 1_000_000, 900_000, 1_000) > 0, "what has no room is told");
    }

    #[test]
    fn a_book_of_one_level_and_one_that_becomes_empty_are_kept() {
        let mut half = Half::new(10);
        for key in [5, u64::MAX - 1, 1] {
            half.set(key, quantity(1));
            assert_eq!(half.best(), Some((key, quantity(1))));
            half.set(key, quantity(0));
            assert_eq!((half.best(), half.levels().count()), (None, 0));
        }
    }

    #[test]
    fn prices_as_far_apart_as_can_be_are_kept() {
        let keys = [1, 1 << 20, 1 << 50, 1 << 61, 1 << 62, 1 << 63, (1 << 63) + 1, u64::MAX - 1];
        for better in keys {
            for worse in keys.into_iter().filter(|worse| *worse < better) {
                let mut half = Half::new(10);
                half.become_levels([(worse, quantity(1)), (better, quantity(1))].into_iter(), 0);
                for (key, left) in [(better, worse), (worse, better)] {
                    half.set(key, quantity(0));
                    assert!(half.levels().eq([(left, quantity(1))]), "{better} {worse}");
                    half.set(key, quantity(1));
                    assert!(half.levels().eq([(better, quantity(1)), (worse, quantity(1))]), "{better} {worse}");
                }
            }
        }
    }
}
