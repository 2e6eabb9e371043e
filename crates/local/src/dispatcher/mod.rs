//! Delivers the events of one Broker to one Trigger's subscriber.
//!
//! A [`Dispatcher`] is one consumer group. It does what the dispatcher of Knative's Kafka Broker was measured to do:
//! which answers are retried and how long, what becomes a reply, what a dead letter carries, and that only the
//! contiguous prefix of finished events is committed. Restarting it delivers again what was not committed.
//!
//! Source: <https://github.com/knative-extensions/eventing-kafka-broker/tree/main/data-plane/dispatcher>

mod backoff;
mod consumer;
mod delivery;
mod progress;
mod reading;
mod sender;
mod subscription;

use std::time::Duration;

pub use backoff::Backoff;
pub use consumer::Dispatcher;
pub use streamforge_bus::InitialOffset;
pub use subscription::{Replies, Subscription, Target};

use crate::{Error, metrics::Metrics};

/// How the dispatchers call themselves.
const USER_AGENT: &str = "streamforge-dispatcher";

/// Limits of a [`Dispatcher`] that are no matter of its Trigger.
#[derive(Debug, Clone)]
pub struct Options {
    /// Most events in flight when unordered. An ordered Trigger has one for each partition.
    pub max_in_flight: usize,
    /// Most records read at once from a partition.
    pub batch: usize,
    /// Longest time a finished event stays uncommitted while others are in flight.
    pub commit_interval: Duration,
    /// Longest wait for requests in flight when stopping.
    pub drain: Duration,
    /// Where a group begins that has never committed.
    pub initial_offset: InitialOffset,
    /// A name of this process in its groups that outlives it; see [`streamforge_bus::Seat`].
    pub instance: Option<String>,
    /// Where it is counted what becomes of events.
    pub metrics: Metrics,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            // As many as a function takes where it is told nothing else; it would answer 429 to more.
            max_in_flight: 64,
            batch: 256,
            commit_interval: Duration::from_millis(500),
            drain: Duration::from_secs(10),
            initial_offset: InitialOffset::Earliest,
            instance: None,
            metrics: Metrics::default(),
        }
    }
}

/// Builds the HTTP client that all dispatchers of a process share.
///
/// It follows no redirect, uses no proxy and leaves bodies as they come.
///
/// # Errors
/// [`Error::HttpClient`] if TLS cannot be set up.
pub fn http_client() -> Result<reqwest::Client, Error> {
    // Fails only if another part of the process has installed a provider before, and then that one serves.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .no_gzip()
        .pool_idle_timeout(Duration::from_secs(10))
        .pool_max_idle_per_host(100)
        .build()
        .map_err(Error::HttpClient)
}
