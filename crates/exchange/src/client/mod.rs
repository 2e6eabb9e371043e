//! REST client: complete answers, at a rate that the exchange allows.
//!
//! A request passes the [`gate`] (weight budget and bans of the whole process), is sent and judged in [`request`],
//! and its rows are read in [`rows`]. [`klines`] and [`trades`] turn pages, which the exchange may cut short, repeat
//! or leave empty, into complete windows.

mod budget;
mod depth;
mod gate;
mod klines;
mod request;
mod rows;
mod server_time;
mod sound;
mod symbols;
mod trades;

use std::{sync::Arc, time::Duration};

use streamforge_events::{Kline, Millis, Symbol};

use crate::Error;
use gate::Gate;
use server_time::ServerTime;

pub use depth::snapshot_levels;
pub use symbols::{ExchangeInfo, SymbolInfo};

/// Reads an answer of the exchange to a request for klines, as the client does.
///
/// # Errors
/// What was expected and what was found instead.
pub fn read_klines(body: &[u8]) -> Result<Vec<Kline>, String> {
    rows::read_klines(body).map_err(|flaw| flaw.on("klines").to_string())
}

/// How the client talks to the exchange.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Scheme and host, such as `https://data-api.binance.vision`; `http://` works too.
    pub base_url: String,
    /// Longest time for one answer; [`Duration::MAX`] waits for ever.
    pub timeout: Duration,
    /// Most tries of a request that fails in a way that another try can mend.
    pub attempts: u32,
    /// Pause before the second try; doubled for each further one, up to twenty times as long, and jittered.
    pub backoff: Duration,
    /// Longest wait that the rate limit may impose on a request before it fails as rate limited.
    pub patience: Duration,
    /// Share of the weight limit that this process uses, since others may share its address; above 0, at most 1.
    pub share: f64,
    /// How long a measurement of the exchange's clock is trusted; a simulated clock may run at another pace.
    pub clock_trust: Duration,
}

impl ClientConfig {
    /// The usual settings for the exchange at `base_url`.
    #[must_use]
    pub fn new(base_url: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            timeout: Duration::from_secs(15),
            attempts: 8,
            backoff: Duration::from_millis(250),
            patience: Duration::from_mins(3),
            share: 0.85,
            clock_trust: server_time::FRESH,
        }
    }
}

/// Rows of one window, ascending, each once.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<Row> {
    /// The rows that the exchange has; a missing bar is a fact, never filled in.
    pub rows: Vec<Row>,
    /// Server time at which the rows were read: the version of what was read.
    pub read_at: Millis,
    /// Up to this time, exclusive, the window is complete and final.
    pub complete_until: Millis,
}

/// Aggregate trades of one block of ids, ascending, each once.
#[derive(Clone, Debug, PartialEq)]
pub struct TradePage<Row> {
    /// The sound trades.
    pub rows: Vec<Row>,
    /// Server time at which the rows were read: the version of what was read.
    pub read_at: Millis,
    /// The id to go on with; the id asked for if the exchange has no such trade yet.
    pub next_id: i64,
    /// Whether the exchange has all trades of the block, so that it will never be longer.
    pub is_full: bool,
    /// Rows without price, quantity or trade ids, which the exchange is known to hold; they are left out.
    pub poisoned: u64,
}

/// An answer as it came, and what was read of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered<T> {
    /// What was asked.
    pub url: String,
    /// What was read.
    pub value: T,
    /// What came.
    pub text: String,
}

/// A client of the exchange; clones share connections, weight budget and clock, so one process needs one.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: ClientConfig,
    http: reqwest::Client,
    gate: Gate,
    server_time: ServerTime,
    greeted: tokio::sync::OnceCell<()>,
}

/// Samples of the server's clock for one estimate.
const TIME_SAMPLES: usize = 3;

impl Client {
    /// Builds a client; nothing is sent before the first request.
    ///
    /// # Errors
    /// [`Error::Configuration`] if the base URL is not plain `http://` or `https://`, or a setting makes no sense.
    pub fn new(mut config: ClientConfig) -> Result<Self, Error> {
        let fail = |base_url: &str, reason: &str| Error::Configuration {
            base_url: base_url.to_owned(),
            reason: reason.to_owned(),
        };
        let url = reqwest::Url::parse(&config.base_url).map_err(|error| fail(&config.base_url, &error.to_string()))?;
        let plain = matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none();
        if !plain || url.host().is_none() {
            return Err(fail(&config.base_url, "write http:// or https://, a host, and no query"));
        }
        if !(config.share > 0.0 && config.share <= 1.0) {
            return Err(fail(&config.base_url, "the share of the weight limit must be above 0 and at most 1"));
        }
        let http = http_client(&config, &url).map_err(|error| fail(&config.base_url, &error.to_string()))?;
        config.base_url.truncate(config.base_url.trim_end_matches('/').len());
        let shared = Shared {
            gate: Gate::new(config.share),
            config,
            http,
            server_time: ServerTime::new(),
            greeted: tokio::sync::OnceCell::new(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Returns a server time that the exchange's clock has certainly reached.
    ///
    /// It is measured when it is first needed and every few minutes after.
    ///
    /// # Errors
    /// Any [`Error`] of the request, unless there is an earlier measurement to go on with.
    pub async fn time(&self) -> Result<Millis, Error> {
        let time = &self.shared.server_time;
        if !time.is_fresh(self.shared.config.clock_trust) {
            match self.measure_time().await {
                Err(error) if !time.is_known() => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, "going on with an old estimate of the exchange's clock");
                }
                Ok(()) => {}
            }
        }
        Ok(time.reached())
    }

    async fn measure_time(&self) -> Result<(), Error> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Time {
            server_time: i64,
        }
        let read = |body: &[u8]| {
            let time = rows::millis(rows::read::<Time>(body, "the server time")?.server_time);
            sound::time("server time", time).map(|()| time)
        };
        let time = &self.shared.server_time;
        let call = request::Call { target: "time".to_owned(), weight: 1, largest: request::LARGEST_PAGE };
        let mut samples = Vec::with_capacity(TIME_SAMPLES);
        for _ in 0..TIME_SAMPLES {
            let sent = time.steady();
            let server = self.get(&call, read).await?;
            samples.push(server_time::Sample { sent, received: time.steady(), server });
        }
        time.set(&samples);
        Ok(())
    }

    /// Learns the exchange's clock and limits, once, before the first request for data.
    ///
    /// An unknown symbol is no failure here: the request for its data says so, in the same words whoever asked before.
    async fn greet(&self, symbol: &Symbol) -> Result<(), Error> {
        let greeting = self.shared.greeted.get_or_try_init(|| async {
            self.time().await?;
            match self.exchange_info(std::slice::from_ref(symbol)).await {
                Ok(_) => Ok(()),
                Err(error @ (Error::Refused { .. } | Error::Restricted { .. })) => Err(error),
                Err(error) => {
                    tracing::warn!(%error, "the exchange's limits are unknown, assuming the usual ones");
                    Ok(())
                }
            }
        });
        match greeting.await {
            Ok(()) | Err(Error::Refused { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// A symbol as it may stand in a query: Unicode symbols exist.
fn encoded(symbol: &Symbol) -> String {
    percent_encoding::utf8_percent_encode(symbol.as_str(), percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn http_client(config: &ClientConfig, url: &reqwest::Url) -> Result<reqwest::Client, reqwest::Error> {
    static PROVIDER: std::sync::Once = std::sync::Once::new();
    PROVIDER.call_once(|| {
        // An error means that the process has installed its own provider, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("streamforge/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .pool_idle_timeout(None)
        .pool_max_idle_per_host(4);
    if config.timeout < Duration::MAX {
        builder = builder.timeout(config.timeout).connect_timeout(config.timeout.min(Duration::from_secs(10)));
    }
    if url.scheme() == "http" {
        // Without TLS there is no need for the certificates of the system, which a bare machine lacks.
        builder = builder.tls_certs_only(std::iter::empty());
    }
    let local = match url.host_str() {
        Some("localhost") => true,
        Some(host) => host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback()),
        None => false,
    };
    if local {
        builder = builder.no_proxy();
    }
    builder.build()
}
