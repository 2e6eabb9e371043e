//! Bars that the exchange leaves out between two that it has: an outage, a halt, or a gap of the feed.

use streamforge_events::{Interval, Millis, TimeRange};

/// Counts missing bars along a slice, across its windows.
///
/// What is missing before the first bar or after the last one is no gap: a symbol is listed at some time, and the
/// newest bar is not over.
#[derive(Debug)]
pub(crate) struct Gaps {
    interval: Interval,
    last: Option<Millis>,
}

impl Gaps {
    pub(crate) fn new(interval: Interval) -> Self {
        Self { interval, last: None }
    }

    /// Goes on with bars that open at these ascending times; the answer is how many are missing before and among them.
    pub(crate) fn add(&mut self, open_times: impl Iterator<Item = Millis>) -> u64 {
        let mut missing = 0;
        for open in open_times {
            let before = self.last.replace(open).map(|last| self.interval.next_open(last));
            let gap = before.and_then(|from| TimeRange::new(from, open).ok());
            missing += gap.map_or(0, |gap| self.interval.opens_in(gap));
        }
        missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Millis = 60_000;

    #[test]
    fn gaps_count_within_windows_and_between_them() {
        let mut gaps = Gaps::new(Interval::M1);
        let mut add = |minutes: &[i64]| gaps.add(minutes.iter().map(|minute| minute * MINUTE));
        assert_eq!(add(&[100, 101, 102]), 0, "nothing is missing before the first");
        assert_eq!(add(&[]), 0);
        assert_eq!(add(&[103, 105, 106]), 1);
        assert_eq!(add(&[110]), 3);
    }

    #[test]
    fn months_follow_the_calendar() {
        let day = 86_400_000;
        let mut gaps = Gaps::new(Interval::Mo1);
        assert_eq!(gaps.add([0, 31 * day, 90 * day].into_iter()), 1, "March is missing");
    }
}
