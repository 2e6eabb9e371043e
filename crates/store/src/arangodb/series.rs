//! [`SeriesStore`] on `ArangoDB`: which collection and which query each call goes to.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::PoisonError;
use streamforge_events::{Kline, KlineColumns, Millis, SeriesId, SeriesKind, TimeRange, Trade};

use super::{
    ArangoStore, aql,
    cas::Decision,
    failure::Failure,
    names::{self, series_key},
};
use crate::{BatchReport, Coverage, Error, KlineCloses, SeriesStore, Versioned, identity};

/// What is noted of a series.
#[derive(Serialize, Deserialize)]
pub(super) struct Note {
    symbol: String,
    kind: String,
    interval: String,
    /// Ranges that were loaded whole: disjoint, ascending.
    pub(super) loaded: Vec<(Millis, Millis)>,
}

impl Note {
    pub(super) fn new(series: &SeriesId) -> Self {
        let (kind, interval) = identity::words(series.kind);
        Self { symbol: series.symbol.to_string(), kind: kind.to_owned(), interval: interval.to_owned(), loaded: vec![] }
    }
}

#[async_trait]
impl SeriesStore for ArangoStore {
    async fn upsert_klines(&self, series: &SeriesId, rows: &[Versioned<Kline>]) -> Result<BatchReport, Error> {
        identity::expect_klines(series)?;
        self.named(self.store_klines(series, rows).await)
    }

    async fn upsert_trades(&self, series: &SeriesId, rows: &[Versioned<Trade>]) -> Result<BatchReport, Error> {
        identity::expect_trades(series)?;
        self.named(self.store_trades(series, rows).await)
    }

    async fn read_versioned_klines(
        &self,
        series: &SeriesId,
        range: TimeRange,
        after: Option<Millis>,
        max: usize,
    ) -> Result<Vec<Versioned<Kline>>, Error> {
        identity::expect_klines(series)?;
        self.named(self.klines(series, range, after, max).await)
    }

    async fn read_versioned_trades(
        &self,
        series: &SeriesId,
        range: TimeRange,
        after: Option<i64>,
        max: usize,
    ) -> Result<Vec<Versioned<Trade>>, Error> {
        identity::expect_trades(series)?;
        self.named(self.trades(series, range, after, max).await)
    }

    async fn read_klines_before(
        &self,
        series: &SeriesId,
        before: Option<Millis>,
        max: usize,
    ) -> Result<Vec<Kline>, Error> {
        identity::expect_klines(series)?;
        self.named(self.klines_before(series, before, max).await)
    }

    async fn read_trades_before(
        &self,
        series: &SeriesId,
        before: Option<i64>,
        max: usize,
    ) -> Result<Vec<Trade>, Error> {
        identity::expect_trades(series)?;
        self.named(self.trades_before(series, before, max).await)
    }

    async fn read_columns(&self, series: &SeriesId, range: TimeRange) -> Result<KlineColumns, Error> {
        identity::expect_klines(series)?;
        self.named(self.columns(series, range).await)
    }

    async fn read_closes(&self, series: &SeriesId, range: TimeRange) -> Result<KlineCloses, Error> {
        identity::expect_klines(series)?;
        self.named(self.closes(series, range).await)
    }

    async fn coverage(&self, series: &SeriesId, range: Option<TimeRange>) -> Result<Coverage, Error> {
        self.named(match series.kind {
            SeriesKind::Klines(interval) => self.coverage_of_klines(series, interval, range).await,
            SeriesKind::Trades => self.coverage_of_trades(series, range).await,
        })
    }

    async fn mark_loaded(&self, series: &SeriesId, range: TimeRange) -> Result<(), Error> {
        self.named(self.mark(series, range).await)
    }

    async fn loaded(&self, series: &SeriesId) -> Result<Vec<TimeRange>, Error> {
        self.named(self.loaded_ranges(series).await)
    }

    async fn series(&self) -> Result<Vec<SeriesId>, Error> {
        self.named(self.all_series().await)
    }
}

impl ArangoStore {
    /// Notes that there is such a series; afterwards it is known to this process.
    pub(super) async fn note(&self, series: &SeriesId) -> Result<(), Failure> {
        if self.noted.lock().unwrap_or_else(PoisonError::into_inner).contains(series) {
            return Ok(());
        }
        let make = |found: Option<Note>| {
            Ok(found.map_or_else(|| Decision::Write(Note::new(series), ()), |_| Decision::Keep(())))
        };
        self.decide(names::SERIES, &series_key(series), make).await?;
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).insert(series.clone());
        Ok(())
    }

    async fn all_series(&self) -> Result<Vec<SeriesId>, Failure> {
        let rows: Vec<(String, String, String)> =
            self.query(aql::SERIES, json!({}), self.session.options.page_rows).await?;
        let read = |(symbol, kind, interval): (String, String, String)| identity::of_words(&symbol, &kind, &interval);
        let mut found: Vec<SeriesId> = rows.into_iter().map(read).collect::<Result<_, _>>().map_err(Failure::Unfit)?;
        identity::sort(&mut found);
        Ok(found)
    }
}
