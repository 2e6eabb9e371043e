//! `streamforge run`: one workflow from its request to its end, on a platform that lives as long as the command.
//!
//! The event's id is computed from the request, so the same request run again is the same workflow: what was
//! interrupted goes on, what is finished is only reported.

mod predictions;
mod report;
pub(super) mod request;

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;
use streamforge_bus::Bus;
use streamforge_events::Topic;
use streamforge_message::{DEAD_LETTERS, read_letters};
use streamforge_store::Store;

use super::{
    exit::{Failure, Outcome},
    output::Output,
    publish, queues, remote,
    up::PlatformArguments,
};
use crate::platform::{DataFolder, Places, Platform, PlatformConfig, State, shutdown_signal};
use report::Report;
use request::Request;

/// How often a published request is looked for in the store.
const PAUSE: Duration = Duration::from_millis(50);

/// How often a platform of another process is looked for, and how often in a row it must be missed to be gone: its
/// last words, the end of the workflow among them, are read first.
const LOOK: Duration = Duration::from_millis(500);
const MISSES: u32 = 2;

/// How long the readers of the workflow's last events are waited for.
const SETTLE: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// File with the request as JSON; `-` reads standard input.
    file: PathBuf,
    #[command(flatten)]
    platform: PlatformArguments,
    /// Start a new workflow even if the same request was run before.
    #[arg(long)]
    again: bool,
}

pub(super) async fn execute(arguments: Arguments, places: &Places, output: Output) -> Outcome {
    let started = Instant::now();
    let stopped = shutdown_signal();
    let request = Request::parse(&publish::read(&arguments.file)?, arguments.again)?;
    let host = Host::find_or_start(arguments.platform, places).await?;
    let ended = tokio::select! {
        ended = run(&request, &host, output) => ended,
        ended = host.ended() => Err(ended),
        () = stopped => Err(Failure::Interrupted),
    };
    let report = match &ended {
        Ok(document) => Some(Report::read(host.store.as_ref(), document, started.elapsed()).await),
        Err(_) => None,
    };
    // A training and its predictions are to be found in the ledger once the command has ended.
    if ended.as_ref().is_ok_and(|document| !document["model"].is_null()) {
        host.settle(SETTLE).await;
    }
    host.stop().await;
    let document = ended?;
    if let Some(report) = report {
        report?.print(places, output)?;
    }
    queues::ended(&document)
}

/// The platform that does the work: one of our own, or one that works on the data folder already.
pub(super) struct Host {
    own: Option<Platform>,
    folder: DataFolder,
    pub(super) state: State,
    pub(super) bus: Arc<dyn Bus>,
    pub(super) store: Arc<dyn Store>,
}

impl Host {
    async fn find_or_start(arguments: PlatformArguments, places: &Places) -> Result<Self, Failure> {
        if let Some(state) = places.folder().running() {
            let folder = places.folder().clone();
            check_same(&state, &arguments.exchange, places)?;
            let (bus, store) = (remote::existing_bus(places)?, places.open_store().await?);
            return Ok(Self { own: None, folder, state, bus, store });
        }
        Self::start(arguments, places).await
    }

    /// Starts a platform that lives as long as the command.
    pub(super) async fn start(arguments: PlatformArguments, places: &Places) -> Result<Self, Failure> {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let config: PlatformConfig = arguments.config(places, any, any);
        let platform = Platform::start(config).await?;
        let (state, bus, store) = (platform.state(), platform.bus(), platform.store());
        Ok(Self { own: Some(platform), folder: places.folder().clone(), state, bus, store })
    }

    /// Resolves when a platform of another process is gone, which leaves nobody to do the work.
    async fn ended(&self) -> Failure {
        if self.own.is_some() {
            return std::future::pending().await;
        }
        let mut misses = 0;
        while misses < MISSES {
            tokio::time::sleep(LOOK).await;
            misses = if self.folder.running().is_some() { 0 } else { misses + 1 };
        }
        Failure::Unavailable(format!(
            "process {} no longer works on this data folder; the same command goes on where it stopped",
            self.state.pid
        ))
    }

    /// Waits for what follows from the end of the workflow, where nobody else goes on with it.
    pub(super) async fn settle(&self, patience: Duration) {
        if let Some(platform) = &self.own
            && let Err(error) = platform.settle(patience).await
        {
            tracing::warn!(%error, "the log could not be looked at");
        }
    }

    pub(super) async fn stop(self) {
        if let Some(platform) = self.own {
            platform.shutdown().await;
        }
    }
}

/// Refuses a platform that works with others than those asked for.
fn check_same(state: &State, exchange: &str, places: &Places) -> Outcome {
    let (bus, store, objects) = (places.bus_url(), places.store_url(), places.objects_url());
    let ledger = places.ledger_url();
    let pairs = [
        ("exchange", state.exchange.as_str(), exchange),
        ("event log", &state.bus, &bus),
        ("store", &state.store, &store),
        ("objects", &state.objects, &objects),
        ("ledger", &state.ledger, &ledger),
    ];
    let Some((what, running, asked)) = pairs.into_iter().find(|(_, running, asked)| running != asked) else {
        return Ok(());
    };
    Err(Failure::Unavailable(format!(
        "process {} works on this data folder with {what} `{running}`, not `{asked}`; stop it or name another folder \
         by --data-dir",
        state.pid
    )))
}

/// Publishes the request and follows the workflow to its end.
async fn run(request: &Request, host: &Host, output: Output) -> Result<Value, Failure> {
    begin(request, host).await?;
    queues::follow(host.store.as_ref(), &request.queue_id, output).await
}

/// Publishes the request, unless its workflow is there already.
pub(super) async fn begin(request: &Request, host: &Host) -> Outcome {
    if host.store.get(&request.queue_id).await?.is_none() {
        let client = remote::client()?;
        let broker = Topic::Workflows.to_string();
        let event = remote::event(&request.event)?;
        let letters = host.bus.end_offsets(DEAD_LETTERS).await.unwrap_or_default();
        remote::publish(&client, &host.state.ingress_url, remote::NAMESPACE, &broker, &event).await?;
        accepted(host, request, &letters).await?;
    }
    Ok(())
}

/// Waits until the workflow exists, or its request has become a dead letter after these offsets.
async fn accepted(host: &Host, request: &Request, letters: &[u64]) -> Outcome {
    while host.store.get(&request.queue_id).await?.is_none() {
        let letters = read_letters(host.bus.as_ref(), DEAD_LETTERS, letters).await?;
        let refused = letters.iter().find(|letter| letter.attribute("id") == request.event_id);
        if let Some(letter) = refused {
            return Err(Failure::Failed(format!("the request was refused: {}", letter.reason())));
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}
