//! Series of klines and trades: versioned batches in, half-open ranges out.

use async_trait::async_trait;
use serde::Serialize;
use streamforge_events::{Error as EventError, Kline, KlineColumns, Millis, SeriesId, TimeRange, Trade};

use crate::Error;

/// First version that is refused: a store may keep versions as doubles.
pub const MAX_VERSION: u64 = 1 << 53;

/// A value and its version; of two values under one key the higher version stays.
///
/// # Units
/// For klines `closed << 50 | event_ms`, so that a closed kline beats every open one. Below [`MAX_VERSION`].
#[derive(Clone, Debug, PartialEq)]
pub struct Versioned<T> {
    /// How new the value is.
    pub version: u64,
    /// The value.
    pub value: T,
}

/// What an upsert did to one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// There was nothing under the key.
    Inserted,
    /// A newer version with other content replaced what was there.
    Updated,
    /// The stored version is the same or newer, or the content is equal; nothing was written.
    Unchanged,
}

/// Why one row of a batch can never be stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// The version is not below [`MAX_VERSION`].
    #[error("version {0} is too large")]
    Version(u64),
    /// A count is larger than the store can hold.
    #[error("{field} {value} is too large")]
    TooLarge {
        /// Name of the field.
        field: &'static str,
        /// Its value.
        value: u64,
    },
    /// The prediction is none that a model can have made.
    #[error(transparent)]
    Prediction(EventError),
    /// The store has no key for such a time or number.
    #[error("{field} {value} is out of range")]
    Range {
        /// Name of the field.
        field: &'static str,
        /// Its value.
        value: i64,
    },
    /// The row is larger than what the database takes at once.
    #[error("row of {0} bytes is too large for the database")]
    Bytes(usize),
    /// The database takes this row as little as any like it.
    #[error("database refused the row with error {number}: {message}")]
    Refused {
        /// The database's number of the error.
        number: u32,
        /// Its words.
        message: String,
    },
}

/// What became of each row of a batch, in the order of the batch.
///
/// Rows of one batch under the same key all report what became of the one with the highest version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchReport {
    /// One item per row.
    pub items: Vec<Result<Applied, Reject>>,
}

/// How many rows of a batch had which outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchCounts {
    /// Rows of new keys.
    pub inserted: usize,
    /// Rows that replaced older ones.
    pub updated: usize,
    /// Rows that changed nothing.
    pub unchanged: usize,
    /// Rows that were refused.
    pub rejected: usize,
}

impl BatchReport {
    /// Counts the items by outcome.
    #[must_use]
    pub fn counts(&self) -> BatchCounts {
        let mut counts = BatchCounts::default();
        for item in &self.items {
            match item {
                Ok(Applied::Inserted) => counts.inserted += 1,
                Ok(Applied::Updated) => counts.updated += 1,
                Ok(Applied::Unchanged) => counts.unchanged += 1,
                Err(_) => counts.rejected += 1,
            }
        }
        counts
    }
}

/// Open times and closes of klines, ascending by open time.
///
/// # Shape
/// Both columns have the same length; index `i` of each belongs to one kline.
///
/// # Units
/// As in [`KlineColumns`].
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "the columns bear the names of the kline's fields")]
pub struct KlineCloses {
    pub open_time: Vec<Millis>,
    pub close: Vec<f64>,
}

/// A stretch between two stored neighbours where records are missing.
///
/// # Units
/// Milliseconds; for klines `from` is the open time of the first missing bar and `to` that of the next stored
/// one, for trades both are the times of the stored neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// Where it begins.
    pub from: Millis,
    /// Where it ends.
    pub to: Millis,
    /// How many records the interval's calendar, or the numbering of trades, leaves room for.
    pub missing: u64,
}

/// What is stored of a series; a missing bar is a fact, nothing is ever filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Number of stored records.
    pub rows: u64,
    /// Open time, or time, of the first one.
    pub first: Option<Millis>,
    /// Open time, or time, of the last one.
    pub last: Option<Millis>,
    /// Gaps between stored neighbours, ascending. What is missing before the first or after the last is not among them.
    pub gaps: Vec<Gap>,
    /// The lowest and the highest id, of trades alone.
    pub numbers: Option<(i64, i64)>,
}

/// Series of klines and trades.
#[async_trait]
pub trait SeriesStore: Send + Sync {
    /// Stores klines, each under its open time, and answers once they are on the disk.
    ///
    /// # Errors
    /// [`Error::Kind`] for a series of trades; otherwise only what befell the whole batch.
    async fn upsert_klines(&self, series: &SeriesId, rows: &[Versioned<Kline>]) -> Result<BatchReport, Error>;

    /// Stores trades, each under its id, and answers once they are on the disk.
    ///
    /// # Errors
    /// [`Error::Kind`] for a series of klines; otherwise only what befell the whole batch.
    async fn upsert_trades(&self, series: &SeriesId, rows: &[Versioned<Trade>]) -> Result<BatchReport, Error>;

    /// Reads at most `max` klines that open in `range`, after the open time `after`, ascending.
    ///
    /// Fewer than `max` means that there are no more.
    ///
    /// # Errors
    /// [`Error::Kind`] for a series of trades, or a failure of the store.
    async fn read_versioned_klines(
        &self,
        series: &SeriesId,
        range: TimeRange,
        after: Option<Millis>,
        max: usize,
    ) -> Result<Vec<Versioned<Kline>>, Error>;

    /// Reads at most `max` trades of `range` after the trade with the id `after`, ascending by time, then id.
    ///
    /// Fewer than `max` means that there are no more.
    ///
    /// # Errors
    /// [`Error::Kind`] for a series of klines, [`Error::Cursor`] if no trade `after` is stored, or a failure of the
    /// store.
    async fn read_versioned_trades(
        &self,
        series: &SeriesId,
        range: TimeRange,
        after: Option<i64>,
        max: usize,
    ) -> Result<Vec<Versioned<Trade>>, Error>;

    /// Reads the last `max` klines that open before `before`, without it the newest of the series, ascending.
    ///
    /// Fewer than `max` means that there are none before them.
    ///
    /// # Errors
    /// As [`Self::read_versioned_klines`].
    async fn read_klines_before(
        &self,
        series: &SeriesId,
        before: Option<Millis>,
        max: usize,
    ) -> Result<Vec<Kline>, Error>;

    /// Reads the last `max` trades with ids below `before`, without it those with the highest ids, ascending by id.
    ///
    /// Fewer than `max` means that there are none before them.
    ///
    /// # Errors
    /// [`Error::Kind`] for a series of klines, or a failure of the store.
    async fn read_trades_before(&self, series: &SeriesId, before: Option<i64>, max: usize)
    -> Result<Vec<Trade>, Error>;

    /// Reads klines as [`Self::read_versioned_klines`] does, without their versions.
    ///
    /// # Errors
    /// As [`Self::read_versioned_klines`].
    async fn read_klines(
        &self,
        series: &SeriesId,
        range: TimeRange,
        after: Option<Millis>,
        max: usize,
    ) -> Result<Vec<Kline>, Error> {
        Ok(values(self.read_versioned_klines(series, range, after, max).await?))
    }

    /// Reads trades as [`Self::read_versioned_trades`] does, without their versions.
    ///
    /// # Errors
    /// As [`Self::read_versioned_trades`].
    async fn read_trades(
        &self,
        series: &SeriesId,
        range: TimeRange,
        after: Option<i64>,
        max: usize,
    ) -> Result<Vec<Trade>, Error> {
        Ok(values(self.read_versioned_trades(series, range, after, max).await?))
    }

    /// Reads all klines that open in `range` as columns.
    ///
    /// # Errors
    /// [`Error::Kind`] for a series of trades, or a failure of the store.
    async fn read_columns(&self, series: &SeriesId, range: TimeRange) -> Result<KlineColumns, Error>;

    /// Reads no more of the klines that open in `range` than what returns are computed from.
    ///
    /// # Errors
    /// As [`Self::read_columns`].
    async fn read_closes(&self, series: &SeriesId, range: TimeRange) -> Result<KlineCloses, Error>;

    /// Tells what is stored of the series, or of a range of it.
    ///
    /// # Errors
    /// A failure of the store.
    async fn coverage(&self, series: &SeriesId, range: Option<TimeRange>) -> Result<Coverage, Error>;

    /// Notes that all the exchange had in `range` was asked for and is stored.
    ///
    /// # Errors
    /// A failure of the store.
    async fn mark_loaded(&self, series: &SeriesId, range: TimeRange) -> Result<(), Error>;

    /// The ranges noted by [`Self::mark_loaded`], merged, disjoint and ascending.
    ///
    /// # Errors
    /// A failure of the store.
    async fn loaded(&self, series: &SeriesId) -> Result<Vec<TimeRange>, Error>;

    /// Every series that was ever written to or marked as loaded, by symbol, then kind.
    ///
    /// # Errors
    /// A failure of the store.
    async fn series(&self) -> Result<Vec<SeriesId>, Error>;
}

/// The values of rows without their versions.
pub(crate) fn values<T>(rows: Vec<Versioned<T>>) -> Vec<T> {
    rows.into_iter().map(|row| row.value).collect()
}
