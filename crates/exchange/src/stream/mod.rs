//! The exchange's streams, from the client's side: one feed of frames that goes on for ever.
//!
//! A [`Feed`] keeps a `connection` for at most a thousand streams, replaces it before its time is over or when it
//! breaks (`renewal`), says which streams are silent (`silence`), and keeps within the exchange's limits (`pace`).
//! Frames come as they were sent, with the time of their receipt; telling what is missing is the reader's part, which
//! has the ids.
//!
//! # Source
//! <https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams>

mod connection;
pub(crate) mod deflate;
mod pace;
mod renewal;
mod silence;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{sync::mpsc, task::JoinHandle};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use streamforge_events::{StreamKind, Symbol};

pub(crate) use connection::stream_name;
pub use silence::Silence;

/// Streams that one feed can have: those of one connection.
pub const MOST_STREAMS: usize = 1_024;

/// How a feed talks to the exchange.
#[derive(Clone, Debug)]
pub struct FeedConfig {
    /// Scheme and host, such as `wss://data-stream.binance.vision`; `ws://` works too.
    pub base_url: String,
    /// Names of the streams, such as `btcusdt@aggTrade`; [`MOST_STREAMS`] at most.
    pub streams: Vec<String>,
    /// Age at which a connection is replaced by a new one; the exchange ends it at 24 hours.
    pub renew_after: Duration,
    /// Longest time without anything from the exchange, which sends a ping every 20 seconds.
    pub read_timeout: Duration,
    /// Longest wait for the first frame of a stream, and shortest silence that is told of.
    pub silence: Duration,
    /// First pause before a connection is tried again; doubled each time, up to [`FeedConfig::longest_pause`].
    pub shortest_pause: Duration,
    /// Longest pause before a connection is tried again.
    pub longest_pause: Duration,
    /// Frames that wait for the reader; when there are more, the newest are dropped and counted.
    pub capacity: usize,
    /// Bytes of the frames that wait, likewise.
    pub most_bytes: usize,
    /// Whether the exchange plays a recording, which waits for its reader and knows no time but that of its frames: all
    /// streams are subscribed to at once, none is expected to speak, and no frame is dropped.
    pub is_recording: bool,
}

impl FeedConfig {
    /// The usual settings for these streams of the exchange at `base_url`.
    #[must_use]
    pub fn new(base_url: impl Into<String>, streams: Vec<String>) -> Self {
        Self {
            base_url: base_url.into(),
            streams,
            renew_after: Duration::from_hours(23),
            read_timeout: Duration::from_mins(1),
            silence: Duration::from_secs(30),
            shortest_pause: Duration::from_millis(250),
            longest_pause: Duration::from_secs(30),
            capacity: 65_536,
            most_bytes: 64 << 20,
            is_recording: false,
        }
    }

    /// The settings for an exchange at `base_url` that plays a recording.
    #[must_use]
    pub fn of_recording(base_url: impl Into<String>, streams: Vec<String>) -> Self {
        Self { silence: Duration::MAX, capacity: 4_096, is_recording: true, ..Self::new(base_url, streams) }
    }
}

/// When something came, by the clocks of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Nanoseconds since the epoch; may be set back.
    pub wall: i64,
    /// Nanoseconds since the feed began; never goes back.
    pub steady: u64,
}

/// What a feed tells.
#[derive(Clone, Debug)]
pub enum FeedEvent {
    /// A frame of a stream, as it came.
    Frame {
        /// When it came.
        receipt: Receipt,
        /// The frame.
        text: Utf8Bytes,
    },
    /// A connection stands and its streams are subscribed to.
    Connected,
    /// There is no connection any more; the next one is on its way.
    Disconnected {
        /// Why.
        reason: String,
    },
    /// A stream says nothing.
    Silent {
        /// Its name.
        stream: String,
        /// Whether it ever said something.
        silence: Silence,
    },
    /// Frames that were dropped because the reader was too slow.
    Overrun {
        /// How many.
        frames: u64,
    },
    /// The recording that the exchange plays has come to its end.
    Over,
}

/// A feed that runs; it ends when this is dropped.
#[derive(Debug)]
pub struct Feed {
    events: mpsc::Receiver<FeedEvent>,
    waiting: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Feed {
    /// Begins to connect; whatever goes wrong is tried again for ever, and told.
    #[must_use]
    pub fn start(config: FeedConfig) -> Self {
        let (sender, events) = mpsc::channel(config.capacity.max(1));
        let waiting = Arc::default();
        let outlet = Outlet {
            sender,
            dropped: Arc::default(),
            waiting: Arc::clone(&waiting),
            most_bytes: config.most_bytes,
            waits: config.is_recording,
        };
        let task = tokio::spawn(renewal::keep(config, outlet));
        Self { events, waiting, task }
    }

    /// The next event; none only if the feed's task is gone.
    pub async fn next(&mut self) -> Option<FeedEvent> {
        let event = self.events.recv().await;
        if let Some(FeedEvent::Frame { text, .. }) = &event {
            self.waiting.fetch_sub(text.len(), Relaxed);
        }
        event
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Where a connection puts what comes: never waits, so that the socket is always read on, unless the exchange does.
#[derive(Clone, Debug)]
struct Outlet {
    sender: mpsc::Sender<FeedEvent>,
    dropped: Arc<AtomicU64>,
    /// Bytes of the frames that wait for the reader.
    waiting: Arc<AtomicUsize>,
    most_bytes: usize,
    waits: bool,
}

impl Outlet {
    /// Hands a frame on, or drops it and counts it.
    async fn frame(&self, receipt: Receipt, text: Utf8Bytes) {
        let bytes = text.len();
        let waiting = self.waiting.fetch_add(bytes, Relaxed);
        if self.waits {
            return self.tell(FeedEvent::Frame { receipt, text }).await;
        }
        let dropped = self.dropped.load(Relaxed);
        if dropped > 0 && self.sender.try_send(FeedEvent::Overrun { frames: dropped }).is_ok() {
            self.dropped.fetch_sub(dropped, Relaxed);
        }
        // One that is larger than all that may wait is taken if nothing else waits.
        let is_too_much = waiting > 0 && waiting + bytes > self.most_bytes;
        if is_too_much || self.sender.try_send(FeedEvent::Frame { receipt, text }).is_err() {
            self.waiting.fetch_sub(bytes, Relaxed);
            self.dropped.fetch_add(1, Relaxed);
        }
    }

    /// Tells something that is not lost: waits for a place.
    async fn tell(&self, event: FeedEvent) {
        // An error means that nobody reads any more, and then this task ends as well.
        self.sender.send(event).await.ok();
    }
}

/// This machine's time, in nanoseconds since the epoch.
pub(crate) fn wall() -> i64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// The exchange's name of a stream of a symbol.
///
/// # Source
/// <https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams>
#[must_use]
pub fn name(symbol: &Symbol, kind: StreamKind) -> String {
    let symbol = symbol.to_lower();
    match kind {
        // They have the ids that history has.
        StreamKind::Trades => format!("{symbol}@aggTrade"),
        StreamKind::Klines(interval) => format!("{symbol}@kline_{interval}"),
        StreamKind::OrderBook => format!("{symbol}@depth@100ms"),
    }
}

/// Name of the stream that a recording has instead of snapshots over REST; the exchange has none like it.
#[must_use]
pub fn snapshots(symbol: &Symbol) -> String {
    format!("{}@snapshot", symbol.to_lower())
}

/// The URL of an exchange's streams that belongs to the one of its REST interface.
///
/// # Source
/// <https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams#general-wss-information>
#[must_use]
pub fn stream_url(api_url: &str) -> String {
    let api_url = api_url.trim_end_matches('/');
    if api_url.ends_with("binance.com") || api_url.ends_with("binance.vision") {
        return "wss://data-stream.binance.vision".to_owned();
    }
    api_url.replacen("http", "ws", 1)
}
