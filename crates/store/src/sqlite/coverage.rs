//! What is stored of a series, from its open times alone.

use rusqlite::{Connection, params};
use streamforge_events::{Interval, Millis, TimeRange};

use super::failure::Failure;
use crate::{Coverage, Gap};

pub(super) fn of_klines(
    connection: &Connection,
    series: i64,
    interval: Interval,
    range: Option<TimeRange>,
) -> Result<Coverage, Failure> {
    let (from, to) = bounds(range);
    let mut statement = connection.prepare_cached(
        "SELECT open_time FROM klines WHERE series_id = ?1 AND open_time >= ?2 AND open_time < ?3 ORDER BY open_time",
    )?;
    let mut rows = statement.query(params![series, from, to])?;
    let mut coverage = Coverage::default();
    while let Some(row) = rows.next()? {
        let open: Millis = row.get(0)?;
        if let Some(previous) = coverage.last {
            coverage.gaps.extend(gap_before(interval, previous, open));
        }
        coverage.rows += 1;
        coverage.first.get_or_insert(open);
        coverage.last = Some(open);
    }
    Ok(coverage)
}

fn gap_before(interval: Interval, previous: Millis, open: Millis) -> Option<Gap> {
    let expected = interval.next_open(previous);
    (expected < open).then(|| Gap { from: expected, to: open, missing: interval.missing_between(previous, open) })
}

/// Aggregate trades of a symbol are numbered without holes, so a hole in the stored numbers is a gap.
pub(super) fn of_trades(connection: &Connection, series: i64, range: Option<TimeRange>) -> Result<Coverage, Failure> {
    let (from, to) = bounds(range);
    let mut statement = connection.prepare_cached(
        "SELECT trade_id, timestamp FROM trades WHERE series_id = ?1 AND timestamp >= ?2 AND timestamp < ?3
         ORDER BY trade_id",
    )?;
    let mut rows = statement.query(params![series, from, to])?;
    let mut coverage = Coverage::default();
    let mut previous: Option<(i64, Millis)> = None;
    while let Some(row) = rows.next()? {
        let (id, time): (i64, Millis) = (row.get(0)?, row.get(1)?);
        if let Some((previous_id, previous_time)) = previous
            && id.abs_diff(previous_id) > 1
        {
            coverage.gaps.push(Gap { from: previous_time, to: time, missing: id.abs_diff(previous_id) - 1 });
        }
        previous = Some((id, time));
        coverage.rows += 1;
        coverage.first = Some(coverage.first.map_or(time, |first| first.min(time)));
        coverage.last = Some(coverage.last.map_or(time, |last| last.max(time)));
    }
    Ok(coverage)
}

/// Without a range everything lies within: no time of a record reaches the end of the numbers.
fn bounds(range: Option<TimeRange>) -> (Millis, Millis) {
    range.map_or((Millis::MIN, Millis::MAX), |range| (range.from(), range.to()))
}
