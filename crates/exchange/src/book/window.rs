//! The levels near the best one of a side, each in the place of its price: nothing is searched for, nothing is moved.

use streamforge_events::Decimal;

/// Prices that have a place.
pub(super) const PLACES: usize = 8_192;

/// Places that are free above the best level to begin with.
const FREE: usize = PLACES / 4;

/// Places of a word of [`Window::taken`].
const WORD: usize = 64;

/// The widest a window can be, so that a distance in it can be doubled.
const WIDEST: u64 = 1 << 62;

/// Levels by keys that follow one another in equal steps; the greatest key is the best.
#[derive(Clone, Debug)]
pub(super) struct Window {
    /// The key of the first place.
    base: u64,
    /// How far a place's key is from the next; nought for no window.
    step: u64,
    /// 2^63 by the step, rounded up: a multiplication finds a place many times as fast as a division.
    inverse: u64,
    /// The first distance from the base that has no place.
    width: u64,
    quantities: Vec<Decimal>,
    /// A bit for each place that has a level.
    taken: Vec<u64>,
    /// The place behind the best level; nought while there is none.
    end: usize,
}

/// What has become of a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Set {
    /// It is as it was told to be.
    Done,
    /// The same, and it was the best one, which is gone.
    Worse,
    /// It has no place here.
    Outside,
}

impl Window {
    /// Nothing has a place in it.
    pub(super) fn closed() -> Self {
        let (quantities, taken) = (vec![Decimal::ZERO; PLACES], vec![0; PLACES / WORD]);
        Self { base: 0, step: 0, inverse: 0, width: 0, quantities, taken, end: 0 }
    }

    /// Becomes an empty window in which this best key and those below it have their places.
    ///
    /// The step is above nought.
    pub(super) fn open(&mut self, best: u64, step: u64) {
        self.close();
        let most = PLACES as u64 - 1 - FREE as u64;
        let below = (best / step).min(most).min((WIDEST - 1) / step);
        self.base = best - below * step;
        self.step = step;
        self.inverse = (1 << 63) / step + 1;
        self.width = (PLACES as u64).saturating_mul(step).min(u64::MAX - self.base).min(WIDEST);
    }

    /// Forgets all.
    pub(super) fn close(&mut self) {
        while let Some(place) = self.end.checked_sub(1) {
            self.put(place, Decimal::ZERO);
        }
        (self.base, self.step, self.inverse, self.width) = (0, 0, 0, 0);
    }

    /// How far a place's key is from the next; nought for no window.
    pub(super) fn step(&self) -> u64 {
        self.step
    }

    /// The key of the first place; none for no window.
    pub(super) fn base(&self) -> Option<u64> {
        (self.step > 0).then_some(self.base)
    }

    /// Whether the best level has come near the end where there are no places for worse ones.
    pub(super) fn is_low(&self) -> bool {
        self.end < PLACES / 4
    }

    /// Sets the quantity at a key; nought takes the level away.
    #[inline]
    pub(super) fn set(&mut self, key: u64, quantity: Decimal) -> Set {
        let distance = key.wrapping_sub(self.base);
        if distance >= self.width {
            return Set::Outside;
        }
        let place = high(distance * 2, self.inverse);
        if place * self.step != distance {
            return Set::Outside;
        }
        match usize::try_from(place) {
            Ok(place) if place < PLACES => self.put(place, quantity),
            _ => Set::Outside,
        }
    }

    #[inline]
    fn put(&mut self, place: usize, quantity: Decimal) -> Set {
        self.quantities[place] = quantity;
        let (word, bit) = (place / WORD, place % WORD);
        let is_there = !quantity.is_zero();
        // Whether a level goes is a matter of chance, and a wrong guess of the processor costs more than all the rest:
        // only that the best one goes is left to be guessed.
        self.taken[word] = self.taken[word] & !(1 << bit) | u64::from(is_there) << bit;
        let (end, gone) = if is_there { (self.end.max(place + 1), usize::MAX) } else { (self.end, place + 1) };
        if gone != end {
            self.end = end;
            return Set::Done;
        }
        self.end = self.below(place).map_or(0, |best| best + 1);
        Set::Worse
    }

    /// The best level below a place.
    fn below(&self, place: usize) -> Option<usize> {
        let mut word = place / WORD;
        let mut bits = self.taken[word] & ((1 << (place % WORD)) - 1);
        while bits == 0 {
            word = word.checked_sub(1)?;
            bits = self.taken[word];
        }
        Some(word * WORD + bits.ilog2() as usize)
    }

    pub(super) fn best(&self) -> Option<(u64, Decimal)> {
        self.end.checked_sub(1).map(|place| self.level(place))
    }

    /// Levels from the best one on.
    pub(super) fn levels(&self) -> impl Iterator<Item = (u64, Decimal)> {
        let places = std::iter::successors(self.end.checked_sub(1), |place| self.below(*place));
        places.map(|place| self.level(place))
    }

    fn level(&self, place: usize) -> (u64, Decimal) {
        (self.base + place as u64 * self.step, self.quantities[place])
    }
}

/// The upper word of a product.
fn high(a: u64, b: u64) -> u64 {
    u64::try_from((u128::from(a) * u128::from(b)) >> 64).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantity(number: u64) -> Decimal {
        Decimal::from_parts(u128::from(number), 0).unwrap()
    }

    #[test]
    fn keys_have_places_in_steps_and_others_none() {
        for step in [1_u64, 2, 3, 10, 1_000_000, 100_000_000, 123_456_789_012, 1 << 60, 1 << 63] {
            let bests =
                [Some(step), step.checked_mul(5), step.checked_mul(9_000), Some(u64::MAX - 1), Some(u64::MAX - step)];
            for best in bests.into_iter().flatten() {
                let mut window = Window::closed();
                assert_eq!(window.set(best, quantity(1)), Set::Outside);
                window.open(best, step);
                let reach = (best / step).min(6_143).min((WIDEST - 1) / step);
                for steps in [0, 1, 2, 63, 64, 65, 6_142, 6_143].into_iter().filter(|steps| *steps <= reach) {
                    let key = best - steps * step;
                    assert_eq!(window.set(key, quantity(steps + 1)), Set::Done, "{best} - {steps} * {step}");
                    assert!(step == 1 || window.set(key.wrapping_sub(1), quantity(1)) == Set::Outside);
                    assert_eq!(window.levels().last(), Some((key, quantity(steps + 1))));
                }
                assert_eq!(window.set((best - reach * step).wrapping_sub(step), quantity(1)), Set::Outside);
                assert_eq!(window.best(), Some((best, quantity(1))));
                let expected = if reach > 0 { Some((best - step, quantity(2))) } else { None };
                assert_eq!((window.set(best, quantity(0)), window.best()), (Set::Worse, expected));
                window.close();
                assert_eq!((window.best(), window.levels().count()), (None, 0));
            }
        }
    }
}
