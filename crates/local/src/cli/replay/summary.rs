//! What a replay came to: the records of each series beside those of the recording, and the gaps that were told.

use std::{iter::Sum, time::Duration};

use serde::Serialize;
use serde_json::Value;
use streamforge_events::{Millis, QueueId, SeriesId, SeriesKind, StreamKind, Symbol, rfc3339};
use streamforge_exchange::simulator::Contents;
use streamforge_store::Store;

use crate::cli::{
    exit::{Failure, Outcome},
    output::{self, Output},
};

/// What the loaders told of gaps.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Told {
    queue_id: String,
    /// Gaps that were told of.
    gaps: u64,
    /// Gaps that were filled.
    filled: u64,
    /// Gaps of which something stays missing.
    left: u64,
}

/// The last line of `replay --json`.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    #[serde(flatten)]
    told: Told,
    /// How often the recording itself was interrupted.
    interruptions: u64,
    seconds: f64,
    series: Vec<Series>,
}

/// A series of the recording, and what is stored of it; times are UTC milliseconds.
#[derive(Debug, Serialize)]
struct Series {
    symbol: String,
    /// The interval, `trades`, or `order book`, whose updates are published and not stored.
    #[serde(rename = "series")]
    kind: String,
    recorded: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    stored: Option<Stored>,
}

#[derive(Debug, Serialize)]
struct Stored {
    rows: u64,
    first: Option<Millis>,
    last: Option<Millis>,
    gaps: usize,
    missing: u64,
}

impl Told {
    pub(super) fn read(extra: &Value) -> Self {
        let count = |name: &str| extra[name].as_u64().unwrap_or_default();
        Self { queue_id: String::new(), gaps: count("gaps"), filled: count("filled"), left: count("left") }
    }

    /// What was told in one workflow.
    pub(super) fn of(self, queue_id: &QueueId) -> Self {
        Self { queue_id: queue_id.to_string(), ..self }
    }
}

impl Sum for Told {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            queue_id: sum.queue_id,
            gaps: sum.gaps + one.gaps,
            filled: sum.filled + one.filled,
            left: sum.left + one.left,
        })
    }
}

impl Summary {
    /// Reads what is stored.
    pub(super) async fn read(
        store: &dyn Store,
        contents: &Contents,
        told: Told,
        elapsed: Duration,
    ) -> Result<Self, Failure> {
        let mut series = Vec::new();
        for (name, kinds) in &contents.records {
            let symbol: Symbol = name.parse().map_err(|error| Failure::failed(&error))?;
            for (kind, recorded) in kinds {
                let (words, kind) = match kind {
                    StreamKind::Trades => ("trades".to_owned(), Some(SeriesKind::Trades)),
                    StreamKind::Klines(interval) => (interval.to_string(), Some(SeriesKind::Klines(*interval))),
                    StreamKind::OrderBook => ("order book".to_owned(), None),
                };
                let stored = match kind {
                    Some(kind) => Some(stored(store, &SeriesId { symbol: symbol.clone(), kind }).await?),
                    None => None,
                };
                series.push(Series { symbol: name.clone(), kind: words, recorded: *recorded, stored });
            }
        }
        Ok(Self { told, interruptions: contents.interruptions, seconds: elapsed.as_secs_f64(), series })
    }

    pub(super) fn print(&self, output: Output) -> Outcome {
        if output.is_json() {
            output::value(self)?;
            return Ok(());
        }
        let rows: Vec<Vec<String>> = self.series.iter().map(Series::row).collect();
        let columns = ["symbol", "series", "recorded", "stored", "first", "last", "gaps", "missing"];
        output::table(&columns, &[2, 3, 6, 7], &rows)?;
        let (Told { gaps, filled, left, .. }, interruptions) = (&self.told, self.interruptions);
        output::line(&format!(
            "{gaps} gaps were told of, {filled} filled, {left} left; the recording was interrupted {interruptions} times"
        ))?;
        output::line(&format!("{:.1} s", self.seconds))?;
        Ok(())
    }

    /// Whether everything is stored that was recorded.
    pub(super) fn check(&self) -> Outcome {
        let lacks = |one: &&Series| one.stored.as_ref().is_some_and(|stored| stored.rows < one.recorded);
        match self.series.iter().find(lacks) {
            Some(Series { symbol, kind, recorded, stored }) => {
                let rows = stored.as_ref().map_or(0, |stored| stored.rows);
                Err(Failure::Failed(format!("of {recorded} records of {symbol} {kind}, only {rows} are stored")))
            }
            None => Ok(()),
        }
    }
}

impl Series {
    fn row(&self) -> Vec<String> {
        let time = |time: Option<Millis>| time.map_or_else(|| "-".to_owned(), rfc3339);
        let mut row = vec![self.symbol.clone(), self.kind.clone(), self.recorded.to_string()];
        match &self.stored {
            Some(Stored { rows, first, last, gaps, missing }) => {
                row.extend([rows.to_string(), time(*first), time(*last), gaps.to_string(), missing.to_string()]);
            }
            None => row.extend(["-"; 5].map(str::to_owned)),
        }
        row
    }
}

async fn stored(store: &dyn Store, series: &SeriesId) -> Result<Stored, Failure> {
    let coverage = store.coverage(series, None).await?;
    Ok(Stored {
        rows: coverage.rows,
        first: coverage.first,
        last: coverage.last,
        gaps: coverage.gaps.len(),
        missing: coverage.gaps.iter().map(|gap| gap.missing).sum(),
    })
}
