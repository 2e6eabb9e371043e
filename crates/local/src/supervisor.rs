//! Keeps as many worker processes of each function alive as its scaler asks for.
//!
//! A worker may die at any moment: its address leaves the endpoints at once, and a new process takes its place
//! while the scaler still wants one. One that hangs, as its liveness probe tells, is killed first. Crash loops are slowed down, never given up.

mod backoff;
mod job;
mod liveness;
mod log;
mod worker;

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::{
    sync::{mpsc, watch},
    task::{JoinHandle, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{endpoints::Endpoints, manifest::ObjectName};
use worker::{Ending, Exit, Ready};

pub(crate) use backoff::CrashLoop;
pub use job::{Claimed, Run, RunEnding, RunExit};
pub use worker::WorkerCommand;

/// How often the size of a log file is looked at.
const LOG_CHECK: Duration = Duration::from_secs(30);

/// How many workers of a function there are, by what they are doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Workers that the scaler asks for.
    pub desired: u32,
    /// Processes that do not listen yet.
    pub starting: u32,
    /// Processes that take events.
    pub ready: u32,
    /// Processes that finish their last events.
    pub stopping: u32,
    /// Processes that ended without being asked, since the platform's start.
    pub crashes: u64,
}

/// The workers of one function.
#[derive(Debug)]
pub struct Pool {
    desired: watch::Sender<u32>,
    counts: watch::Receiver<Counts>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Pool {
    /// Starts to supervise the function behind `service`, without any worker yet.
    #[must_use]
    pub fn start(command: WorkerCommand, service: ObjectName, endpoints: Endpoints) -> Self {
        endpoints.set(&service, &[]);
        let (desired, desired_receiver) = watch::channel(0);
        let (counts_sender, counts) = watch::channel(Counts::default());
        let shutdown = CancellationToken::new();
        let (ready_sender, ready) = mpsc::unbounded_channel();
        let supervision = Supervision {
            command,
            service,
            endpoints,
            desired: desired_receiver,
            counts: counts_sender,
            shutdown: shutdown.clone(),
            ready_sender,
            ready,
            members: BTreeMap::new(),
            tasks: JoinSet::new(),
            next_id: 0,
            crashes: 0,
            crash_loop: CrashLoop::default(),
        };
        Self { desired, counts, shutdown, task: tokio::spawn(supervision.run()) }
    }

    /// Returns where to say how many workers there should be.
    #[must_use]
    pub fn desired(&self) -> watch::Sender<u32> {
        self.desired.clone()
    }

    /// Returns the counts, which change whenever a worker starts, gets ready or ends.
    #[must_use]
    pub fn counts(&self) -> watch::Receiver<Counts> {
        self.counts.clone()
    }

    /// Drains all workers and waits until the last process is gone.
    pub async fn shutdown(self) {
        self.shutdown.cancel();
        if let Err(error) = self.task.await {
            warn!(%error, "supervision ended abnormally");
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Starting,
    Ready,
    Stopping,
}

struct Member {
    stage: Stage,
    address: Option<SocketAddr>,
    stop: CancellationToken,
}

struct Supervision {
    command: WorkerCommand,
    service: ObjectName,
    endpoints: Endpoints,
    desired: watch::Receiver<u32>,
    counts: watch::Sender<Counts>,
    shutdown: CancellationToken,
    ready_sender: mpsc::UnboundedSender<Ready>,
    ready: mpsc::UnboundedReceiver<Ready>,
    members: BTreeMap<u64, Member>,
    tasks: JoinSet<Exit>,
    next_id: u64,
    crashes: u64,
    crash_loop: CrashLoop,
}

impl Supervision {
    async fn run(mut self) {
        let mut log_check = tokio::time::interval(LOG_CHECK);
        let mut platform_lives = true;
        loop {
            let is_stopping = !platform_lives || self.shutdown.is_cancelled();
            let desired = if is_stopping { 0 } else { *self.desired.borrow_and_update() };
            let wake = self.reconcile(desired, Instant::now());
            self.publish(desired);
            if is_stopping && self.members.is_empty() {
                return;
            }
            tokio::select! {
                changed = self.desired.changed(), if platform_lives => platform_lives = changed.is_ok(),
                () = self.shutdown.cancelled(), if !is_stopping => {}
                Some(ready) = self.ready.recv() => self.note_ready(&ready),
                Some(ended) = self.tasks.join_next(), if !self.tasks.is_empty() => match ended {
                    Ok(exit) => self.note_exit(&exit),
                    // A worker's task holds nothing that can panic; its process dies with the task if it does.
                    Err(error) => warn!(function = %self.command.name, %error, "worker task ended abnormally"),
                },
                () = sleep_until(wake) => {}
                _ = log_check.tick() => log::bound(&self.command.log),
            }
        }
    }

    /// Starts missing workers and stops surplus ones; returns when to look again after a crash.
    fn reconcile(&mut self, desired: u32, now: Instant) -> Option<Instant> {
        let alive = self.members.values().filter(|member| member.stage != Stage::Stopping).count();
        let desired = desired as usize;
        if alive > desired {
            self.stop_some(alive - desired);
            return None;
        }
        if alive == desired {
            return None;
        }
        if let Some(until) = self.crash_loop.wait_until(now) {
            return Some(until);
        }
        for _ in alive..desired {
            self.start_one();
        }
        None
    }

    fn start_one(&mut self) {
        let id = self.next_id;
        self.next_id += 1;
        let stop = CancellationToken::new();
        self.members.insert(id, Member { stage: Stage::Starting, address: None, stop: stop.clone() });
        let worker = worker::Worker { id, command: self.command.clone(), ready: self.ready_sender.clone(), stop };
        self.tasks.spawn(worker.run());
    }

    /// Stops the workers that have done the least: first those that do not listen yet, then the newest.
    fn stop_some(&mut self, count: usize) {
        let mut candidates: Vec<(bool, u64)> = self
            .members
            .iter()
            .filter(|(_, member)| member.stage != Stage::Stopping)
            .map(|(id, member)| (member.stage == Stage::Ready, *id))
            .collect();
        candidates.sort_by_key(|(is_ready, id)| (*is_ready, std::cmp::Reverse(*id)));
        let leaving: Vec<u64> = candidates.into_iter().take(count).map(|(_, id)| id).collect();
        for id in &leaving {
            if let Some(member) = self.members.get_mut(id) {
                member.stage = Stage::Stopping;
            }
        }
        // No event may be sent to a worker that has been told to go.
        self.set_endpoints();
        for id in &leaving {
            if let Some(member) = self.members.get(id) {
                member.stop.cancel();
            }
        }
    }

    fn note_ready(&mut self, ready: &Ready) {
        if let Some(member) = self.members.get_mut(&ready.id).filter(|member| member.stage == Stage::Starting) {
            member.stage = Stage::Ready;
            member.address = Some(ready.address);
            self.set_endpoints();
        }
    }

    fn set_endpoints(&self) {
        let ready = self.members.values().filter(|member| member.stage == Stage::Ready);
        let addresses: Vec<SocketAddr> = ready.filter_map(|member| member.address).collect();
        self.endpoints.set(&self.service, &addresses);
    }

    fn note_exit(&mut self, exit: &Exit) {
        self.members.remove(&exit.id);
        self.set_endpoints();
        let function = &self.command.name;
        match &exit.ending {
            Ending::Drained => info!(%function, worker = exit.id, "worker stopped"),
            Ending::Killed => {
                warn!(%function, worker = exit.id, "worker did not drain in time and was killed");
            }
            Ending::Crashed { reason, lived } => {
                self.crashes += 1;
                let delay = self.crash_loop.note(*lived, Instant::now());
                let log = self.command.log.display();
                warn!(%function, worker = exit.id, %reason, restart_in_ms = delay.as_millis(), %log, "worker ended unasked");
            }
        }
    }

    fn publish(&self, desired: u32) {
        let count = |stage| {
            let members = self.members.values().filter(|member| member.stage == stage).count();
            u32::try_from(members).unwrap_or(u32::MAX)
        };
        let counts = Counts {
            desired,
            starting: count(Stage::Starting),
            ready: count(Stage::Ready),
            stopping: count(Stage::Stopping),
            crashes: self.crashes,
        };
        self.counts.send_if_modified(|old| std::mem::replace(old, counts) != counts);
    }
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
