//! How complete what is stored of a symbol is, and why what is missing is missing.

use serde::Serialize;
use streamforge_events::{
    FeedInterrupted, GapState, Health, Interval, Millis, SeriesId, SeriesKind, Symbol, TimeRange,
};

use crate::{
    Coverage, Error, Gap, GapQuery, Store,
    declared::{declared, read_all, records_of},
};

/// The stream of an order book, of which gaps alone are stored.
const BOOK: &str = "depth";

/// How complete a series is in a range, or as far as it goes.
///
/// # Units
/// Milliseconds; `from` and `to` of what is declared are ids of trades or updates, or open times of bars.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Completeness {
    /// Whose series.
    pub symbol: Symbol,
    /// `trades`, `klines_<interval>`, or `depth`, of which gaps alone are stored.
    pub stream: String,
    /// The range that was asked for; none for all of it.
    pub range: Option<TimeRange>,
    /// Of which ranges all that the exchange had was asked for and is stored.
    pub loaded: Vec<TimeRange>,
    /// Open time, or time, of the first record.
    pub first: Option<Millis>,
    /// Open time, or time, of the last one.
    pub last: Option<Millis>,
    /// Where records are missing, ascending; of bars those at the ends of the range as well, as far as it is over.
    pub missing: Vec<Gap>,
    /// What live feeds told of their gaps, ascending.
    pub declared: Vec<FeedInterrupted>,
    /// What all of it comes to.
    pub health: Health,
}

/// What is known of a series.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// What is stored.
    pub coverage: Coverage,
    /// Ranges that were loaded whole.
    pub loaded: Vec<TimeRange>,
    /// Its gaps, as [`declared`](crate::declared) makes them.
    pub declared: Vec<FeedInterrupted>,
}

impl Completeness {
    /// What some facts say about a series in a range; without one, from its first record to its last.
    #[must_use]
    pub fn of(series: &SeriesId, facts: Facts, range: Option<TimeRange>, now: Millis) -> Self {
        let Facts { coverage, loaded, declared } = facts;
        let Coverage { rows, first, last, gaps, numbers: _ } = coverage;
        let mut missing = gaps;
        if let (SeriesKind::Klines(interval), Some(range)) = (series.kind, range) {
            let (before, after) = ends(interval, first.zip(last), range, now);
            missing.splice(0..0, before);
            missing.extend(after);
        }
        let lacking = missing.iter().fold(0_u64, |sum, gap| sum.saturating_add(gap.missing));
        let filled =
            |gap: &FeedInterrupted| if gap.state == GapState::Filled { records_of(series.kind, gap) } else { 0 };
        let filled = declared.iter().fold(0_u64, |sum, gap| sum.saturating_add(filled(gap)));
        let (end, bar) = match series.kind {
            SeriesKind::Klines(interval) => {
                let end = last.map(|last| interval.next_open(last));
                (end, last.zip(end).map(|(last, end)| end.saturating_sub(last)))
            }
            SeriesKind::Trades => (last, None),
        };
        // What ended before now cannot have anything newer.
        let is_over = range.is_some_and(|range| range.to() <= now);
        let health = Health {
            filled: filled.min(rows),
            open_gaps: declared.iter().filter(|gap| gap.state == GapState::Open).count() as u64,
            age: end.filter(|_| !is_over).map(|end| now.saturating_sub(end).max(0)),
            ..Health::of(rows.saturating_add(lacking), rows)
        };
        let loaded = loaded.into_iter().filter_map(|loaded| match range {
            Some(range) => loaded.intersection(range),
            None => Some(loaded),
        });
        Self {
            symbol: series.symbol.clone(),
            stream: series.kind.stream(),
            range,
            loaded: loaded.collect(),
            first,
            last,
            missing,
            declared,
            health: health.graded(bar),
        }
    }

    /// What share of the stored records did not come live and was asked for afterwards.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 53 bits")]
    pub fn filled_share(&self) -> f64 {
        let Health { present, filled, .. } = self.health;
        if present == 0 { 0.0 } else { filled as f64 / present as f64 }
    }
}

/// How complete all is that is stored of a symbol, series by series; of one interval alone if it is named.
///
/// # Errors
/// A failure of the store.
pub async fn completeness(
    store: &dyn Store,
    symbol: &Symbol,
    interval: Option<Interval>,
    range: Option<TimeRange>,
    now: Millis,
) -> Result<Vec<Completeness>, Error> {
    let is_meant = |series: &SeriesId| {
        series.symbol == *symbol && interval.is_none_or(|interval| series.kind == SeriesKind::Klines(interval))
    };
    let mut found = Vec::new();
    for series in store.series().await?.into_iter().filter(is_meant) {
        found.push(of_series(store, &series, range, now).await?);
    }
    if interval.is_none() {
        found.extend(of_book(store, symbol, range).await?);
    }
    Ok(found)
}

async fn of_series(
    store: &dyn Store,
    series: &SeriesId,
    range: Option<TimeRange>,
    now: Millis,
) -> Result<Completeness, Error> {
    let loaded = store.loaded(series).await?;
    let coverage = store.coverage(series, range).await?;
    let number = |time: Millis| u64::try_from(time).unwrap_or(0);
    let numbers = match series.kind {
        SeriesKind::Klines(_) => range.map(|range| (number(range.from()), number(range.to() - 1))),
        // The neighbours of what is stored: a gap may begin or end with the range.
        SeriesKind::Trades => range
            .and(coverage.numbers)
            .map(|(first, last)| (number(first).saturating_sub(1), number(last).saturating_add(1))),
    };
    let query = GapQuery { symbol: Some(series.symbol.clone()), stream: Some(series.kind.stream()), numbers };
    let mut declared = declared(series.kind, read_all(store, &query).await?);
    if numbers.is_none() {
        declared.retain(|gap| range.is_none_or(|range| range.contains(gap.since)));
    }
    Ok(Completeness::of(series, Facts { coverage, loaded, declared }, range, now))
}

/// Gaps of the order book, if there are any; their numbers say no time, so those that were found in the range.
async fn of_book(store: &dyn Store, symbol: &Symbol, range: Option<TimeRange>) -> Result<Option<Completeness>, Error> {
    let query = GapQuery { symbol: Some(symbol.clone()), stream: Some(BOOK.to_owned()), numbers: None };
    // Updates are numbered as trades are.
    let mut declared = declared(SeriesKind::Trades, read_all(store, &query).await?);
    declared.retain(|gap| range.is_none_or(|range| range.contains(gap.since)));
    let open_gaps = declared.iter().filter(|gap| gap.state == GapState::Open).count() as u64;
    Ok((!declared.is_empty()).then(|| Completeness {
        symbol: symbol.clone(),
        stream: BOOK.to_owned(),
        range,
        loaded: Vec::new(),
        first: None,
        last: None,
        missing: Vec::new(),
        declared,
        health: Health { open_gaps, ..Health::of(0, 0) }.graded(None),
    }))
}

/// Bars that are missing before the first stored one and after the last: those that open in the range and are over.
fn ends(
    interval: Interval,
    stored: Option<(Millis, Millis)>,
    range: TimeRange,
    now: Millis,
) -> (Option<Gap>, Option<Gap>) {
    let closed = range.to().min(interval.previous_open(now).saturating_add(1));
    let Some((first, last)) = stored else {
        return (gap(interval, interval.align_up(range.from()), closed), None);
    };
    // Counted from a stored bar: those of three days begin on another day for each symbol.
    let begin = match interval.millis() {
        Some(length) => first - (first - range.from()).max(0) / length * length,
        None => interval.align_up(range.from()),
    };
    (gap(interval, begin, first), gap(interval, interval.next_open(last), closed))
}

/// The bars from one that opens at `from` until `to`, exclusive; none if there are none.
fn gap(interval: Interval, from: Millis, to: Millis) -> Option<Gap> {
    let range = TimeRange::new(from, to).ok()?;
    let missing = match interval.millis() {
        Some(length) => u64::try_from((to - from - 1) / length + 1).unwrap_or(0),
        None => interval.opens_in(range),
    };
    (missing > 0).then_some(Gap { from, to: to.max(from), missing })
}

#[cfg(test)]
mod tests {
    use streamforge_events::Grade;

    use super::*;

    const MINUTE: Millis = 60_000;
    const DAY: Millis = 86_400_000;

    fn series(kind: SeriesKind) -> SeriesId {
        SeriesId { symbol: "BTCUSDT".parse().unwrap(), kind }
    }

    fn range(from: Millis, to: Millis) -> TimeRange {
        TimeRange::new(from, to).unwrap()
    }

    fn told(from: Millis, to: Millis, state: GapState) -> FeedInterrupted {
        let number = |time: Millis| u64::try_from(time).unwrap();
        FeedInterrupted {
            symbol: "BTCUSDT".parse().unwrap(),
            stream: "klines_1m".to_owned(),
            from: number(from),
            to: number(to),
            state,
            why: "the connection broke".to_owned(),
            since: 1,
        }
    }

    /// Bars of minutes 10 to 19 without 14 and 15.
    fn facts() -> Facts {
        let gaps = vec![Gap { from: 14 * MINUTE, to: 16 * MINUTE, missing: 2 }];
        let (first, last) = (Some(10 * MINUTE), Some(19 * MINUTE));
        Facts {
            coverage: Coverage { rows: 8, first, last, gaps, numbers: None },
            loaded: vec![range(0, 12 * MINUTE)],
            declared: vec![
                told(14 * MINUTE, 15 * MINUTE, GapState::Left),
                told(17 * MINUTE, 18 * MINUTE, GapState::Filled),
                told(19 * MINUTE, 19 * MINUTE, GapState::Open),
            ],
        }
    }

    fn minutes(found: &Completeness) -> Vec<(Millis, Millis, u64)> {
        found.missing.iter().map(|gap| (gap.from / MINUTE, gap.to / MINUTE, gap.missing)).collect()
    }

    #[test]
    fn a_series_is_as_complete_as_what_is_missing_says() {
        let klines = series(SeriesKind::Klines(Interval::M1));
        let whole = Completeness::of(&klines, facts(), None, 20 * MINUTE + 30);
        assert_eq!((minutes(&whole), whole.loaded.len()), (vec![(14, 16, 2)], 1));
        let Health { needed, present, filled, open_gaps, age, grade, .. } = whole.health;
        assert_eq!((needed, present, filled, open_gaps, age), (10, 8, 2, 1, Some(30)));
        assert_eq!((grade, whole.filled_share()), (Grade::Poor, 0.25));
        // A range is missing at its ends too, as far as its bars are over by now.
        let asked = range(8 * MINUTE, 30 * MINUTE);
        let part = Completeness::of(&klines, facts(), Some(asked), 23 * MINUTE - 1);
        assert_eq!(minutes(&part), [(8, 10, 2), (14, 16, 2), (20, 22, 2)]);
        assert_eq!((part.health.needed, part.health.age), (14, Some(3 * MINUTE - 1)));
        assert_eq!(part.loaded, [range(8 * MINUTE, 12 * MINUTE)]);
        let over = Completeness::of(&klines, facts(), Some(asked), 90 * MINUTE);
        assert_eq!((over.health.needed, over.health.age), (22, None));
        let nothing = Completeness::of(&klines, Facts::default(), Some(asked), 90 * MINUTE);
        assert_eq!((minutes(&nothing), nothing.health.grade), (vec![(8, 30, 22)], Grade::Poor));
        assert!(nothing.filled_share().abs() < f64::EPSILON);
        let unknown = Completeness::of(&klines, Facts::default(), None, 90 * MINUTE);
        assert_eq!((unknown.health.needed, unknown.health.age), (0, None));
    }

    #[test]
    fn ends_follow_the_calendar() {
        let counts = |interval, stored: Option<(Millis, Millis)>, asked, now| {
            let (before, after) = ends(interval, stored, asked, now);
            let count = |gap: Option<Gap>| gap.map_or(0, |gap| gap.missing);
            (count(before), count(after))
        };
        // Bars of three days from the second day on; of a range that begins a day earlier none is missing.
        let stored = Some((DAY, 4 * DAY));
        assert_eq!(counts(Interval::D3, stored, range(0, 10 * DAY), 90 * DAY), (0, 1));
        assert_eq!(counts(Interval::D3, stored, range(0, 10 * DAY + 1), 90 * DAY), (0, 2));
        assert_eq!(counts(Interval::D3, stored, range(0, 90 * DAY), 10 * DAY), (0, 1));
        assert_eq!(counts(Interval::D3, stored, range(0, 90 * DAY), 10 * DAY - 1), (0, 0));
        // Months: February of 1970 is stored.
        let stored = Some((31 * DAY, 31 * DAY));
        assert_eq!(counts(Interval::Mo1, stored, range(0, 120 * DAY), 365 * DAY), (1, 2));
        assert_eq!(counts(Interval::Mo1, stored, range(0, 120 * DAY), 60 * DAY), (1, 0));
        // A range that begins inside of a bar.
        let stored = Some((2 * MINUTE, 2 * MINUTE));
        assert_eq!(counts(Interval::M1, stored, range(1, 3 * MINUTE), 90 * MINUTE), (1, 0));
        assert_eq!(counts(Interval::M1, None, range(1, 3 * MINUTE), 90 * MINUTE), (2, 0));
        assert_eq!(counts(Interval::M1, None, range(1, 3 * MINUTE), 0), (0, 0));
    }

    #[test]
    fn trades_have_no_ends_to_be_missing() {
        let gaps = vec![Gap { from: 5, to: 9, missing: 4 }];
        let coverage = Coverage { rows: 6, first: Some(1), last: Some(9), gaps, numbers: Some((11, 20)) };
        let facts = Facts { coverage, ..Facts::default() };
        let found = Completeness::of(&series(SeriesKind::Trades), facts, Some(range(0, 100)), 50);
        assert_eq!((found.health.needed, found.health.age, found.missing.len()), (10, Some(41), 1));
    }
}
