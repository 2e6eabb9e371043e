//! A simulator on a free port, and a bare HTTP client beside the real one.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use streamforge_exchange::{
    Client, ClientConfig,
    simulator::{Clock, Counters, SimulatorConfig, Source, serve},
};
use tokio::{net::TcpListener, sync::oneshot};

/// 2024-06-01T12:07:30Z, inside a 15-minute bar.
pub(crate) const NOW: i64 = 1_717_243_650_000;

/// 2024-06-01T00:00:00Z.
pub(crate) const MIDNIGHT: i64 = 1_717_200_000_000;

pub(crate) const MINUTE: i64 = 60_000;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

/// A running simulator; it stops when this is dropped.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) counters: Arc<Counters>,
    _stop: oneshot::Sender<()>,
}

/// An answer as it came.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) weight: Option<String>,
    pub(crate) retry_after: Option<i64>,
    pub(crate) body: String,
}

/// A computed market without limit whose clock stands still.
pub(crate) fn frozen(source: &str) -> SimulatorConfig {
    let mut config = SimulatorConfig::new(Source::parse(source).unwrap());
    config.clock = Clock::Frozen(NOW);
    config.weight_limit = None;
    config
}

/// A computed market without limit whose clock runs with the test's.
pub(crate) fn running(faults: &str) -> SimulatorConfig {
    let mut config = frozen("synthetic:42");
    config.clock = Clock::StartingAt(NOW, 1.0);
    config.faults = faults.parse().unwrap();
    config
}

pub(crate) async fn start(config: SimulatorConfig) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let counters = Arc::clone(&config.counters);
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(serve(listener, config, async move {
        let _ = stopped.await;
    }));
    Server { url, counters, _stop: stop }
}

impl Server {
    /// A client that is never late: a timer beside a request would let paused time run while bytes are on their way.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.client_config()).unwrap()
    }

    pub(crate) fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new(&self.url);
        config.timeout = Duration::MAX;
        config
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.get_with(target, &[]).await
    }

    pub(crate) async fn get_with(&self, target: &str, headers: &[(&str, &str)]) -> Answer {
        // Building the real client installs what the bare one needs.
        drop(self.client());
        let http = reqwest::Client::builder()
            .no_proxy()
            .pool_idle_timeout(None)
            .tls_certs_only(std::iter::empty())
            .build()
            .unwrap();
        let mut request = http.get(format!("{}/api/v3/{target}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        Answer {
            status: response.status().as_u16(),
            weight: header("x-mbx-used-weight-1m"),
            retry_after: header("retry-after").map(|value| value.parse().unwrap()),
            body: response.text().await.unwrap(),
        }
    }

    /// The rows of a page, which must have been answered with 200.
    pub(crate) async fn rows(&self, target: &str) -> Vec<Value> {
        let answer = self.get(target).await;
        assert_eq!(answer.status, 200, "{target}: {}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }

    /// The open times of a page of klines.
    pub(crate) async fn opens(&self, target: &str) -> Vec<i64> {
        self.rows(target).await.iter().map(|row| row[0].as_i64().unwrap()).collect()
    }
}
