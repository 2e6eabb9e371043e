//! Which ranges of a series were loaded whole: kept merged, so that they stay few.

use rusqlite::{Connection, params};
use streamforge_events::TimeRange;

use super::failure::Failure;

/// Adds a range and merges it with all that it overlaps or touches.
pub(super) fn mark(connection: &Connection, series: i64, range: TimeRange) -> Result<(), Failure> {
    let merged: (Option<i64>, Option<i64>) = connection
        .prepare_cached(
            "SELECT MIN(from_time), MAX(to_time) FROM loaded_ranges
             WHERE series_id = ?1 AND from_time <= ?3 AND to_time >= ?2",
        )?
        .query_row(params![series, range.from(), range.to()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let from = merged.0.map_or(range.from(), |from| from.min(range.from()));
    let to = merged.1.map_or(range.to(), |to| to.max(range.to()));
    connection
        .prepare_cached("DELETE FROM loaded_ranges WHERE series_id = ?1 AND from_time >= ?2 AND from_time <= ?3")?
        .execute(params![series, from, to])?;
    connection
        .prepare_cached("INSERT INTO loaded_ranges (series_id, from_time, to_time) VALUES (?1, ?2, ?3)")?
        .execute(params![series, from, to])?;
    Ok(())
}

pub(super) fn ranges(connection: &Connection, series: i64) -> Result<Vec<TimeRange>, Failure> {
    let mut statement = connection
        .prepare_cached("SELECT from_time, to_time FROM loaded_ranges WHERE series_id = ?1 ORDER BY from_time")?;
    let mut rows = statement.query([series])?;
    let mut ranges = Vec::new();
    while let Some(row) = rows.next()? {
        let (from, to) = (row.get(0)?, row.get(1)?);
        let range =
            TimeRange::new(from, to).map_err(|_| Failure::Damaged(format!("stored range {from}:{to} is not valid")))?;
        ranges.push(range);
    }
    Ok(ranges)
}
