//! The simulated exchange, streams included, and a client of it.

use std::{sync::Arc, time::Duration};

use streamforge_exchange::{
    Client, ClientConfig,
    simulator::{Clock, Counters, SimulatorConfig, Source, serve},
};
use tokio::{net::TcpListener, sync::oneshot};

/// 2024-06-01T12:07:30Z.
pub(crate) const NOW: i64 = 1_717_243_650_000;
/// One symbol too many: one of them began to trade later.
const MARKET: &str = "synthetic:42,symbols=201,pace=5";

pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) counters: Arc<Counters>,
    _stop: oneshot::Sender<()>,
}

pub(crate) async fn start(clock: Clock, faults: &str) -> Server {
    let mut config = SimulatorConfig::new(Source::parse(MARKET).unwrap());
    config.clock = clock;
    config.weight_limit = None;
    config.faults = faults.parse().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let counters = Arc::clone(&config.counters);
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(serve(listener, config, async move {
        let _ = stopped.await;
    }));
    Server { url, counters, _stop: stop }
}

pub(crate) fn client(server: &Server) -> Client {
    let mut config = ClientConfig::new(&server.url);
    config.backoff = Duration::from_millis(10);
    config.clock_trust = Duration::ZERO;
    Client::new(config).unwrap()
}
