//! The loop: looks, finds, fences, replaces, says why; whatever fails is tried again with the next look.

use std::{sync::Arc, time::Duration};

use streamforge_events::Millis;
use streamforge_function::Publisher;
use streamforge_store::Store;
use tokio::time::{sleep, timeout};
use tracing::warn;

use crate::{
    cluster::Cluster,
    error::{Error, chain},
    memory::Memory,
    metrics::Metrics,
    plan::{Deadlines, Finding, Remedy, plan},
    report::{Outlook, failure},
    seen::Seen,
    tasks::{fence, tasks},
};

/// Longest time of one look and all that follows from it.
const LONGEST_LOOK: Duration = Duration::from_mins(1);

/// Longest wait after looks that failed.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// What the healer works with.
pub(crate) struct Healer {
    pub(crate) cluster: Cluster,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) publisher: Publisher,
    pub(crate) deadlines: Deadlines,
    pub(crate) metrics: Metrics,
    pub(crate) clock: fn() -> Millis,
}

impl Healer {
    /// Looks every `interval`, less often while looks fail.
    pub(crate) async fn run(self, interval: Duration) {
        let mut memory = Memory::default();
        let mut wait = interval;
        loop {
            let looked = timeout(LONGEST_LOOK, self.look(&mut memory)).await;
            let looked = looked.unwrap_or(Err(Error::Slow(LONGEST_LOOK.as_secs())));
            self.metrics.looked(looked.is_ok());
            wait = match looked {
                Ok(()) => interval,
                Err(error) => {
                    warn!(error = chain(&error), "the cluster could not be looked at, or not all be done");
                    (wait * 2).min(LONGEST_WAIT).max(interval)
                }
            };
            sleep(wait).await;
        }
    }

    /// One look, and all that follows from it; one remedy that fails keeps no other back.
    pub(crate) async fn look(&self, memory: &mut Memory) -> Result<(), Error> {
        // The tasks first: whoever has one by then has a pod by the time that pods are listed.
        let tasks = tasks(&*self.store).await?;
        let (jobs, pods) = self.cluster.objects().await?;
        let seen = Seen { now: (self.clock)(), jobs, pods, tasks };
        memory.look(&seen);
        let mut outcome = Ok(());
        for finding in plan(&seen, memory, self.deadlines) {
            match self.carry_out(&finding, seen.now).await {
                Ok(()) => {
                    warn!(
                        reason = finding.reason.as_str(),
                        kind = finding.about.kind,
                        name = finding.about.name,
                        words = finding.words,
                        "found something stuck"
                    );
                    self.metrics.found(&finding);
                    memory.note(&finding, seen.now);
                    if let Err(error) = self.cluster.say(&finding, seen.now).await {
                        // What was done is done; that it was is in the log.
                        warn!(error = chain(&error), "an event was not taken");
                    }
                }
                Err(error) => outcome = Err(error),
            }
        }
        outcome
    }

    async fn carry_out(&self, finding: &Finding, now: Millis) -> Result<(), Error> {
        match &finding.remedy {
            Remedy::Say => {}
            Remedy::Replace { job, task } => {
                // Before its Job goes, so that it can do nothing more under its lease however long it takes to go.
                if let Some(task) = task {
                    fence(&*self.store, task).await?;
                }
                self.cluster.delete(&job.object).await?;
            }
            Remedy::Repeat { task } => {
                fence(&*self.store, task).await?;
                self.publisher.publish(&failure(task, Outlook::NextAttempt, &finding.words, now)?).await?;
            }
            Remedy::GiveUp { tasks } => {
                for task in tasks {
                    self.publisher.publish(&failure(task, Outlook::None, &finding.words, now)?).await?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
