//! Looks at every function and job once a second, for the page that shows them.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use streamforge_bus::Bus;
use streamforge_events::Millis;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;
use tracing::debug;
use visualizer::{ColdStart, FunctionState, Kind, Samples};

use super::{
    JobCounts, now,
    scaling::{ScaledFunction, lags, oldest_waiting},
    wiring::Scale,
    workers::StartedJob,
};
use crate::{
    endpoints::Endpoints,
    manifest::{KafkaTrigger, ObjectName},
    supervisor::Counts,
};

const PERIOD: Duration = Duration::from_secs(1);

/// Cold starts that are kept of each function.
const STARTS: usize = 20;

/// A function or a job that is looked at.
pub(super) struct Watched {
    name: String,
    max: u32,
    triggers: Vec<KafkaTrigger>,
    counts: Source,
    /// What it was when the log last answered.
    lag: u64,
    starts: Arc<Mutex<VecDeque<ColdStart>>>,
}

enum Source {
    Workers { counts: watch::Receiver<Counts>, service: ObjectName, endpoints: Endpoints },
    Runs(watch::Receiver<JobCounts>),
}

impl Watched {
    /// Watches the workers of a function.
    pub(super) fn function(function: &ScaledFunction, counts: watch::Receiver<Counts>, endpoints: Endpoints) -> Self {
        let (max, triggers) = match &function.scale {
            Scale::OnLag { rules, .. } => (rules.max, rules.triggers.clone()),
            Scale::Fixed(count) => (*count, Vec::new()),
        };
        let source = Source::Workers { counts, service: function.service.clone(), endpoints };
        Self::new(function.name.clone(), max, triggers, source)
    }

    /// Watches the runs of a job.
    pub(super) fn job(job: &StartedJob) -> Self {
        let rules = &job.jobs.rules;
        Self::new(job.name.clone(), rules.max, rules.triggers.clone(), Source::Runs(job.counts.clone()))
    }

    fn new(name: String, max: u32, triggers: Vec<KafkaTrigger>, counts: Source) -> Self {
        Self { name, max, triggers, counts, lag: 0, starts: Arc::default() }
    }

    async fn look(&mut self, bus: &dyn Bus) -> FunctionState {
        match lags(bus, &self.triggers).await {
            Ok(lags) => self.lag = lags.iter().flatten().fold(0, |sum: u64, part| sum.saturating_add(*part)),
            Err(error) => debug!(name = self.name, %error, "lag is not known"),
        }
        let (kind, replicas, wanted) = match &self.counts {
            Source::Workers { counts, service, endpoints } => {
                if let Some(answered) = endpoints.first_answer(service) {
                    note_answer(&mut self.starts(), answered);
                }
                (Kind::Function, counts.borrow().ready, counts.borrow().desired)
            }
            Source::Runs(counts) => {
                let JobCounts { pending, running, .. } = *counts.borrow();
                (Kind::Job, running, running + pending)
            }
        };
        let cold_starts = self.starts().iter().cloned().collect();
        FunctionState {
            name: self.name.clone(),
            kind,
            replicas: Some(replicas),
            wanted: Some(wanted),
            lag: self.lag,
            max: Some(self.max),
            cold_starts: Some(cold_starts),
        }
    }

    fn starts(&self) -> MutexGuard<'_, VecDeque<ColdStart>> {
        // A panic while holding the lock cannot leave it half changed.
        self.starts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at all of them until the shutdown.
pub(super) async fn run(bus: Arc<dyn Bus>, mut watched: Vec<Watched>, samples: Samples, shutdown: CancellationToken) {
    let mut followers = JoinSet::new();
    for one in &watched {
        let (bus, triggers, starts) = (Arc::clone(&bus), one.triggers.clone(), Arc::clone(&one.starts));
        match &one.counts {
            Source::Workers { counts, .. } => {
                let wanted_and_there = |counts: &Counts| (counts.desired, counts.ready);
                followers.spawn(follow(counts.clone(), wanted_and_there, bus, triggers, starts));
            }
            // A run is there when it has claimed a task.
            Source::Runs(counts) => {
                let wanted_and_there = |counts: &JobCounts| (counts.pending + counts.running, counts.running);
                followers.spawn(follow(counts.clone(), wanted_and_there, bus, triggers, starts));
            }
        }
    }
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let mut functions = Vec::with_capacity(watched.len());
        for one in &mut watched {
            functions.push(one.look(bus.as_ref()).await);
        }
        samples.add(now(), functions);
    }
}

/// Notes how long it takes from the moment at which a function or job that sleeps is woken until one is there.
async fn follow<C>(
    mut counts: watch::Receiver<C>,
    wanted_and_there: fn(&C) -> (u32, u32),
    bus: Arc<dyn Bus>,
    triggers: Vec<KafkaTrigger>,
    starts: Arc<Mutex<VecDeque<ColdStart>>>,
) {
    let (mut woken, mut scale_ms) = (None, None);
    while counts.changed().await.is_ok() {
        let (desired, ready) = wanted_and_there(&counts.borrow_and_update());
        let was_asleep = woken.is_none();
        let start = started(&mut woken, desired, ready, now());
        if let Some(at) = woken.filter(|_| was_asleep) {
            // What waits is read before the worker that is to take it can be there.
            let oldest = oldest_waiting(bus.as_ref(), &triggers).await.ok().flatten();
            scale_ms = oldest.map(|oldest| at.saturating_sub(oldest).max(0));
        }
        if let Some(mut start) = start {
            start.scale_ms = scale_ms.take();
            let mut starts = starts.lock().unwrap_or_else(PoisonError::into_inner);
            starts.push_back(start);
            if starts.len() > STARTS {
                starts.pop_front();
            }
        }
    }
}

/// The cold start that is over with these counts; `woken` is when the one under way began.
fn started(woken: &mut Option<Millis>, desired: u32, ready: u32, now: Millis) -> Option<ColdStart> {
    match (desired, ready) {
        (0, _) => *woken = None,
        (_, 0) => {
            woken.get_or_insert(now);
        }
        _ => {
            let ready_ms = |at: Millis| now.saturating_sub(at).max(0);
            return woken.take().map(|at| ColdStart {
                at,
                scale_ms: None,
                ready_ms: ready_ms(at),
                first_event_ms: None,
            });
        }
    }
    None
}

/// Adds to the last cold start when its first event was answered.
fn note_answer(starts: &mut VecDeque<ColdStart>, answered: Millis) {
    if let Some(start) = starts.back_mut().filter(|start| start.first_event_ms.is_none()) {
        // An answer of before belongs to workers that are gone.
        let since_ready = answered - start.at.saturating_add(start.ready_ms);
        start.first_event_ms = (answered >= start.at).then_some(since_ready.max(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cold_start_lasts_from_the_wish_to_the_first_worker() {
        let mut woken = None;
        let steps = [(0, 0, 1, None), (1, 0, 2, None), (1, 0, 3, None), (1, 1, 9, Some((2, 7))), (2, 1, 10, None)];
        // Given up before it was there, and back again.
        let steps = steps.into_iter().chain([(0, 0, 20, None), (1, 0, 21, None), (0, 0, 22, None), (1, 0, 30, None)]);
        for (desired, ready, now, expected) in steps.chain([(3, 2, 31, Some((30, 1)))]) {
            let found = started(&mut woken, desired, ready, now).map(|start| (start.at, start.ready_ms));
            assert_eq!(found, expected, "at {now}");
        }
    }

    #[test]
    fn a_cold_start_ends_with_the_first_answer_of_its_own_workers() {
        let start = |at| ColdStart { at, scale_ms: None, ready_ms: 10, first_event_ms: None };
        let mut starts = VecDeque::from([start(100), start(200)]);
        for (answered, expected) in [(150, None), (230, Some(20)), (999, Some(20))] {
            note_answer(&mut starts, answered);
            assert_eq!(starts.back().and_then(|start| start.first_event_ms), expected, "at {answered}");
        }
        assert_eq!(starts.front(), Some(&start(100)));
        note_answer(&mut VecDeque::new(), 5);
    }
}
