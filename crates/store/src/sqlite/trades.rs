//! Trades in `SQLite`: one row per trade id, and an index by time to read them by.

use rusqlite::{Connection, OptionalExtension, Row, params};
use streamforge_events::{Millis, TimeRange, Trade};

use super::{
    failure::{Failure, signed, unsigned},
    klines::decimal,
};
use crate::{Applied, BatchReport, Error, MAX_VERSION, Reject, Versioned, survivors::survivors};

const INSERT: &str = "
    INSERT INTO trades (series_id, trade_id, version, price, quantity, timestamp, is_buyer_maker)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING";

const UPDATE: &str = "
    UPDATE trades SET (version, price, quantity, timestamp, is_buyer_maker) = (?3, ?4, ?5, ?6, ?7)
    WHERE series_id = ?1 AND trade_id = ?2 AND version < ?3
        AND (price, quantity, timestamp, is_buyer_maker) IS NOT (?4, ?5, ?6, ?7)";

/// A newer reading of equal content: nothing changes but how far back an answer has to be to be out of date.
const CONFIRM: &str = "UPDATE trades SET version = ?3 WHERE series_id = ?1 AND trade_id = ?2 AND version < ?3";

const SELECT: &str = "
    SELECT trade_id, price, quantity, timestamp, is_buyer_maker, version FROM trades
    WHERE series_id = ?1 AND (timestamp, trade_id) > (?2, ?3) AND timestamp < ?4
    ORDER BY timestamp, trade_id LIMIT ?5";

const SELECT_BEFORE: &str = "
    SELECT trade_id, price, quantity, timestamp, is_buyer_maker FROM trades
    WHERE series_id = ?1 AND trade_id <= ?2 ORDER BY trade_id DESC LIMIT ?3";

pub(super) fn upsert(connection: &Connection, series: i64, rows: &[Versioned<Trade>]) -> Result<BatchReport, Failure> {
    let keys = rows.iter().map(|row| (row.version < MAX_VERSION).then_some((row.value.trade_id, row.version)));
    let survivors = survivors(keys);
    let mut applied = vec![Applied::Unchanged; rows.len()];
    for (index, row) in rows.iter().enumerate() {
        if survivors[index] == Some(index) {
            applied[index] = upsert_one(connection, series, row)?;
        }
    }
    let item = |(row, survivor): (&Versioned<Trade>, Option<usize>)| {
        survivor.map(|index| applied[index]).ok_or(Reject::Version(row.version))
    };
    Ok(BatchReport { items: rows.iter().zip(survivors).map(item).collect() })
}

fn upsert_one(connection: &Connection, series: i64, row: &Versioned<Trade>) -> Result<Applied, Failure> {
    let trade = &row.value;
    let values = params![
        series,
        trade.trade_id,
        signed(row.version),
        &*trade.price.text(),
        &*trade.quantity.text(),
        trade.timestamp,
        trade.is_buyer_maker,
    ];
    if connection.prepare_cached(INSERT)?.execute(values)? == 1 {
        return Ok(Applied::Inserted);
    }
    if connection.prepare_cached(UPDATE)?.execute(values)? == 1 {
        return Ok(Applied::Updated);
    }
    connection.prepare_cached(CONFIRM)?.execute(params![series, trade.trade_id, signed(row.version)])?;
    Ok(Applied::Unchanged)
}

pub(super) fn read(
    connection: &Connection,
    series: i64,
    range: TimeRange,
    after: Option<i64>,
    max: usize,
) -> Result<Vec<Versioned<Trade>>, Failure> {
    // No time stands before that of the range's first trade, so every trade of the range lies behind this place.
    let mut start: (Millis, i64) = (range.from() - 1, i64::MAX);
    if let Some(after) = after {
        start = start.max((time_of(connection, series, after)?, after));
    }
    let limit = i64::try_from(max).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(SELECT)?;
    let mut rows = statement.query(params![series, start.0, start.1, range.to(), limit])?;
    let mut trades = Vec::new();
    while let Some(row) = rows.next()? {
        trades.push(Versioned { version: unsigned(row.get(5)?)?, value: trade(row)? });
    }
    Ok(trades)
}

pub(super) fn read_before(
    connection: &Connection,
    series: i64,
    before: Option<i64>,
    max: usize,
) -> Result<Vec<Trade>, Failure> {
    let Some(last) = before.map_or(Some(i64::MAX), |before| before.checked_sub(1)) else { return Ok(Vec::new()) };
    let limit = i64::try_from(max).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(SELECT_BEFORE)?;
    let mut rows = statement.query(params![series, last, limit])?;
    let mut trades = Vec::new();
    while let Some(row) = rows.next()? {
        trades.push(trade(row)?);
    }
    trades.reverse();
    Ok(trades)
}

fn trade(row: &Row<'_>) -> Result<Trade, Failure> {
    Ok(Trade {
        trade_id: row.get(0)?,
        price: decimal(row, 1)?,
        quantity: decimal(row, 2)?,
        timestamp: row.get(3)?,
        is_buyer_maker: row.get(4)?,
    })
}

fn time_of(connection: &Connection, series: i64, trade: i64) -> Result<Millis, Failure> {
    let mut statement =
        connection.prepare_cached("SELECT timestamp FROM trades WHERE series_id = ?1 AND trade_id = ?2")?;
    let time = statement.query_row(params![series, trade], |row| row.get(0)).optional()?;
    Ok(time.ok_or_else(|| Error::Cursor(trade.to_string()))?)
}
