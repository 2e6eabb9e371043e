//! Klines in `SQLite`: decimals as text, one row per open time.

use rusqlite::{CachedStatement, Connection, Row, params, types::ValueRef};
use streamforge_events::{Decimal, Kline, KlineColumns, Millis, TimeRange};

use super::failure::{Failure, parse, signed, unsigned};
use crate::{Applied, BatchReport, KlineCloses, MAX_VERSION, Reject, Versioned, survivors::survivors};

const INSERT: &str = "
    INSERT INTO klines (series_id, open_time, version, open, high, low, close, volume, close_time, quote_asset_volume,
        number_of_trades, taker_buy_base_asset_volume, taker_buy_quote_asset_volume)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
    ON CONFLICT DO NOTHING";

const UPDATE: &str = "
    UPDATE klines SET (version, open, high, low, close, volume, close_time, quote_asset_volume, number_of_trades,
        taker_buy_base_asset_volume, taker_buy_quote_asset_volume)
        = (?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
    WHERE series_id = ?1 AND open_time = ?2 AND version < ?3
        AND (open, high, low, close, volume, close_time, quote_asset_volume, number_of_trades,
            taker_buy_base_asset_volume, taker_buy_quote_asset_volume)
            IS NOT (?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";

/// A newer reading of equal content: nothing changes but how far back an answer has to be to be out of date.
const CONFIRM: &str = "UPDATE klines SET version = ?3 WHERE series_id = ?1 AND open_time = ?2 AND version < ?3";

const SELECT: &str = "
    SELECT open_time, open, high, low, close, volume, close_time, quote_asset_volume, number_of_trades,
        taker_buy_base_asset_volume, taker_buy_quote_asset_volume, version
    FROM klines WHERE series_id = ?1 AND open_time >= ?2 AND open_time < ?3 ORDER BY open_time LIMIT ?4";

const SELECT_BEFORE: &str = "
    SELECT open_time, open, high, low, close, volume, close_time, quote_asset_volume, number_of_trades,
        taker_buy_base_asset_volume, taker_buy_quote_asset_volume, version
    FROM klines WHERE series_id = ?1 AND open_time < ?2 ORDER BY open_time DESC LIMIT ?3";

/// The columns named are fewer and stand before the others in a row, which need not be gone through.
const SELECT_CLOSES: &str = "
    SELECT open_time, close FROM klines WHERE series_id = ?1 AND open_time >= ?2 AND open_time < ?3 ORDER BY open_time";

pub(super) fn upsert(connection: &Connection, series: i64, rows: &[Versioned<Kline>]) -> Result<BatchReport, Failure> {
    let checks: Vec<Result<(), Reject>> = rows.iter().map(check).collect();
    let keys = rows.iter().zip(&checks).map(|(row, check)| check.is_ok().then_some((row.value.open_time, row.version)));
    let survivors = survivors(keys);
    let mut applied = vec![Applied::Unchanged; rows.len()];
    let mut statements = Statements::prepare(connection)?;
    for (index, row) in rows.iter().enumerate() {
        if survivors[index] == Some(index) {
            applied[index] = statements.upsert(series, row)?;
        }
    }
    let items = checks.into_iter().enumerate();
    let items = items.map(|(index, check)| check.map(|()| applied[survivors[index].unwrap_or(index)])).collect();
    Ok(BatchReport { items })
}

fn check(row: &Versioned<Kline>) -> Result<(), Reject> {
    if row.version >= MAX_VERSION {
        return Err(Reject::Version(row.version));
    }
    if i64::try_from(row.value.number_of_trades).is_err() {
        return Err(Reject::TooLarge { field: "number_of_trades", value: row.value.number_of_trades });
    }
    Ok(())
}

/// The statements of one batch.
struct Statements<'connection> {
    insert: CachedStatement<'connection>,
    update: CachedStatement<'connection>,
    confirm: CachedStatement<'connection>,
}

impl<'connection> Statements<'connection> {
    fn prepare(connection: &'connection Connection) -> Result<Self, Failure> {
        Ok(Self {
            insert: connection.prepare_cached(INSERT)?,
            update: connection.prepare_cached(UPDATE)?,
            confirm: connection.prepare_cached(CONFIRM)?,
        })
    }

    fn upsert(&mut self, series: i64, row: &Versioned<Kline>) -> Result<Applied, Failure> {
        let kline = &row.value;
        let version = signed(row.version);
        let values = params![
            series,
            kline.open_time,
            version,
            &*kline.open.text(),
            &*kline.high.text(),
            &*kline.low.text(),
            &*kline.close.text(),
            &*kline.volume.text(),
            kline.close_time,
            &*kline.quote_asset_volume.text(),
            signed(kline.number_of_trades),
            &*kline.taker_buy_base_asset_volume.text(),
            &*kline.taker_buy_quote_asset_volume.text(),
        ];
        if self.insert.execute(values)? == 1 {
            return Ok(Applied::Inserted);
        }
        if self.update.execute(values)? == 1 {
            return Ok(Applied::Updated);
        }
        self.confirm.execute(params![series, kline.open_time, version])?;
        Ok(Applied::Unchanged)
    }
}

pub(super) fn read(
    connection: &Connection,
    series: i64,
    range: TimeRange,
    after: Option<Millis>,
    max: usize,
) -> Result<Vec<Versioned<Kline>>, Failure> {
    let from = after.map_or(range.from(), |after| after.saturating_add(1).max(range.from()));
    let limit = i64::try_from(max).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(SELECT)?;
    let mut rows = statement.query(params![series, from, range.to(), limit])?;
    let mut klines = Vec::new();
    while let Some(row) = rows.next()? {
        klines.push(Versioned { version: unsigned(row.get(11)?)?, value: kline(row)? });
    }
    Ok(klines)
}

pub(super) fn read_before(
    connection: &Connection,
    series: i64,
    before: Option<Millis>,
    max: usize,
) -> Result<Vec<Kline>, Failure> {
    let limit = i64::try_from(max).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(SELECT_BEFORE)?;
    // No bar opens at the end of the numbers.
    let mut rows = statement.query(params![series, before.unwrap_or(Millis::MAX), limit])?;
    let mut klines = Vec::new();
    while let Some(row) = rows.next()? {
        klines.push(kline(row)?);
    }
    klines.reverse();
    Ok(klines)
}

fn kline(row: &Row<'_>) -> Result<Kline, Failure> {
    Ok(Kline {
        open_time: row.get(0)?,
        open: decimal(row, 1)?,
        high: decimal(row, 2)?,
        low: decimal(row, 3)?,
        close: decimal(row, 4)?,
        volume: decimal(row, 5)?,
        close_time: row.get(6)?,
        quote_asset_volume: decimal(row, 7)?,
        number_of_trades: unsigned(row.get(8)?)?,
        taker_buy_base_asset_volume: decimal(row, 9)?,
        taker_buy_quote_asset_volume: decimal(row, 10)?,
    })
}

pub(super) fn read_columns(connection: &Connection, series: i64, range: TimeRange) -> Result<KlineColumns, Failure> {
    let mut statement = connection.prepare_cached(SELECT)?;
    let mut rows = statement.query(params![series, range.from(), range.to(), i64::MAX])?;
    let mut columns = KlineColumns::default();
    while let Some(row) = rows.next()? {
        columns.open_time.push(row.get(0)?);
        columns.open.push(double(row, 1)?);
        columns.high.push(double(row, 2)?);
        columns.low.push(double(row, 3)?);
        columns.close.push(double(row, 4)?);
        columns.volume.push(double(row, 5)?);
        columns.close_time.push(row.get(6)?);
        columns.quote_asset_volume.push(double(row, 7)?);
        columns.number_of_trades.push(unsigned(row.get(8)?)?);
        columns.taker_buy_base_asset_volume.push(double(row, 9)?);
        columns.taker_buy_quote_asset_volume.push(double(row, 10)?);
    }
    Ok(columns)
}

pub(super) fn read_closes(connection: &Connection, series: i64, range: TimeRange) -> Result<KlineCloses, Failure> {
    let mut statement = connection.prepare_cached(SELECT_CLOSES)?;
    let mut rows = statement.query(params![series, range.from(), range.to()])?;
    let mut closes = KlineCloses::default();
    while let Some(row) = rows.next()? {
        closes.open_time.push(row.get(0)?);
        closes.close.push(double(row, 1)?);
    }
    Ok(closes)
}

/// Reads a stored decimal without copying its text.
pub(super) fn decimal(row: &Row<'_>, column: usize) -> Result<Decimal, Failure> {
    parse(text(row, column)?)
}

fn double(row: &Row<'_>, column: usize) -> Result<f64, Failure> {
    parse(text(row, column)?)
}

fn text<'a>(row: &'a Row<'_>, column: usize) -> Result<&'a str, Failure> {
    match row.get_ref(column)? {
        ValueRef::Text(bytes) => {
            std::str::from_utf8(bytes).map_err(|_| Failure::Damaged("a stored decimal is no text".to_owned()))
        }
        _ => Err(Failure::Damaged("a stored decimal is no text".to_owned())),
    }
}
