//! [`SeriesStore`] on `SQLite`: who holds what, and which work goes to the writer.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use streamforge_events::{Kline, KlineColumns, Millis, SeriesId, SeriesKind, TimeRange, Trade};

use super::{SqliteStore, coverage, failure::Failure, klines, loaded, trades};
use crate::{BatchReport, Coverage, Error, KlineCloses, SeriesStore, Versioned, identity};

#[async_trait]
impl SeriesStore for SqliteStore {
    async fn upsert_klines(&self, series: &SeriesId, rows: &[Versioned<Kline>]) -> Result<BatchReport, Error> {
        identity::expect_klines(series)?;
        if rows.is_empty() {
            return Ok(BatchReport::default());
        }
        let (series, rows) = (series.clone(), rows.to_vec());
        self.writer
            .run(rows.len(), move |connection| klines::upsert(connection, ensure(connection, &series)?, &rows))
            .await
    }

    async fn upsert_trades(&self, series: &SeriesId, rows: &[Versioned<Trade>]) -> Result<BatchReport, Error> {
        identity::expect_trades(series)?;
        if rows.is_empty() {
            return Ok(BatchReport::default());
        }
        let (series, rows) = (series.clone(), rows.to_vec());
        self.writer
            .run(rows.len(), move |connection| trades::upsert(connection, ensure(connection, &series)?, &rows))
            .await
    }

    async fn read_versioned_klines(
        &self,
        series: &SeriesId,
        range: TimeRange,
        after: Option<Millis>,
        max: usize,
    ) -> Result<Vec<Versioned<Kline>>, Error> {
        identity::expect_klines(series)?;
        self.on_series(series, move |connection, id| klines::read(connection, id, range, after, max)).await
    }

    async fn read_versioned_trades(
        &self,
        series: &SeriesId,
        range: TimeRange,
        after: Option<i64>,
        max: usize,
    ) -> Result<Vec<Versioned<Trade>>, Error> {
        identity::expect_trades(series)?;
        self.on_series(series, move |connection, id| trades::read(connection, id, range, after, max)).await
    }

    async fn read_klines_before(
        &self,
        series: &SeriesId,
        before: Option<Millis>,
        max: usize,
    ) -> Result<Vec<Kline>, Error> {
        identity::expect_klines(series)?;
        self.on_series(series, move |connection, id| klines::read_before(connection, id, before, max)).await
    }

    async fn read_trades_before(
        &self,
        series: &SeriesId,
        before: Option<i64>,
        max: usize,
    ) -> Result<Vec<Trade>, Error> {
        identity::expect_trades(series)?;
        self.on_series(series, move |connection, id| trades::read_before(connection, id, before, max)).await
    }

    async fn read_columns(&self, series: &SeriesId, range: TimeRange) -> Result<KlineColumns, Error> {
        identity::expect_klines(series)?;
        self.on_series(series, move |connection, id| klines::read_columns(connection, id, range)).await
    }

    async fn read_closes(&self, series: &SeriesId, range: TimeRange) -> Result<KlineCloses, Error> {
        identity::expect_klines(series)?;
        self.on_series(series, move |connection, id| klines::read_closes(connection, id, range)).await
    }

    async fn coverage(&self, series: &SeriesId, range: Option<TimeRange>) -> Result<Coverage, Error> {
        let kind = series.kind;
        self.on_series(series, move |connection, id| match kind {
            SeriesKind::Klines(interval) => coverage::of_klines(connection, id, interval, range),
            SeriesKind::Trades => coverage::of_trades(connection, id, range),
        })
        .await
    }

    async fn mark_loaded(&self, series: &SeriesId, range: TimeRange) -> Result<(), Error> {
        let series = series.clone();
        self.writer.run(1, move |connection| loaded::mark(connection, ensure(connection, &series)?, range)).await
    }

    async fn loaded(&self, series: &SeriesId) -> Result<Vec<TimeRange>, Error> {
        self.on_series(series, loaded::ranges).await
    }

    async fn series(&self) -> Result<Vec<SeriesId>, Error> {
        self.readers.run(all).await
    }
}

impl SqliteStore {
    /// Reads from a series; of one that was never written there is nothing.
    async fn on_series<T, W>(&self, series: &SeriesId, work: W) -> Result<T, Error>
    where
        T: Default + Send + 'static,
        W: FnOnce(&Connection, i64) -> Result<T, Failure> + Send + 'static,
    {
        let series = series.clone();
        self.readers
            .run(move |connection| match find(connection, &series)? {
                Some(id) => work(connection, id),
                None => Ok(T::default()),
            })
            .await
    }
}

pub(super) fn find(connection: &Connection, series: &SeriesId) -> Result<Option<i64>, Failure> {
    let (kind, interval) = identity::words(series.kind);
    let mut statement =
        connection.prepare_cached("SELECT id FROM series WHERE symbol = ?1 AND kind = ?2 AND interval = ?3")?;
    let id = statement.query_row(params![series.symbol.as_str(), kind, interval], |row| row.get(0)).optional()?;
    Ok(id)
}

fn ensure(connection: &Connection, series: &SeriesId) -> Result<i64, Failure> {
    if let Some(id) = find(connection, series)? {
        return Ok(id);
    }
    let (kind, interval) = identity::words(series.kind);
    connection.prepare_cached("INSERT INTO series (symbol, kind, interval) VALUES (?1, ?2, ?3)")?.execute(params![
        series.symbol.as_str(),
        kind,
        interval
    ])?;
    Ok(connection.last_insert_rowid())
}

pub(super) fn all(connection: &Connection) -> Result<Vec<SeriesId>, Failure> {
    let mut statement = connection.prepare_cached("SELECT symbol, kind, interval FROM series")?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (symbol, kind, interval): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        found.push(identity::of_words(&symbol, &kind, &interval).map_err(Failure::Damaged)?);
    }
    identity::sort(&mut found);
    Ok(found)
}
