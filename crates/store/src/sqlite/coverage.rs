//! What is stored of a series, from its open times alone.

use rusqlite::{Connection, params};
use streamforge_events::{Interval, Millis, TimeRange};

use super::failure::Failure;
use crate::{
    Coverage,
    tally::{KlineTally, TradeTally},
};

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
    let mut tally = KlineTally::new(interval);
    while let Some(row) = rows.next()? {
        tally.add(row.get(0)?);
    }
    Ok(tally.finish())
}

pub(super) fn of_trades(connection: &Connection, series: i64, range: Option<TimeRange>) -> Result<Coverage, Failure> {
    let (from, to) = bounds(range);
    let mut statement = connection.prepare_cached(
        "SELECT trade_id, timestamp FROM trades WHERE series_id = ?1 AND timestamp >= ?2 AND timestamp < ?3
         ORDER BY trade_id",
    )?;
    let mut rows = statement.query(params![series, from, to])?;
    let mut tally = TradeTally::default();
    while let Some(row) = rows.next()? {
        tally.add(row.get(0)?, row.get(1)?);
    }
    Ok(tally.finish())
}

/// Without a range everything lies within: no time of a record reaches the end of the numbers.
fn bounds(range: Option<TimeRange>) -> (Millis, Millis) {
    range.map_or((Millis::MIN, Millis::MAX), |range| (range.from(), range.to()))
}
