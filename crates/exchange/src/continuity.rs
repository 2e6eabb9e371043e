//! Numbers that follow one another without a break, as trade ids do: which came, and which are missing; pure.

use std::collections::BTreeMap;

/// Most ranges of missing numbers that are told apart.
const MOST_GAPS: usize = 10_000;

/// What the arrival of a number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The next one, or the first of all.
    Next,
    /// It came before.
    Known,
    /// It comes after numbers that are missing now.
    After(Gap),
    /// It was missing, and others of its gap still are.
    Filling,
    /// It was the last one missing of its gap.
    Filled(Gap),
    /// It is below the first number of all: nothing is known of that time.
    Early,
}

/// Numbers that did not come in their turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gap {
    /// The first one.
    pub from: u64,
    /// The last one.
    pub to: u64,
}

/// The numbers of one stream.
#[derive(Clone, Debug, Default)]
pub struct Continuity {
    /// The first number and the last one.
    span: Option<(u64, u64)>,
    /// Ranges that are missing: last number and declared gap, by their first number.
    missing: BTreeMap<u64, (u64, Gap)>,
    /// How many ranges of a declared gap are missing.
    parts: BTreeMap<Gap, usize>,
}

impl Continuity {
    /// Goes on after `last`, which came with everything before it.
    #[must_use]
    pub fn after(last: u64) -> Self {
        Self { span: Some((last, last)), ..Self::default() }
    }

    /// Takes a number as it comes.
    pub fn arrive(&mut self, number: u64) -> Arrival {
        let Some((first, last)) = self.span else {
            self.span = Some((number, number));
            return Arrival::Next;
        };
        if number < first {
            return Arrival::Early;
        }
        if number <= last {
            return self.fill(number);
        }
        self.span = Some((first, number));
        let gap = Gap { from: last + 1, to: number - 1 };
        if gap.from > gap.to {
            return Arrival::Next;
        }
        self.declare(gap);
        Arrival::After(gap)
    }

    /// The ranges that are missing, the oldest first.
    pub fn missing(&self) -> impl Iterator<Item = Gap> {
        self.missing.iter().map(|(from, (to, _))| Gap { from: *from, to: *to })
    }

    /// The last number that came; none before the first.
    #[must_use]
    pub fn last(&self) -> Option<u64> {
        self.span.map(|(_, last)| last)
    }

    fn declare(&mut self, gap: Gap) {
        if self.missing.len() >= MOST_GAPS {
            // Of the time before the oldest gap's end nothing is known any more, so that what still comes is new.
            if let (Some((_, (end, oldest))), Some((first, _))) = (self.missing.pop_first(), self.span.as_mut()) {
                *first = end + 1;
                self.leave(oldest);
            }
        }
        self.missing.insert(gap.from, (gap.to, gap));
        self.parts.insert(gap, 1);
    }

    /// Takes a number that is not the newest.
    fn fill(&mut self, number: u64) -> Arrival {
        let range = self.missing.range(..=number).next_back().map(|(from, (to, gap))| (*from, *to, *gap));
        let Some((from, to, gap)) = range.filter(|(_, to, _)| number <= *to) else { return Arrival::Known };
        self.missing.remove(&from);
        let before = (from < number).then(|| (from, number - 1));
        let after = (number < to).then(|| (number + 1, to));
        let left = [before, after].into_iter().flatten();
        let count = left.clone().count();
        self.missing.extend(left.map(|(from, to)| (from, (to, gap))));
        *self.parts.entry(gap).or_default() += count;
        if self.leave(gap) { Arrival::Filled(gap) } else { Arrival::Filling }
    }

    /// Counts a range of a gap less; says whether it was the last one.
    fn leave(&mut self, gap: Gap) -> bool {
        let Some(parts) = self.parts.get_mut(&gap) else { return true };
        *parts -= 1;
        if *parts > 0 {
            return false;
        }
        self.parts.remove(&gap);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_gap_is_told_and_closed_when_its_last_number_comes() {
        let mut numbers = Continuity::default();
        let gap = Gap { from: 12, to: 15 };
        for (number, arrival) in [
            (10, Arrival::Next),
            (11, Arrival::Next),
            (11, Arrival::Known),
            (16, Arrival::After(gap)),
            (13, Arrival::Filling),
            (13, Arrival::Known),
            (17, Arrival::Next),
            (15, Arrival::Filling),
            (12, Arrival::Filling),
            (9, Arrival::Early),
            (14, Arrival::Filled(gap)),
            (14, Arrival::Known),
        ] {
            assert_eq!(numbers.arrive(number), arrival, "{number}");
        }
        assert_eq!((numbers.missing().count(), numbers.last()), (0, Some(17)));
    }

    #[test]
    fn what_is_forgotten_is_never_taken_for_known() {
        let mut numbers = Continuity::default();
        let most = u64::try_from(MOST_GAPS).unwrap();
        for number in 0..=most + 1 {
            numbers.arrive(2 * number);
        }
        assert_eq!((numbers.missing().count(), numbers.arrive(1)), (MOST_GAPS, Arrival::Early));
        assert_eq!(numbers.arrive(3), Arrival::Filled(Gap { from: 3, to: 3 }));
    }

    #[test]
    fn the_largest_numbers_are_no_trouble() {
        let mut numbers = Continuity::default();
        assert_eq!(numbers.arrive(0), Arrival::Next);
        assert_eq!(numbers.arrive(u64::MAX), Arrival::After(Gap { from: 1, to: u64::MAX - 1 }));
        assert_eq!(numbers.arrive(u64::MAX), Arrival::Known);
    }

    #[test]
    fn what_is_missing_is_what_never_came() {
        let mut chance = fastrand::Rng::with_seed(11);
        for _ in 0..200 {
            let mut numbers = Continuity::default();
            let mut came = BTreeSet::new();
            let mut open = BTreeSet::new();
            let first = chance.u64(0..20);
            for step in 0..120 {
                let number = if step == 0 { first } else { chance.u64(0..80) };
                let is_new = !came.contains(&number);
                let last = came.last().copied();
                let arrival = numbers.arrive(number);
                match arrival {
                    Arrival::Next => assert!(last.is_none_or(|last| number == last + 1)),
                    Arrival::Known => assert!(!is_new),
                    Arrival::After(gap) => {
                        assert_eq!((Some(gap.from), gap.to), (last.map(|last| last + 1), number - 1));
                        open.insert(gap);
                    }
                    Arrival::Filling => assert!(is_new),
                    Arrival::Filled(gap) => {
                        assert!(is_new && open.remove(&gap));
                        assert!((gap.from..=gap.to).all(|inside| inside == number || came.contains(&inside)));
                    }
                    Arrival::Early => assert!(number < first),
                }
                if number >= first {
                    came.insert(number);
                }
                let told: Vec<u64> = numbers.missing().flat_map(|gap| gap.from..=gap.to).collect();
                let all = first..=*came.last().unwrap();
                assert_eq!(told, all.filter(|number| !came.contains(number)).collect::<Vec<_>>());
            }
        }
    }
}
