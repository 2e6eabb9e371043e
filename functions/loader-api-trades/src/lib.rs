//! Loads aggregate trades of one symbol and one slice of time over REST, block by block.
//!
//! `control.start` brings the symbol and as `parameters` `from` and `to` (times of trades, half-open). The first trade
//! of the slice is found by its time; from its id on, every block of 1000 ids is asked for by id, because many trades
//! share one time. A block with any trades of the slice becomes one `trades.loaded`, numbered by its place after the
//! first trade, so that a batch has the same number on every attempt.
//!
//! Failures of the exchange are told as loader-api-candles tells them: final ones end the task, the others let
//! queue-manager repeat it, both with the exchange's own words.

mod outgoing;
mod slice;

use streamforge_events::{ControlCommand, Event, EventType, Millis, ReportStatus, data};
use streamforge_exchange::{Client, ClientConfig};
use streamforge_function::{BuildError, Config, ConfigError, Context, Error, Function};
use tokio::sync::Semaphore;

use outgoing::{Failure, Outgoing};
pub use slice::Slice;

/// Ids of one block, and most rows of one batch.
///
/// # Source
/// <https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints> (Compressed/Aggregate
/// trades list, `limit`)
pub const BLOCK_IDS: u32 = 1000;

/// A report that the loader is alive follows every so many blocks.
const BLOCKS_PER_REPORT: u32 = 20;

/// Slices that are loaded at once; the others wait.
///
/// A busy day has thousands of blocks. All slices share one weight budget, so many at once would each take longer than
/// the deadline of an event, and none would ever end.
const SLICES_AT_ONCE: usize = 2;

/// Loads trades; all commands of a process share one client and so one weight budget.
pub struct TradeLoader {
    client: Client,
    turns: Semaphore,
}

/// How far a slice was loaded.
#[derive(Debug, Default)]
struct Loaded {
    batches: Vec<u32>,
    rows: u64,
    complete_until: Millis,
}

impl TradeLoader {
    /// The loader over a client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, turns: Semaphore::new(SLICES_AT_ONCE) }
    }

    /// The loader as the environment describes it; nothing is sent yet.
    ///
    /// # Errors
    /// [`BuildError::Config`] if the exchange's URL cannot be used.
    #[expect(clippy::unused_async, reason = "functions are built asynchronously, this one waits for nothing")]
    pub async fn from_config(config: &Config) -> Result<Self, BuildError> {
        let client = Client::new(ClientConfig::new(config.exchange_url()));
        Ok(Self::new(client.map_err(|error| ConfigError::invalid("BINANCE_API_URL", error.to_string()))?))
    }

    /// Loads a slice; the answer is the last report.
    async fn load(&self, slice: &Slice, outgoing: &Outgoing<'_>) -> Result<Event, Error> {
        let mut loaded = Loaded { complete_until: slice.range.from(), ..Loaded::default() };
        match self.load_blocks(slice, outgoing, &mut loaded).await {
            Ok(status) => outgoing.report(status, &loaded),
            Err(Failure::Exchange(error)) => outgoing.failure(&error, error.is_permanent()),
            Err(Failure::Function(error)) => Err(error),
        }
    }

    /// Loads the blocks of a slice in order, each published before the next is asked for.
    async fn load_blocks(
        &self,
        slice: &Slice,
        outgoing: &Outgoing<'_>,
        loaded: &mut Loaded,
    ) -> Result<ReportStatus, Failure> {
        let (symbol, range) = (&slice.symbol, slice.range);
        // Asked for first: what happens after it may be missing from the answers.
        let asked_at = self.client.time().await?;
        let Some(mut from_id) = self.client.first_agg_trade(symbol, range).await? else {
            loaded.complete_until = slice.complete_until(asked_at);
            return Ok(ReportStatus::Finished);
        };
        for index in 0.. {
            if outgoing.is_stopped() {
                return Ok(ReportStatus::Interrupted);
            }
            let mut page = self.client.agg_trades(symbol, from_id, BLOCK_IDS).await?;
            let is_behind = page.rows.last().is_some_and(|trade| trade.timestamp >= range.to());
            page.rows.retain(|trade| range.contains(trade.timestamp));
            if page.poisoned > 0 {
                tracing::warn!(%symbol, from_id, rows = page.poisoned, "trades without price or ids left out");
            }
            if let Some(last) = page.rows.last() {
                loaded.complete_until = last.timestamp;
                loaded.batches.push(index);
                loaded.rows += page.rows.len() as u64;
                let read_at = page.read_at;
                outgoing.publish(outgoing.batch(slice, index, read_at, page.rows)?).await?;
            }
            if is_behind {
                loaded.complete_until = range.to();
                break;
            }
            if !page.is_full {
                loaded.complete_until = slice.complete_until(page.read_at);
                break;
            }
            from_id = page.next_id;
            if (index + 1) % BLOCKS_PER_REPORT == 0 {
                outgoing.publish(outgoing.report(ReportStatus::Loading, loaded)?).await?;
            }
        }
        Ok(ReportStatus::Finished)
    }
}

impl Function for TradeLoader {
    const NAME: &'static str = "loader-api-trades";

    fn accepts(&self) -> &'static [EventType] {
        &[EventType::ControlStart]
    }

    async fn handle(&self, event: Event, context: &Context) -> Result<Vec<Event>, Error> {
        let command: ControlCommand = data(&event)?;
        let outgoing = Outgoing { cause: &event, command: &command, context };
        let last = match Slice::parse(&command) {
            Err(reason) => outgoing.refusal(reason)?,
            Ok(slice) => {
                let _turn = self.turns.acquire().await.map_err(|error| Error::Internal(error.to_string()))?;
                outgoing.publish(outgoing.report(ReportStatus::Started, &Loaded::default())?).await?;
                self.load(&slice, &outgoing).await?
            }
        };
        Ok(vec![last])
    }
}
