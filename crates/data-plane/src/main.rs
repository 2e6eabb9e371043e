//! The container's process: `STREAMFORGE_BUS_URL` names the log, the pod's account the API server.

use std::{env, net::SocketAddr};

use anyhow::{Context as _, Result};
use kube::Client;
use streamforge_data_plane::{Settings, run};
use streamforge_local::dispatcher;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Where events are taken unless `STREAMFORGE_ADDRESS` says otherwise.
const ADDRESS: &str = "0.0.0.0:8080";
/// Where metrics are asked for unless `STREAMFORGE_METRICS_ADDRESS` says otherwise.
const METRICS_ADDRESS: &str = "0.0.0.0:9090";
/// The URL that Knative's own receiver has.
const INGRESS: &str = "http://kafka-broker-ingress.knative-eventing.svc.cluster.local";

#[tokio::main]
async fn main() -> Result<()> {
    let setting = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let filter = setting("STREAMFORGE_LOG").unwrap_or_else(|| "info".to_owned());
    let subscriber = tracing_subscriber::fmt().with_env_filter(EnvFilter::try_new(filter)?).with_ansi(false);
    // A log that cannot be written is no reason to end.
    subscriber.with_writer(std::io::stderr).log_internal_errors(false).init();
    let url = setting("STREAMFORGE_BUS_URL").context("STREAMFORGE_BUS_URL names no log, such as kafka://HOST:PORT")?;
    let listen = async |name: &str, default: &str| {
        let address = setting(name).unwrap_or_else(|| default.to_owned());
        let address: SocketAddr = address.parse().with_context(|| format!("{name} is no HOST:PORT"))?;
        TcpListener::bind(address).await.with_context(|| format!("listen at {address}"))
    };
    let bus = tokio::task::spawn_blocking(move || streamforge_bus::open(&url)).await??;
    let http = dispatcher::http_client()?;
    let client = Client::try_default().await.context("find the API server")?;
    let listener = listen("STREAMFORGE_ADDRESS", ADDRESS).await?;
    let metrics_listener = listen("STREAMFORGE_METRICS_ADDRESS", METRICS_ADDRESS).await?;
    let stop = CancellationToken::new();
    let (stopping, mut terminate) = (stop.clone(), signal(SignalKind::terminate())?);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        stopping.cancel();
    });
    let ingress = setting("STREAMFORGE_INGRESS_URL").unwrap_or_else(|| INGRESS.to_owned());
    run(Settings { client, bus, listener, metrics_listener, ingress, http, instance: setting("HOSTNAME") }, stop).await;
    Ok(())
}
