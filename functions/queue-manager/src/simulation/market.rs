//! A market of a few records, the series that are asked for, and a store that is a set of records.

use std::collections::{BTreeMap, BTreeSet};

use streamforge_events::{Interval, Millis, SeriesId, SeriesKind, TimeRange};

const MINUTE: Millis = 60_000;

/// When the request is made: half a minute into a bar.
pub(super) const NOW: Millis = 1_767_225_630_000;

/// Most records in one batch.
const RECORDS_PER_BATCH: Millis = 8;

/// How long a trade may be missing from the exchange's answers.
const SETTLING: Millis = 10_000;

/// Which series there are, which records they have, and which of them are stored.
pub(super) struct Market {
    pub(super) series: Vec<SeriesId>,
    pub(super) stored: BTreeSet<(usize, Millis)>,
    pub(super) loaded: BTreeMap<SeriesId, Vec<TimeRange>>,
}

impl Market {
    pub(super) fn new(series: Vec<SeriesId>) -> Self {
        Self { series, stored: BTreeSet::new(), loaded: BTreeMap::new() }
    }

    /// Number of a series.
    pub(super) fn number(&self, series: &SeriesId) -> usize {
        self.series.iter().position(|known| known == series).expect("only what is asked for is loaded")
    }

    /// Times of the records in a range: sparse ones with holes, and one a minute around the request.
    pub(super) fn records(&self, series: usize, range: TimeRange) -> Vec<Millis> {
        let step = self.step(series);
        let sparse = (range.from().div_euclid(step)..=range.to().div_euclid(step)).map(|count| count * step);
        let has =
            |time: &Millis| !((time / step).unsigned_abs() + series as u64 * 3).wrapping_mul(7919).is_multiple_of(5);
        let dense = (-5..30).map(|minute| NOW - NOW % MINUTE + minute * MINUTE);
        let mut times: Vec<Millis> = sparse.filter(has).chain(dense).filter(|time| range.contains(*time)).collect();
        times.sort_unstable();
        times.dedup();
        times
    }

    /// Up to when the exchange knows a series at `now`.
    pub(super) fn known_until(&self, series: usize, now: Millis) -> Millis {
        match self.series[series].kind {
            SeriesKind::Klines(interval) => interval.align_down(now),
            SeriesKind::Trades => now - SETTLING,
        }
    }

    /// The part of a slice that its batch of this number covers; none behind the last one.
    pub(super) fn window(&self, series: usize, slice: TimeRange, batch: u32) -> Option<TimeRange> {
        let length = self.step(series) * RECORDS_PER_BATCH;
        let from = slice.from() + i64::from(batch) * length;
        TimeRange::new(from, slice.to().min(from + length)).ok()
    }

    /// Whether all records of a range are stored.
    pub(super) fn holds(&self, series: usize, range: TimeRange) -> bool {
        self.records(series, range).iter().all(|time| self.stored.contains(&(series, *time)))
    }

    pub(super) fn mark_loaded(&mut self, series: &SeriesId, range: TimeRange) {
        self.loaded.entry(series.clone()).or_default().push(range);
    }

    fn step(&self, series: usize) -> Millis {
        match self.series[series].kind {
            SeriesKind::Klines(Interval::M1) => 12 * 60 * MINUTE,
            SeriesKind::Klines(_) | SeriesKind::Trades => 10 * MINUTE,
        }
    }
}
