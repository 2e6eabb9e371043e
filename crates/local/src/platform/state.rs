//! What a running platform tells the command line: a small file beside the data.

use std::{collections::BTreeMap, fs, io, path::Path};

use serde::{Deserialize, Serialize};
use streamforge_events::Millis;
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{DataFolder, JobCounts};
use crate::supervisor::Counts;

/// A running platform, as it describes itself in `platform.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Process id of the platform.
    pub pid: u32,
    /// When it started.
    pub started_at: Millis,
    /// URL of the Broker ingress, without a path.
    pub ingress_url: String,
    /// URL of the workflow API.
    pub api_url: String,
    /// URL of the exchange that the loaders use.
    pub exchange_url: String,
    /// The exchange as it was asked for on the command line.
    pub exchange: String,
    /// URL of the event log.
    #[serde(default)]
    pub bus: String,
    /// URL of the store.
    #[serde(default)]
    pub store: String,
    /// URL of the objects.
    #[serde(default)]
    pub objects: String,
    /// URL of the ledger.
    #[serde(default)]
    pub ledger: String,
    /// Workers of each function.
    pub workers: BTreeMap<String, Counts>,
    /// Runs of each job.
    #[serde(default)]
    pub jobs: BTreeMap<String, JobCounts>,
}

impl State {
    /// Reads the file; none if it is missing or not ours.
    pub(super) fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    /// Replaces the file in one step, so that a reader never sees half of it.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let mut fresh = path.as_os_str().to_owned();
        fresh.push(".new");
        fs::write(&fresh, serde_json::to_vec_pretty(self)?)?;
        fs::rename(&fresh, path)
    }
}

/// Keeps the file up to date with the counts of all workers until the shutdown, then removes it.
pub(super) async fn report(
    folder: DataFolder,
    counts: Vec<(String, watch::Receiver<Counts>)>,
    jobs: Vec<(String, watch::Receiver<JobCounts>)>,
    sender: watch::Sender<State>,
    shutdown: CancellationToken,
) {
    let mut followers = JoinSet::new();
    for (name, mut counts) in counts {
        let sender = sender.clone();
        followers.spawn(async move {
            while counts.changed().await.is_ok() {
                let current = *counts.borrow_and_update();
                sender.send_modify(|state| {
                    state.workers.insert(name.clone(), current);
                });
            }
        });
    }
    for (name, mut counts) in jobs {
        let sender = sender.clone();
        followers.spawn(async move {
            while counts.changed().await.is_ok() {
                let current = *counts.borrow_and_update();
                sender.send_modify(|state| {
                    state.jobs.insert(name.clone(), current);
                });
            }
        });
    }
    let mut changed = sender.subscribe();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            _ = changed.changed() => {}
        }
        let current = changed.borrow_and_update().clone();
        if let Err(error) = current.write(&folder.state()) {
            warn!(%error, "the state of the platform could not be written");
        }
    }
    // Without a lock nobody believes the file, so leaving it behind is only untidy.
    fs::remove_file(folder.state()).ok();
}
