//! Follows the lag of every job's topic and starts runs of it: KEDA's `ScaledJob` on one machine.
//!
//! A run counts as pending until it says that it has taken its task. One that cannot even begin would leave the task in
//! the log and its workflow waiting, so after a few failures in a row, or without the program, the platform itself
//! answers for the job. It also tells of a run that died with its task, which would be missed only after a while.

mod answer;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use streamforge_bus::Bus;
use streamforge_events::ControlCommand;
use streamforge_function::Publisher;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::scaling::{SHORTEST_WAIT, lags};
use crate::{
    scaler::{JobRules, runs_to_start},
    supervisor::{Claimed, CrashLoop, Run, RunEnding, RunExit, WorkerCommand},
};

/// Runs in a row that end before they take their task until nobody believes in the next one.
const HOPELESS: u32 = 3;

/// How many runs of a job there are, and how they ended since the platform's start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobCounts {
    /// Runs that have not taken a task.
    pub pending: u32,
    /// Runs that work on a task.
    pub running: u32,
    /// Runs that ended well.
    pub done: u64,
    /// Runs that ended otherwise.
    pub failed: u64,
}

/// A job and its runs.
pub(super) struct Jobs {
    pub(super) bus: Arc<dyn Bus>,
    pub(super) publisher: Publisher,
    pub(super) rules: JobRules,
    pub(super) polling_interval: Duration,
    pub(super) command: WorkerCommand,
    pub(super) counts: watch::Sender<JobCounts>,
}

/// A job at work.
struct Running {
    job: Jobs,
    /// The task that each run has taken.
    runs: BTreeMap<u64, Option<ControlCommand>>,
    tasks: JoinSet<RunExit>,
    claims: (mpsc::UnboundedSender<Claimed>, mpsc::UnboundedReceiver<Claimed>),
    stop: CancellationToken,
    next_id: u64,
    counts: JobCounts,
    crash_loop: CrashLoop,
    /// No run is to begin before this.
    rest_until: Option<Instant>,
    /// Why runs ended in a row before they took a task.
    failures: Vec<String>,
}

impl Jobs {
    /// Starts runs until the shutdown, then stops those that there are.
    pub(super) async fn run(self, shutdown: CancellationToken) {
        let mut appended = self.bus.appended();
        let mut running = Running {
            job: self,
            runs: BTreeMap::new(),
            tasks: JoinSet::new(),
            claims: mpsc::unbounded_channel(),
            stop: shutdown.child_token(),
            next_id: 0,
            counts: JobCounts::default(),
            crash_loop: CrashLoop::default(),
            rest_until: None,
            failures: Vec::new(),
        };
        loop {
            appended.borrow_and_update();
            let now = Instant::now();
            if shutdown.is_cancelled() {
                if running.tasks.is_empty() {
                    return;
                }
            } else {
                running.attend(now).await;
            }
            running.publish();
            let next = running.rest_until.filter(|until| *until > now).unwrap_or(now + running.job.polling_interval);
            tokio::select! {
                () = shutdown.cancelled(), if !shutdown.is_cancelled() => {}
                Some(claimed) = running.claims.1.recv() => running.note_claim(claimed),
                Some(ended) = running.tasks.join_next(), if !running.tasks.is_empty() => match ended {
                    Ok(exit) => running.note_exit(exit).await,
                    // The task of a run holds nothing that can panic; its process dies with the task if it does.
                    Err(error) => warn!(job = %running.job.command.name, %error, "run ended abnormally"),
                },
                _ = appended.changed(), if !shutdown.is_cancelled() => {
                    tokio::time::sleep_until(now + SHORTEST_WAIT).await;
                }
                () = tokio::time::sleep_until(next.max(now + SHORTEST_WAIT)) => {}
            }
        }
    }
}

impl Running {
    /// Looks at the lag and starts the runs that are missing, or answers for those that cannot be.
    async fn attend(&mut self, now: Instant) {
        if self.rest_until.is_some_and(|until| until > now) {
            return;
        }
        self.rest_until = None;
        let name = &self.job.command.name;
        let lags = match lags(self.job.bus.as_ref(), &self.job.rules.triggers).await {
            Ok(lags) => lags,
            Err(error) => return warn!(job = %name, %error, "lag is not known"),
        };
        let count = |has_claimed: bool| self.runs.values().filter(|task| task.is_some() == has_claimed).count();
        let pending = u32::try_from(count(false)).unwrap_or(u32::MAX);
        let running = u32::try_from(self.runs.len()).unwrap_or(u32::MAX);
        let missing = runs_to_start(&self.job.rules, &lags, running, pending);
        if missing == 0 {
            return;
        }
        if let Some(words) = self.hopeless() {
            if self.runs.is_empty() {
                warn!(job = %name, reason = %words, "job cannot run, its tasks are answered with an error");
                self.failures.clear();
                if let Err(error) = self.job.refuse_waiting(&words).await {
                    warn!(job = %self.job.command.name, %error, "waiting tasks could not be answered");
                    self.rest_until = Some(now + self.job.polling_interval);
                }
            }
            return;
        }
        info!(job = %name, lag = lags.iter().flatten().sum::<u64>(), runs = running, starting = missing, "scaling");
        for _ in 0..missing {
            self.start_one();
        }
    }

    /// Why the next run would be in vain.
    fn hopeless(&self) -> Option<String> {
        let WorkerCommand { name, program, log, .. } = &self.job.command;
        if !program.is_file() {
            let program = program.display();
            return Some(format!(
                "the job `{name}` cannot run: there is no program `{program}`; build it with `cargo build -p {name}`, \
                 or name the folder that holds it by `--job-path` or STREAMFORGE_JOB_PATH"
            ));
        }
        let last = self.failures.last().filter(|_| self.failures.len() >= HOPELESS as usize)?;
        let log = log.display();
        Some(format!("the job `{name}` ended {HOPELESS} times before it took its task: {last}; its log is `{log}`"))
    }

    fn start_one(&mut self) {
        let id = self.next_id;
        self.next_id += 1;
        self.runs.insert(id, None);
        let (command, claimed, stop) = (self.job.command.clone(), self.claims.0.clone(), self.stop.child_token());
        self.tasks.spawn(Run { id, command, claimed, stop }.run());
    }

    fn note_claim(&mut self, claimed: Claimed) {
        if let Some(task) = self.runs.get_mut(&claimed.id) {
            *task = Some(claimed.command);
            self.failures.clear();
        }
    }

    async fn note_exit(&mut self, exit: RunExit) {
        // Its last word may still be on its way here.
        while let Ok(claimed) = self.claims.1.try_recv() {
            self.note_claim(claimed);
        }
        let task = self.runs.remove(&exit.id).flatten();
        let has_claimed = task.is_some();
        let (job, run, log) = (&self.job.command.name, exit.id, self.job.command.log.display());
        match exit.ending {
            RunEnding::Done => {
                info!(%job, run, "job ended");
                self.counts.done += 1;
                self.failures.clear();
                if !has_claimed {
                    // There was nothing to take, whatever the lag says: others are at it.
                    self.rest_until = Some(Instant::now() + self.job.polling_interval);
                }
            }
            RunEnding::Stopped => info!(%job, run, "job stopped"),
            RunEnding::Failed(reason) => {
                warn!(%job, run, %reason, took_its_task = has_claimed, %log, "job failed");
                self.counts.failed += 1;
                if let Some(task) = task {
                    if let Err(error) = self.job.tell_of_death(task, &reason).await {
                        warn!(%job, run, %error, "the end of a run is not told; its task is missed after a while");
                    }
                } else {
                    let now = Instant::now();
                    self.rest_until = Some(now + self.crash_loop.note(Duration::ZERO, now));
                    self.failures.push(reason);
                }
            }
        }
    }

    fn publish(&mut self) {
        let claimed = u32::try_from(self.runs.values().flatten().count()).unwrap_or(u32::MAX);
        self.counts.running = claimed;
        self.counts.pending = u32::try_from(self.runs.len()).unwrap_or(u32::MAX).saturating_sub(claimed);
        let counts = self.counts;
        self.job.counts.send_if_modified(|old| std::mem::replace(old, counts) != counts);
    }
}
