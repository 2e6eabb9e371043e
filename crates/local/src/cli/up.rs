//! `streamforge up`: the platform until it is told to stop.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
};

use serde_json::json;

use super::{
    exit::Outcome,
    output::{self, Output},
};
use crate::platform::{Places, Platform, PlatformConfig, shutdown_signal};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) platform: PlatformArguments,
    /// Address of the Broker ingress, on loopback; port 0 takes a free one.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8080")]
    ingress: SocketAddr,
    /// Address of the workflow API, on loopback; without it, 127.0.0.1:8081, or a free port if that one is taken.
    #[arg(long, value_name = "ADDR:PORT")]
    api: Option<SocketAddr>,
}

/// Where people look for the API first.
const USUAL_API: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8081);

/// What `up` and `run` have in common.
#[derive(Debug, clap::Args)]
pub(super) struct PlatformArguments {
    /// Exchange to load from: `synthetic:SEED`, `replay:DIR`, `capture:DIR`, `recording:DIR[,speed=N]` or a URL.
    #[arg(long, value_name = "EXCHANGE", default_value = crate::platform::DEFAULT_EXCHANGE)]
    pub(super) exchange: String,
    #[command(flatten)]
    pub(super) processes: ProcessArguments,
}

/// What a platform needs, whatever exchange it loads from.
#[derive(Debug, clap::Args)]
pub(super) struct ProcessArguments {
    /// Folder with `knative`, `triggers` and `scaledobjects`; without it, the working tree's or the built-in ones.
    #[arg(long, value_name = "FOLDER")]
    pub(super) manifests: Option<PathBuf>,
    /// Most worker processes at once; without it, four a core and at least eight.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) max_workers: Option<u32>,
    /// Most runs of a job, such as a training, at once; without it, one.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) max_jobs: Option<u32>,
    /// Folder with the programs of jobs, such as `gnn-trainer`; without it, that of this program.
    #[arg(long, value_name = "FOLDER", env = "STREAMFORGE_JOB_PATH")]
    pub(super) job_path: Option<PathBuf>,
}

impl PlatformArguments {
    pub(super) fn config(self, places: &Places, ingress: SocketAddr, api: SocketAddr) -> PlatformConfig {
        let ProcessArguments { manifests, max_workers, max_jobs, job_path } = self.processes;
        let (places, exchange) = (places.clone(), self.exchange);
        PlatformConfig { places, manifests, ingress, api, exchange, max_workers, max_jobs, job_path, program: None }
    }
}

pub(super) async fn execute(arguments: Arguments, places: &Places, output: Output) -> Outcome {
    // Signals count from the start, so that a platform which is told to stop while it opens its files does so.
    let stopped = shutdown_signal();
    let api = arguments.api.unwrap_or_else(usual_api);
    let config = arguments.platform.config(places, arguments.ingress, api);
    let platform = Platform::start(config).await?;
    let state = platform.state();
    if output.is_json() {
        output::value(&json!({
            "ingress": state.ingress_url,
            "api": state.api_url,
            "exchange": state.exchange_url,
            "pid": state.pid,
            "functions": state.workers.keys().collect::<Vec<_>>(),
        }))?;
    } else {
        output::line(&format!("ingress    {}/{{namespace}}/{{broker}}", state.ingress_url))?;
        output::line(&format!("pages      {}", state.api_url))?;
        output::line(&format!("API        {}/docs", state.api_url))?;
        output::line(&format!("exchange   {} at {}", state.exchange, state.exchange_url))?;
        output::line(&format!("manifests  {}", platform.manifests()))?;
        output::line(&format!("data       {}", platform.folder().root().display()))?;
        output::line("stop with Ctrl-C")?;
    }
    stopped.await;
    platform.shutdown().await;
    Ok(())
}

/// Only the ingress has a port that others rely on, so a second platform on the machine is no error.
fn usual_api() -> SocketAddr {
    let is_free = TcpListener::bind(USUAL_API).is_ok();
    if is_free { USUAL_API } else { SocketAddr::new(USUAL_API.ip(), 0) }
}
