//! What is stored of a series, from its open times, or numbers and times, alone.

use streamforge_events::{Interval, Millis};

use crate::{Coverage, Gap};

/// Counts klines that come ascending by open time.
pub(crate) struct KlineTally {
    interval: Interval,
    coverage: Coverage,
}

impl KlineTally {
    pub(crate) fn new(interval: Interval) -> Self {
        Self { interval, coverage: Coverage::default() }
    }

    pub(crate) fn add(&mut self, open: Millis) {
        let coverage = &mut self.coverage;
        if let Some(previous) = coverage.last {
            coverage.gaps.extend(gap_before(self.interval, previous, open));
        }
        coverage.rows += 1;
        coverage.first.get_or_insert(open);
        coverage.last = Some(open);
    }

    pub(crate) fn finish(self) -> Coverage {
        self.coverage
    }
}

fn gap_before(interval: Interval, previous: Millis, open: Millis) -> Option<Gap> {
    let expected = interval.next_open(previous);
    (expected < open).then(|| Gap { from: expected, to: open, missing: interval.missing_between(previous, open) })
}

/// Counts trades that come ascending by number.
///
/// Aggregate trades of a symbol are numbered without holes, so a hole in the stored numbers is a gap.
#[derive(Default)]
pub(crate) struct TradeTally {
    previous: Option<(i64, Millis)>,
    coverage: Coverage,
}

impl TradeTally {
    pub(crate) fn add(&mut self, id: i64, time: Millis) {
        let coverage = &mut self.coverage;
        if let Some((previous_id, previous_time)) = self.previous
            && id.abs_diff(previous_id) > 1
        {
            coverage.gaps.push(Gap { from: previous_time, to: time, missing: id.abs_diff(previous_id) - 1 });
        }
        self.previous = Some((id, time));
        coverage.numbers = Some((coverage.numbers.map_or(id, |(first, _)| first), id));
        coverage.rows += 1;
        coverage.first = Some(coverage.first.map_or(time, |first| first.min(time)));
        coverage.last = Some(coverage.last.map_or(time, |last| last.max(time)));
    }

    pub(crate) fn finish(self) -> Coverage {
        self.coverage
    }
}
