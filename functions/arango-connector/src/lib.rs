//! Stores batches of market data and reports what was stored.
//!
//! Every row is an upsert whose version is the time at which the exchange was read, so a batch may come again, late or
//! in another order and changes nothing. Once the rows are on the disk, one `queue.reported` tells the batch's number
//! and rows to the workflow that asked for it; a batch that belongs to no workflow is stored without a report. Rows that
//! the exchange states otherwise than before are counted, logged and named in that report.
//!
//! What loader-ws tells of missing records is kept as it is told, so that it may come again and in any order.
//!
//! A batch that can never be stored, for its form or for one row, becomes a dead letter, and the workflow hears why and
//! ends. A store that does not answer is asked again by the broker.

mod report;
mod restated;
mod times;
mod version;

use std::sync::Arc;

use prometheus_client::registry::Registry;
use streamforge_events::{
    Event, EventType, FeedInterrupted, KlineBatch, SeriesId, SeriesKind, TradeBatch, data, event_type,
};
use streamforge_function::{BuildError, Config, ConfigError, Context, Error, Function};
use streamforge_store::{BatchReport, Store};

use report::{Stored, refusal, refused, report};
pub use version::versioned;

/// Longest name of a stream, in bytes.
const LONGEST_STREAM: usize = 64;

/// Most characters that are kept of why records are missing: an exchange's words may stand in it.
const LONGEST_REASON: usize = 1000;

/// Writes batches into a store.
pub struct Connector {
    store: Arc<dyn Store>,
    restated: restated::Metrics,
}

impl Connector {
    /// The connector over a store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, restated: restated::Metrics::default() }
    }

    /// The connector as the environment describes it.
    ///
    /// # Errors
    /// [`BuildError`] if the store's URL is missing or the store cannot be opened.
    pub async fn from_config(config: &Config) -> Result<Self, BuildError> {
        let store = streamforge_store::open(config.store_url()?).await.map_err(|error| match error {
            streamforge_store::Error::Url { reason, .. } => {
                BuildError::Config(ConfigError::invalid("STREAMFORGE_STORE_URL", reason))
            }
            error => BuildError::Unusable(chain(&error)),
        })?;
        Ok(Self::new(store))
    }

    /// Stores what an event brings; what is missing is nothing to report.
    async fn store(&self, event: &Event) -> Result<Option<Stored>, Error> {
        match event_type(event)? {
            EventType::KlinesLoaded => self.store_klines(data(event)?).await.map(Some),
            EventType::FeedInterrupted => self.keep_gap(data(event)?).await.map(|()| None),
            _ => self.store_trades(data(event)?).await.map(Some),
        }
    }

    async fn keep_gap(&self, mut gap: FeedInterrupted) -> Result<(), Error> {
        if gap.stream.is_empty() || gap.stream.len() > LONGEST_STREAM {
            return Err(Error::Invalid(format!("stream must have 1 to {LONGEST_STREAM} bytes")));
        }
        gap.why = gap.why.chars().take(LONGEST_REASON).collect();
        let outcome = self.store.keep_gaps(&[gap]).await.map_err(|error| answer(&error))?;
        refusal(&outcome).map_or(Ok(()), |reason| Err(Error::Unprocessable(reason)))
    }

    async fn store_klines(&self, batch: KlineBatch) -> Result<Stored, Error> {
        let kind = report::klines(batch.interval);
        let series = SeriesId { symbol: batch.symbol.clone(), kind: SeriesKind::Klines(batch.interval) };
        times::check_klines(&batch.rows).map_err(Error::Invalid)?;
        let rows = versioned(batch.read_at, batch.rows).map_err(Error::Invalid)?;
        let outcome = self.store.upsert_klines(&series, &rows).await.map_err(|error| answer(&error))?;
        let restated = restated::times(&outcome, rows.iter().map(|row| row.value.open_time));
        let stored = Stored { symbol: batch.symbol, kind, index: batch.batch, rows: rows.len() as u64, restated };
        self.settle(&outcome, stored)
    }

    async fn store_trades(&self, batch: TradeBatch) -> Result<Stored, Error> {
        let series = SeriesId { symbol: batch.symbol.clone(), kind: SeriesKind::Trades };
        times::check_trades(&batch.rows).map_err(Error::Invalid)?;
        let rows = versioned(batch.read_at, batch.rows).map_err(Error::Invalid)?;
        let outcome = self.store.upsert_trades(&series, &rows).await.map_err(|error| answer(&error))?;
        let restated = restated::times(&outcome, rows.iter().map(|row| row.value.timestamp));
        let kind = report::TRADES.to_owned();
        let stored = Stored { symbol: batch.symbol, kind, index: batch.batch, rows: rows.len() as u64, restated };
        self.settle(&outcome, stored)
    }

    /// Tells what was restated, of a batch of which some rows were refused as well.
    fn settle(&self, outcome: &BatchReport, stored: Stored) -> Result<Stored, Error> {
        self.restated.tell(&stored);
        refusal(outcome).map_or(Ok(stored), |reason| Err(Error::Unprocessable(reason)))
    }
}

impl Function for Connector {
    const NAME: &'static str = "arango-connector";

    fn accepts(&self) -> &'static [EventType] {
        &[EventType::KlinesLoaded, EventType::TradesLoaded, EventType::FeedInterrupted]
    }

    async fn handle(&self, event: Event, context: &Context) -> Result<Vec<Event>, Error> {
        match self.store(&event).await {
            Ok(None) => Ok(Vec::new()),
            Ok(Some(stored)) => Ok(report(&event, &stored, context)?.into_iter().collect()),
            Err(error) => {
                if !error.is_retryable()
                    && let Some(report) = refused(&event, &error.to_string(), context)?
                {
                    context.publish(report).await?;
                }
                Err(error)
            }
        }
    }

    fn register_metrics(&self, registry: &mut Registry) {
        self.restated.register(registry);
    }
}

/// Which of the store's failures comes again: all but those that are the batch's own fault.
fn answer(error: &streamforge_store::Error) -> Error {
    match error.class() {
        streamforge_store::Class::Rejected => Error::Unprocessable(chain(error)),
        streamforge_store::Class::Retryable | streamforge_store::Class::Fatal => Error::Unavailable(chain(error)),
    }
}

/// An error with all its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_is_down_brings_the_batch_again() {
        let kind = streamforge_store::Error::Kind { series: "binance-spot-A-trades".to_owned(), asked: "klines" };
        for (error, status) in [(streamforge_store::Error::Closed, 503), (kind, 422)] {
            assert_eq!(answer(&error).status().as_u16(), status, "{error}");
        }
    }
}
