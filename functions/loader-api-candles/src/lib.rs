//! Loads klines of one symbol and one slice of time over REST, window by window.
//!
//! `control.start` brings the symbol and as `parameters` `interval`, `from` and `to` (open times, half-open). Each
//! window of 1000 bars that has any becomes one `klines.loaded`, numbered by its place in the slice, so that a batch
//! has the same number on every attempt. `finished` names the batches and up to when the slice is complete. A batch that
//! ends with the newest closed bar there is has the attribute `fresh`, by which Triggers tell news from history.
//!
//! What the exchange refuses for good ends in a final `error` with the exchange's own words. What may pass ends, once
//! the client's own tries are used up, in an `error` that is not final: queue-manager repeats the task after a pause,
//! and after the last attempt fails the workflow with the same words, which an unanswered delivery could not carry.

mod gaps;
mod outgoing;
mod slice;
mod windows;

use prometheus_client::{metrics::counter::Counter, registry::Registry};
use streamforge_events::{ControlCommand, Event, EventType, Millis, ReportStatus, data};
use streamforge_exchange::{Client, ClientConfig};
use streamforge_function::{BuildError, Config, ConfigError, Context, Error, Function};

use gaps::Gaps;
use outgoing::Outgoing;
pub use slice::Slice;
pub use windows::{WINDOW_BARS, windows};

/// A report that the loader is alive follows every so many windows.
const WINDOWS_PER_REPORT: u32 = 5;

/// Loads klines; all commands of a process share one client and so one weight budget.
pub struct CandleLoader {
    client: Client,
    missing_bars: Counter,
}

/// How far a slice was loaded.
#[derive(Debug, Default)]
struct Loaded {
    batches: Vec<u32>,
    rows: u64,
    complete_until: Millis,
}

impl CandleLoader {
    /// The loader over a client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, missing_bars: Counter::default() }
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

    /// Loads the windows of a slice in order, each published before the next is asked for; the answer is the last report.
    async fn load(&self, slice: &Slice, outgoing: &Outgoing<'_>) -> Result<Event, Error> {
        let mut loaded = Loaded { complete_until: slice.range.from(), ..Loaded::default() };
        let mut gaps = Gaps::new(slice.interval);
        for (index, window) in windows(slice.range, slice.interval) {
            if outgoing.is_stopped() {
                return outgoing.report(ReportStatus::Interrupted, &loaded);
            }
            let page = match self.client.klines_window(&slice.symbol, slice.interval, window).await {
                Ok(page) => page,
                Err(error) => return outgoing.failure(&error, error.is_permanent()),
            };
            loaded.complete_until = page.complete_until;
            if !page.rows.is_empty() {
                loaded.batches.push(index);
                loaded.rows += page.rows.len() as u64;
                let missing = gaps.add(page.rows.iter().map(|row| row.open_time));
                if missing > 0 {
                    self.missing_bars.inc_by(missing);
                    let (symbol, interval) = (&slice.symbol, slice.interval);
                    tracing::warn!(%symbol, %interval, %window, missing, "the exchange has left out bars");
                }
                outgoing.publish(outgoing.batch(slice, index, page)?).await?;
            }
            if loaded.complete_until < window.to() {
                // The bar of now was reached; the windows after it lie in the future.
                break;
            }
            if (index + 1) % WINDOWS_PER_REPORT == 0 {
                outgoing.publish(outgoing.report(ReportStatus::Loading, &loaded)?).await?;
            }
        }
        outgoing.report(ReportStatus::Finished, &loaded)
    }
}

impl Function for CandleLoader {
    const NAME: &'static str = "loader-api-candles";

    fn accepts(&self) -> &'static [EventType] {
        &[EventType::ControlStart]
    }

    async fn handle(&self, event: Event, context: &Context) -> Result<Vec<Event>, Error> {
        let command: ControlCommand = data(&event)?;
        let outgoing = Outgoing { cause: &event, command: &command, context };
        let last = match Slice::parse(&command) {
            Err(reason) => outgoing.refusal(reason)?,
            Ok(slice) => {
                outgoing.publish(outgoing.report(ReportStatus::Started, &Loaded::default())?).await?;
                self.load(&slice, &outgoing).await?
            }
        };
        Ok(vec![last])
    }

    fn register_metrics(&self, registry: &mut Registry) {
        let help = "Bars that the exchange left out between two that it had, each time they were asked for";
        registry.register("loader_api_candles_missing_bars", help, self.missing_bars.clone());
    }
}
