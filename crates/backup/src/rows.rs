//! What a chunk holds, line by line: first what it is, then a JSON value for each row.
//!
//! Decimals are texts, so that every digit and the scale survive; doubles are written to the last bit.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use streamforge_events::{Decimal, FeedInterrupted, Kline, Millis, Prediction, QueueId, SeriesId, SeriesKind, Trade};
use streamforge_store::{GraphDocument, Versioned, WorkflowDocument};

use crate::{FORMAT, chunk};

/// What the rows of a chunk are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contents {
    /// Klines or trades of a series.
    Series(SeriesId),
    /// Predictions.
    Predictions,
    /// What was told of gaps.
    Gaps,
    /// Graphs.
    Graphs,
    /// Workflow documents.
    Workflows,
}

/// The rows of a chunk.
#[derive(Clone, Debug, PartialEq)]
pub enum Rows {
    /// Klines of a series.
    Klines(SeriesId, Vec<Versioned<Kline>>),
    /// Trades of a series.
    Trades(SeriesId, Vec<Versioned<Trade>>),
    /// Predictions.
    Predictions(Vec<Versioned<Prediction>>),
    /// What was told of gaps.
    Gaps(Vec<FeedInterrupted>),
    /// Graphs.
    Graphs(Vec<GraphDocument>),
    /// Workflow documents.
    Workflows(Vec<WorkflowDocument>),
}

/// The first line of a chunk.
#[derive(Serialize, Deserialize)]
struct Header {
    format: u64,
    holds: Contents,
}

/// A row as a line.
pub(crate) trait Row: Sized {
    fn write(&self, line: &mut Vec<u8>) -> serde_json::Result<()>;
    fn read(line: &[u8]) -> serde_json::Result<Self>;
    /// What its period goes by.
    fn time(&self) -> Millis;
    /// None has no version of its own.
    fn version(&self) -> u64;
}

impl Rows {
    /// Unpacks the rows of a chunk, whose lines are `unpacked` bytes together.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn unpack(bytes: &[u8], unpacked: u64) -> Result<Self, String> {
        Self::read(&chunk::unpack(bytes, unpacked)?)
    }

    /// Reads the lines of a chunk.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn read(text: &[u8]) -> Result<Self, String> {
        let text = text.strip_suffix(b"\n").ok_or("does not end with a line")?;
        let mut lines = text.split(|byte| *byte == b'\n');
        let header: Header = serde_json::from_slice(lines.next().unwrap_or_default())
            .map_err(|error| format!("does not say what it holds: {error}"))?;
        if header.format != FORMAT {
            return Err(format!("has format {}, not {FORMAT}", header.format));
        }
        Ok(match header.holds {
            Contents::Series(series) => match series.kind {
                SeriesKind::Klines(_) => Self::Klines(series, all(lines)?),
                SeriesKind::Trades => Self::Trades(series, all(lines)?),
            },
            Contents::Predictions => Self::Predictions(all(lines)?),
            Contents::Gaps => Self::Gaps(all(lines)?),
            Contents::Graphs => Self::Graphs(all(lines)?),
            Contents::Workflows => Self::Workflows(all(lines)?),
        })
    }

    /// What the rows are.
    #[must_use]
    pub fn contents(&self) -> Contents {
        match self {
            Self::Klines(series, _) | Self::Trades(series, _) => Contents::Series(series.clone()),
            Self::Predictions(_) => Contents::Predictions,
            Self::Gaps(_) => Contents::Gaps,
            Self::Graphs(_) => Contents::Graphs,
            Self::Workflows(_) => Contents::Workflows,
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        let count = match self {
            Self::Klines(_, rows) => rows.len(),
            Self::Trades(_, rows) => rows.len(),
            Self::Predictions(rows) => rows.len(),
            Self::Gaps(rows) => rows.len(),
            Self::Graphs(rows) => rows.len(),
            Self::Workflows(rows) => rows.len(),
        };
        count as u64
    }
}

impl Contents {
    /// The first line of a chunk.
    pub(crate) fn header(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&Header { format: FORMAT, holds: self.clone() })
    }
}

impl fmt::Display for Contents {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Series(series) => series.fmt(formatter),
            Self::Predictions => formatter.write_str("predictions"),
            Self::Gaps => formatter.write_str("gaps"),
            Self::Graphs => formatter.write_str("graphs"),
            Self::Workflows => formatter.write_str("workflows"),
        }
    }
}

fn all<'a, R: Row>(lines: impl Iterator<Item = &'a [u8]>) -> Result<Vec<R>, String> {
    let row = |(number, line)| R::read(line).map_err(|error| format!("cannot be read in row {number}: {error}"));
    (1_u64..).zip(lines).map(row).collect()
}

/// Version, then the fields in the exchange's order.
type KlineLine = (u64, Millis, Decimal, Decimal, Decimal, Decimal, Decimal, Millis, Decimal, u64, Decimal, Decimal);

impl Row for Versioned<Kline> {
    fn write(&self, line: &mut Vec<u8>) -> serde_json::Result<()> {
        let Self { version, value: kline } = self;
        let fields: KlineLine = (
            *version,
            kline.open_time,
            kline.open,
            kline.high,
            kline.low,
            kline.close,
            kline.volume,
            kline.close_time,
            kline.quote_asset_volume,
            kline.number_of_trades,
            kline.taker_buy_base_asset_volume,
            kline.taker_buy_quote_asset_volume,
        );
        serde_json::to_writer(line, &fields)
    }

    fn read(line: &[u8]) -> serde_json::Result<Self> {
        let fields: KlineLine = serde_json::from_slice(line)?;
        let value = Kline {
            open_time: fields.1,
            open: fields.2,
            high: fields.3,
            low: fields.4,
            close: fields.5,
            volume: fields.6,
            close_time: fields.7,
            quote_asset_volume: fields.8,
            number_of_trades: fields.9,
            taker_buy_base_asset_volume: fields.10,
            taker_buy_quote_asset_volume: fields.11,
        };
        Ok(Self { version: fields.0, value })
    }

    fn time(&self) -> Millis {
        self.value.open_time
    }

    fn version(&self) -> u64 {
        self.version
    }
}

/// Version, id, price, quantity, time, and whether the buyer was the maker.
type TradeLine = (u64, i64, Decimal, Decimal, Millis, bool);

impl Row for Versioned<Trade> {
    fn write(&self, line: &mut Vec<u8>) -> serde_json::Result<()> {
        let Trade { trade_id, price, quantity, timestamp, is_buyer_maker } = self.value;
        let fields: TradeLine = (self.version, trade_id, price, quantity, timestamp, is_buyer_maker);
        serde_json::to_writer(line, &fields)
    }

    fn read(line: &[u8]) -> serde_json::Result<Self> {
        let (version, trade_id, price, quantity, timestamp, is_buyer_maker): TradeLine = serde_json::from_slice(line)?;
        Ok(Self { version, value: Trade { trade_id, price, quantity, timestamp, is_buyer_maker } })
    }

    fn time(&self) -> Millis {
        self.value.timestamp
    }

    fn version(&self) -> u64 {
        self.version
    }
}

impl Row for Versioned<Prediction> {
    fn write(&self, line: &mut Vec<u8>) -> serde_json::Result<()> {
        serde_json::to_writer(line, &(self.version, &self.value))
    }

    fn read(line: &[u8]) -> serde_json::Result<Self> {
        let (version, value) = serde_json::from_slice(line)?;
        Ok(Self { version, value })
    }

    fn time(&self) -> Millis {
        self.value.open_time
    }

    fn version(&self) -> u64 {
        self.version
    }
}

impl Row for FeedInterrupted {
    fn write(&self, line: &mut Vec<u8>) -> serde_json::Result<()> {
        serde_json::to_writer(line, self)
    }

    fn read(line: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(line)
    }

    fn time(&self) -> Millis {
        self.since
    }

    fn version(&self) -> u64 {
        0
    }
}

impl Row for GraphDocument {
    fn write(&self, line: &mut Vec<u8>) -> serde_json::Result<()> {
        serde_json::to_writer(line, self)
    }

    fn read(line: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(line)
    }

    fn time(&self) -> Millis {
        self.range.from()
    }

    fn version(&self) -> u64 {
        self.version
    }
}

/// Id, status, creation, deadline and the document.
type WorkflowLine<D> = (QueueId, String, Millis, Option<Millis>, D);

impl Row for WorkflowDocument {
    fn write(&self, line: &mut Vec<u8>) -> serde_json::Result<()> {
        let Self { id, status, created_at, next_deadline, json } = self;
        let fields: WorkflowLine<&Value> = (id.clone(), status.clone(), *created_at, *next_deadline, json);
        serde_json::to_writer(line, &fields)
    }

    fn read(line: &[u8]) -> serde_json::Result<Self> {
        let (id, status, created_at, next_deadline, json): WorkflowLine<Value> = serde_json::from_slice(line)?;
        Ok(Self { id, status, created_at, next_deadline, json })
    }

    fn time(&self) -> Millis {
        self.created_at
    }

    fn version(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests;
