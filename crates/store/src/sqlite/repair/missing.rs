//! What of the series is gone: which times may lack rows that were there, and which ranges are no longer loaded whole.

use rusqlite::{Connection, params};
use streamforge_events::{Interval, Millis, SeriesKind, TimeRange};

use super::{
    Hole, Missing,
    tables::{Key, Part},
};
use crate::sqlite::{failure::Failure, loaded, series};

/// Finds what may be missing of each series, and takes it out of the ranges that count as loaded.
///
/// A bar that is not there although one could have been may have been lost or never have existed. The exchange knows.
pub(super) fn settle(connection: &Connection, klines: &[Hole], trades: &[Hole]) -> Result<Vec<Missing>, Failure> {
    let mut found = Vec::new();
    for series in series::all(connection)? {
        let Some(id) = series::find(connection, &series)? else { continue };
        let holes = if series.kind == SeriesKind::Trades { trades } else { klines };
        let mut missing: Vec<(Option<Millis>, Option<Millis>)> = Vec::new();
        for (after, before) in holes.iter().filter_map(|hole| within(hole, id)) {
            let records = records(connection, id, series.kind, after, before)?;
            missing.extend(between(series.kind, &records, after.is_some(), before.is_some()));
        }
        missing.sort_unstable();
        missing.dedup();
        let before = loaded::ranges(connection, id)?;
        if !missing.is_empty() && !before.is_empty() {
            connection.execute("DELETE FROM loaded_ranges WHERE series_id = ?1", [id])?;
            for range in without(&before, &missing) {
                loaded::mark(connection, id, range)?;
            }
        }
        found.extend(missing.into_iter().map(|(from, to)| Missing { series: series.clone(), from, to }));
    }
    Ok(found)
}

/// The keys of a series between which a hole lies; `None` where it goes on beyond the series.
fn within(hole: &Hole, series: i64) -> Option<(Option<i64>, Option<i64>)> {
    let split = |key: &Option<Key>, otherwise: i64| match key {
        Some(Key(Part::Number(id), Part::Number(key))) => (*id, *key),
        _ => (otherwise, 0),
    };
    let (first, after) = split(&hole.after, i64::MIN);
    let (last, before) = split(&hole.before, i64::MAX);
    let own = |id: i64, key: i64| (id == series).then_some(key);
    (first..=last).contains(&series).then(|| (own(first, after), own(last, before)))
}

/// A key and its time.
type Record = (i64, Millis);

/// The rows from one key to another.
fn records(
    connection: &Connection,
    series: i64,
    kind: SeriesKind,
    from: Option<i64>,
    to: Option<i64>,
) -> Result<Vec<Record>, rusqlite::Error> {
    let sql = match kind {
        SeriesKind::Klines(_) => {
            "SELECT open_time, open_time FROM klines WHERE series_id = ?1 AND open_time BETWEEN ?2 AND ?3
             ORDER BY open_time"
        }
        SeriesKind::Trades => {
            "SELECT trade_id, timestamp FROM trades WHERE series_id = ?1 AND trade_id BETWEEN ?2 AND ?3
             ORDER BY trade_id"
        }
    };
    connection
        .prepare_cached(sql)?
        .query_map(params![series, from.unwrap_or(i64::MIN), to.unwrap_or(i64::MAX)], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect()
}

/// The times between the records that may lack others.
fn between(
    kind: SeriesKind,
    records: &[Record],
    is_begin_known: bool,
    is_end_known: bool,
) -> Vec<(Option<Millis>, Option<Millis>)> {
    let (Some(first), Some(last)) = (records.first(), records.last()) else {
        return vec![(None, None)];
    };
    let begin = |record: &Record| Some(next_time(kind, record));
    // Trades before this one may have had its time.
    let end = |record: &Record| Some(if kind == SeriesKind::Trades { record.1 + 1 } else { record.1 });
    let is_gap = |pair: &[Record]| match kind {
        SeriesKind::Klines(interval) => interval.next_open(pair[0].1) < pair[1].1,
        // They are numbered without holes.
        SeriesKind::Trades => pair[1].0.abs_diff(pair[0].0) > 1,
    };
    let head = (!is_begin_known).then(|| (None, end(first)));
    let gaps = records.windows(2).filter(|pair| is_gap(pair)).map(|pair| (begin(&pair[0]), end(&pair[1])));
    let tail = (!is_end_known).then(|| (begin(last), None));
    head.into_iter().chain(gaps).chain(tail).collect()
}

/// The first time at which the record after this one can be.
fn next_time(kind: SeriesKind, record: &Record) -> Millis {
    match kind {
        SeriesKind::Klines(interval) => Interval::next_open(interval, record.1),
        SeriesKind::Trades => record.1,
    }
}

/// What is left of the ranges.
fn without(ranges: &[TimeRange], missing: &[(Option<Millis>, Option<Millis>)]) -> Vec<TimeRange> {
    let mut left = ranges.to_vec();
    for (from, to) in missing {
        let (from, to) = (from.unwrap_or(Millis::MIN), to.unwrap_or(Millis::MAX));
        left = left
            .iter()
            .flat_map(|range| [(range.from(), range.to().min(from)), (range.from().max(to), range.to())])
            .filter_map(|(from, to)| TimeRange::new(from, to).ok())
            .collect();
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    const M1: SeriesKind = SeriesKind::Klines(Interval::M1);

    fn hole(after: Option<(i64, i64)>, before: Option<(i64, i64)>) -> Hole {
        let key = |(id, key)| Key(Part::Number(id), Part::Number(key));
        Hole { after: after.map(key), before: before.map(key) }
    }

    #[test]
    fn a_hole_touches_the_series_that_it_lies_in() {
        assert_eq!(within(&hole(Some((2, 7)), Some((2, 9))), 2), Some((Some(7), Some(9))));
        assert_eq!(within(&hole(Some((2, 7)), Some((2, 9))), 3), None);
        let across = hole(Some((1, 7)), Some((3, 9)));
        let touched: Vec<_> = (0..5).map(|id| within(&across, id)).collect();
        assert_eq!(touched, [None, Some((Some(7), None)), Some((None, None)), Some((None, Some(9))), None]);
        assert_eq!(within(&hole(None, None), 5), Some((None, None)));
    }

    #[test]
    fn what_the_calendar_expects_is_missing() {
        let bars: Vec<Record> = [1, 2, 5, 6].map(|minute| (minute * 60_000, minute * 60_000)).to_vec();
        assert_eq!(between(M1, &bars, true, true), [(Some(180_000), Some(300_000))]);
        let open = [(None, Some(60_000)), (Some(180_000), Some(300_000)), (Some(420_000), None)];
        assert_eq!(between(M1, &bars, false, false), open);
        assert_eq!(between(M1, &[], true, true), [(None, None)]);
        let trades = [(10, 100), (11, 100), (13, 105)];
        assert_eq!(between(SeriesKind::Trades, &trades, true, true), [(Some(100), Some(106))]);
    }

    #[test]
    fn loaded_ranges_lose_what_is_missing() {
        let range = |from, to| TimeRange::new(from, to).unwrap();
        let ranges = [range(0, 100), range(200, 300)];
        assert_eq!(without(&ranges, &[(Some(10), Some(20))]), [range(0, 10), range(20, 100), range(200, 300)]);
        assert_eq!(without(&ranges, &[(Some(50), Some(250))]), [range(0, 50), range(250, 300)]);
        assert_eq!(without(&ranges, &[(None, Some(5)), (Some(290), None)]), [range(5, 100), range(200, 290)]);
        assert_eq!(without(&ranges, &[(None, None)]), []);
    }
}
