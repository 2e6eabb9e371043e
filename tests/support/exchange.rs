//! The simulated exchange inside the test, so that its counters can be read and its answers slowed down.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use serde_json::Value;
use streamforge_exchange::simulator::{self, Counters, Faults, SimulatorConfig, Source};
use tokio::{net::TcpListener, runtime::Runtime};

use super::Answer;

/// A free port of this machine.
const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// Most rows of one answer.
const MOST_ROWS: usize = 1000;

/// A served market; it ends when dropped.
pub(crate) struct Exchange {
    url: String,
    counters: Arc<Counters>,
    _runtime: Runtime,
}

impl Exchange {
    /// Serves the computed market that every test here uses, each answer after `delay`.
    pub(crate) fn start(delay: Duration) -> Self {
        Self::start_at(ANY, delay)
    }

    /// An address that nobody listens on yet.
    pub(crate) fn reserve() -> SocketAddr {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("a bound address")
    }

    /// Serves the same market at an address of the caller's choice.
    pub(crate) fn start_at(address: SocketAddr, delay: Duration) -> Self {
        let slow = if delay.is_zero() { 0.0 } else { 1.0 };
        Self::serve(address, Faults { slow, delay, ..Faults::default() })
    }

    /// Serves the same market with failures, as `streamforge exchange serve --faults` would.
    pub(crate) fn hostile(faults: &str) -> Self {
        Self::serve(ANY, faults.parse().expect("faults as the manual writes them"))
    }

    fn serve(address: SocketAddr, faults: Faults) -> Self {
        let config = SimulatorConfig { faults, weight_limit: None, ..SimulatorConfig::new(Source::synthetic(42)) };
        let counters = Arc::clone(&config.counters);
        let runtime = Runtime::new().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind(address)).expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("a bound address"));
        runtime.spawn(simulator::serve(listener, config, std::future::pending()));
        Self { url, counters, _runtime: runtime }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Requests so far.
    pub(crate) fn requests(&self) -> u64 {
        self.counters.requests()
    }

    /// Asks for all klines from `from` up to but without `to`.
    pub(crate) fn klines(&self, symbol: &str, interval: &str, from: i64, to: i64) -> Vec<Value> {
        let mut rows: Vec<Value> = Vec::new();
        let mut next = from;
        loop {
            let (url, last) = (&self.url, to - 1);
            let range = format!("startTime={next}&endTime={last}&limit={MOST_ROWS}");
            let answer = Answer::get(&format!("{url}/api/v3/klines?symbol={symbol}&interval={interval}&{range}"));
            let page = answer.body.as_array().unwrap_or_else(|| panic!("no klines: {answer:?}")).clone();
            rows.extend(page.iter().cloned());
            if page.len() < MOST_ROWS {
                return rows;
            }
            next = page[MOST_ROWS - 1][0].as_i64().expect("an open time") + 1;
        }
    }
}
