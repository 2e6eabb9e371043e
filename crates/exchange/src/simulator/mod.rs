//! An exchange for one machine: serves Binance's REST market data from a market that it computes or replays.
//!
//! A request is charged by the `limiter`, may meet one of the `faults`, is checked in the exchange's own order in
//! `parameters`, and answered by `endpoints` from a `market`: `synthetic:SEED` computes any range of a whole
//! market, `replay:DIR` serves recorded files as they are.

mod absurd;
mod captured;
mod counters;
mod endpoints;
mod exchange_info;
mod fault_engine;
mod faults;
mod huge;
mod limiter;
mod live;
mod market;
mod parameters;
mod refusal;
mod replay;
mod server;
mod synthetic;
mod wire;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use streamforge_events::Millis;
use tokio::{net::TcpListener, time::Instant};

use crate::Error;
use market::Market;

pub use captured::Contents;
pub use counters::Counters;
pub use faults::{Faults, SWITCHES, Vanishing};

/// What the simulator serves, and how badly it behaves.
#[derive(Debug)]
pub struct SimulatorConfig {
    /// The market.
    pub source: Source,
    /// The exchange's clock.
    pub clock: Clock,
    /// Request weight allowed for each minute unless the faults name another; none switches the limit and the bans
    /// off, not the counting.
    pub weight_limit: Option<u32>,
    /// Failures to imitate.
    pub faults: Faults,
    /// What has been asked so far; keep a clone to read it.
    pub counters: Arc<Counters>,
    /// How a recording of streams is played.
    pub playing: Playing,
}

/// How a recording of streams is played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Playing {
    /// Like a market: who comes late has missed what was before, and who does not read is let go.
    #[default]
    AsItWas,
    /// Every connection hears all of it, snapshots and remarks among the frames, and is waited for.
    Whole,
}

impl SimulatorConfig {
    /// Serves `source` by the real clock, with the real weight limit and without faults.
    #[must_use]
    pub fn new(source: Source) -> Self {
        Self {
            source,
            clock: Clock::Real,
            weight_limit: Some(6_000),
            faults: Faults::default(),
            counters: Arc::default(),
            playing: Playing::AsItWas,
        }
    }
}

/// The exchange's clock: no bar and no trade after it exists.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Clock {
    /// This machine's clock, but never before the end of a recording.
    Real,
    /// Starts at this time with the server and runs so many times as fast as usual.
    StartingAt(Millis, f64),
    /// Stands still.
    Frozen(Millis),
}

/// Where the market comes from.
#[derive(Debug)]
pub struct Source(Market);

impl Source {
    /// Reads `synthetic:SEED` (a whole number) or `replay:DIR`; a recording is read and checked at once.
    ///
    /// # Errors
    /// [`Error::Source`] naming the file and line that is not as it should be, or what was expected.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let fail = |reason: &str| Error::Source { place: text.to_owned(), reason: reason.to_owned() };
        match text.split_once(':') {
            Some(("synthetic", settings)) => {
                let (seed, settings) = settings.split_once(',').unwrap_or((settings, ""));
                let seed = seed.parse().map_err(|_| fail("write synthetic:SEED with a whole number as seed"))?;
                let (mut symbols, mut pace) = (None, 1);
                for setting in settings.split(',').filter(|setting| !setting.is_empty()) {
                    let number = |text: &str, most: u32| {
                        let number = text.parse::<u32>().ok().filter(|number| (1..=most).contains(number));
                        number.ok_or_else(|| fail(&format!("`{setting}` has to be a whole number from 1 to {most}")))
                    };
                    match setting.split_once('=') {
                        Some(("symbols", text)) => symbols = Some(number(text, 2_000)?),
                        Some(("pace", text)) => pace = number(text, 10_000)?,
                        _ => return Err(fail("write synthetic:SEED,symbols=NUMBER,pace=NUMBER")),
                    }
                }
                Ok(match symbols {
                    None if pace == 1 => Self::synthetic(seed),
                    symbols => Self(Market::Synthetic(synthetic::Synthetic::with(
                        seed,
                        symbols.map(|symbols| usize::try_from(symbols).unwrap_or(usize::MAX)),
                        pace,
                    ))),
                })
            }
            Some(("replay", folder)) if !folder.is_empty() => Self::replay(Path::new(folder)),
            Some(("capture", folder)) if !folder.is_empty() => Self::capture(Path::new(folder)),
            _ => Err(fail("write synthetic:SEED, replay:DIR or capture:DIR")),
        }
    }

    /// A computed market: the same seed gives the same market for ever.
    #[must_use]
    pub fn synthetic(seed: u64) -> Self {
        Self(Market::Synthetic(synthetic::Synthetic::new(seed)))
    }

    /// A recorded market: the files `SYMBOL-INTERVAL.ndjson`, `SYMBOL-INTERVAL.csv` and `SYMBOL-aggTrades*.ndjson`
    /// of `folder`, each plain or with `.gz`.
    ///
    /// # Errors
    /// [`Error::Source`] naming the file and line that is not as it should be.
    pub fn replay(folder: &Path) -> Result<Self, Error> {
        Ok(Self(Market::Replay(replay::Replay::open(folder)?)))
    }

    /// Recorded frames of streams, which come again as they came: all files of `folder` that end in `.gz`.
    ///
    /// # Errors
    /// [`Error::Source`] naming the file and line that is not as it should be.
    pub fn capture(folder: &Path) -> Result<Self, Error> {
        Ok(Self(Market::Capture(captured::Captured::open(folder)?)))
    }

    /// When a recording of streams begins; none for other markets.
    #[must_use]
    pub fn begins(&self) -> Option<Millis> {
        if let Market::Capture(capture) = &self.0 { Some(capture.begins()) } else { None }
    }

    /// What the platform can load of a recording of streams; none for other markets.
    #[must_use]
    pub fn contents(&self) -> Option<&Contents> {
        if let Market::Capture(capture) = &self.0 { Some(capture.contents()) } else { None }
    }

    /// Names of all symbols, in the order in which the exchange lists them.
    #[must_use]
    pub fn symbols(&self) -> Vec<String> {
        self.0.listings().iter().map(|listing| listing.symbol.clone()).collect()
    }
}

/// Serves the market at `listener` until `shutdown` is ready.
///
/// # Errors
/// [`Error::Serve`] if the listener fails.
pub async fn serve(
    listener: TcpListener,
    config: SimulatorConfig,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    let router = server::router(config);
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await.map_err(Error::Serve)
}

/// A clock that was started.
#[derive(Debug)]
struct RunningClock {
    clock: Clock,
    started: Instant,
    not_before: Millis,
    not_after: Millis,
    skew: Millis,
}

impl RunningClock {
    fn start(clock: Clock, skew: Millis, market: &Market, playing: Playing) -> Self {
        // A recording that is played has no time but its own.
        let not_after = match (market, playing) {
            (Market::Capture(capture), Playing::Whole) => capture.ends(),
            _ => Millis::MAX,
        };
        Self { clock, started: Instant::now(), not_before: market.recorded_until(), not_after, skew }
    }

    fn now(&self) -> Millis {
        let millis = |duration: Duration| Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX);
        let time = match self.clock {
            Clock::Frozen(time) => time,
            Clock::StartingAt(time, speed) => {
                let passed = Duration::try_from_secs_f64(self.started.elapsed().as_secs_f64() * speed);
                time.saturating_add(passed.map_or(Millis::MAX, millis))
            }
            Clock::Real => {
                let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
                since.map_or(0, millis).max(self.not_before)
            }
        };
        time.min(self.not_after).saturating_add(self.skew)
    }
}
