//! The servers inside the platform: ingress, workflow API with its clock, and the simulated exchange.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use queue_manager::{ApiState, Engine, api, clock};
use streamforge_bus::Bus;
use streamforge_exchange::simulator;
use streamforge_function::{Config, PatientListener, Publisher, api::guarded};
use streamforge_store::Store;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::error;
use visualizer::Views;

use super::{Error, Exchange, now};
use crate::{
    ingress::{self, Topics},
    manifest::Broker,
    metrics::Metrics,
};

/// How long the last requests may take after the shutdown began.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// How often overdue workflows are looked for.
const CLOCK_INTERVAL: Duration = Duration::from_secs(1);

pub(super) async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })
}

pub(super) fn url(listener: &TcpListener) -> Result<String, Error> {
    let unknown = SocketAddr::from(([127, 0, 0, 1], 0));
    let address = listener.local_addr().map_err(|source| Error::Listen { address: unknown, source })?;
    Ok(format!("http://{address}"))
}

/// Returns the URL of the exchange, after starting it if it is a simulated one.
pub(crate) async fn exchange(
    exchange: Exchange,
    shutdown: &CancellationToken,
    services: &mut JoinSet<()>,
) -> Result<String, Error> {
    let config = match exchange.simulator() {
        Ok(config) => config,
        Err(url) => return Ok(url.as_str().trim_end_matches('/').to_owned()),
    };
    let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let url = url(&listener)?;
    let shutdown = shutdown.clone().cancelled_owned();
    services.spawn(async move {
        if let Err(error) = simulator::serve(listener, config, shutdown).await {
            error!(%error, "simulated exchange ended");
        }
    });
    Ok(url)
}

pub(super) fn ingress(
    listener: TcpListener,
    bus: Arc<dyn Bus>,
    brokers: &[Broker],
    metrics: Metrics,
    shutdown: &CancellationToken,
    services: &mut JoinSet<()>,
) {
    serve("ingress", listener, ingress::router(bus, Topics::of(brokers), metrics), shutdown, services);
}

/// Serves pages and workflow API, and wakes workflows that fell silent; the engine itself is a worker like any other.
pub(super) fn api(
    listener: TcpListener,
    ingress_url: &str,
    bus: Arc<dyn Bus>,
    store: Arc<dyn Store>,
    views: Views,
    shutdown: &CancellationToken,
    services: &mut JoinSet<()>,
) -> Result<(), Error> {
    let engine = Engine::new(store, publisher(ingress_url)?, Arc::new(now));
    services.spawn(clock::run(engine.clone(), CLOCK_INTERVAL, shutdown.clone().cancelled_owned()));
    let workflows = api::calls(ApiState::new(engine, Some(bus), "local"));
    let router = guarded(api::probes().merge(workflows).merge(visualizer::calls(views)).merge(visualizer::pages()));
    serve("pages and workflow API", listener, router, shutdown, services);
    Ok(())
}

/// What publishes at an ingress.
pub(super) fn publisher(ingress_url: &str) -> Result<Publisher, Error> {
    let variables = BTreeMap::from([("STREAMFORGE_INGRESS_URL".to_owned(), ingress_url.to_owned())]);
    let config = Config::from_map(&variables, &[]).map_err(|error| Error::Api(Box::new(error)))?;
    Publisher::new(&config).map_err(|error| Error::Api(Box::new(error)))
}

fn serve(
    name: &'static str,
    listener: TcpListener,
    router: Router,
    shutdown: &CancellationToken,
    services: &mut JoinSet<()>,
) {
    let shutdown = shutdown.clone();
    services.spawn(async move {
        let stopping = shutdown.clone().cancelled_owned();
        let server = axum::serve(PatientListener::new(listener), router).with_graceful_shutdown(stopping).into_future();
        tokio::select! {
            ended = server => {
                if let Err(error) = ended {
                    error!(name, %error, "server ended");
                }
            }
            // Someone who watches live messages would keep the server for ever.
            () = async { shutdown.cancelled().await; tokio::time::sleep(LAST_ANSWERS).await } => {}
        }
    });
}
