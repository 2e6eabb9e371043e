//! What the healer remembers between two looks; a process that begins anew is only more patient.

use std::collections::{BTreeMap, BTreeSet};

use streamforge_events::Millis;

use crate::{
    plan::{Finding, Remedy},
    reason::Reason,
    seen::{JobState, Pod, PodState, Seen, Task},
};

/// How long the API server has to show that a Job is being deleted.
const PATIENCE: Millis = 30_000;

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// What was said of which object.
    said: BTreeSet<(String, Reason)>,
    /// When the deletion of a Job was asked for.
    asked: BTreeMap<String, Millis>,
    /// Since when a pod runs and has no task.
    idle: BTreeMap<String, Millis>,
    /// How often Jobs of a program were replaced in a row because they did not begin.
    rounds: BTreeMap<String, Rounds>,
    /// The attempt that a pod was last seen to hold: somebody else may have taken it meanwhile.
    claims: BTreeMap<String, (String, String, u32)>,
    /// Attempts at tasks that were reported.
    reported: BTreeSet<(String, String, u32)>,
}

#[derive(Debug, Default)]
struct Rounds {
    count: u32,
    last: Millis,
}

impl Memory {
    /// Takes in a look, and forgets what is gone.
    pub(crate) fn look(&mut self, seen: &Seen) {
        let uids: BTreeSet<&str> = seen.jobs.iter().map(|job| job.object.uid.as_str()).collect();
        self.asked.retain(|uid, at| uids.contains(uid.as_str()) && seen.now - *at < PATIENCE);
        let pods: BTreeSet<&str> = seen.pods.iter().map(|pod| pod.object.uid.as_str()).collect();
        self.said.retain(|(uid, _)| uids.contains(uid.as_str()) || pods.contains(uid.as_str()));
        let tasks: BTreeSet<_> = seen.tasks.iter().map(name).collect();
        self.reported.retain(|reported| tasks.contains(reported));
        let idle = seen.pods.iter().filter(|pod| is_idle(pod, seen)).map(|pod| {
            let since = self.idle.get(&pod.object.uid).map_or(seen.now, |since| *since.min(&seen.now));
            (pod.object.uid.clone(), since)
        });
        self.idle = idle.collect();
        let hosts: BTreeSet<&str> = seen.pods.iter().map(|pod| pod.host.as_str()).collect();
        self.claims.retain(|host, _| hosts.contains(host.as_str()));
        self.claims.extend(seen.tasks.iter().filter_map(|task| {
            let holder = task.lease.as_ref()?.holder.as_ref()?;
            Some((holder.process.clone(), (task.queue_id.to_string(), task.id.clone(), holder.attempt)))
        }));
        self.rounds.retain(|program, rounds| !has_begun(program, rounds.last, seen));
    }

    /// Notes that something was done.
    pub(crate) fn note(&mut self, finding: &Finding, now: Millis) {
        match &finding.remedy {
            Remedy::Say => drop(self.said.insert((finding.about.uid.clone(), finding.reason))),
            Remedy::Replace { job, .. } => {
                self.asked.insert(job.object.uid.clone(), now);
                if !matches!(finding.reason, Reason::NoProgress | Reason::NoTask) {
                    let rounds = self.rounds.entry(job.program.clone()).or_default();
                    // Jobs that were there at the last replacement are part of the same round.
                    if job.created >= rounds.last {
                        *rounds = Rounds { count: rounds.count.saturating_add(1), last: now };
                    }
                }
            }
            Remedy::Repeat { task } => drop(self.reported.insert(name(task))),
            Remedy::GiveUp { tasks } => self.reported.extend(tasks.iter().map(name)),
        }
    }

    pub(crate) fn has_said(&self, uid: &str, reason: Reason) -> bool {
        self.said.contains(&(uid.to_owned(), reason))
    }

    pub(crate) fn has_asked(&self, uid: &str) -> bool {
        self.asked.contains_key(uid)
    }

    pub(crate) fn has_reported(&self, task: &Task) -> bool {
        self.reported.contains(&name(task))
    }

    /// At which attempt at the task a pod was last seen, if at any.
    pub(crate) fn claim(&self, host: &str, task: &Task) -> Option<u32> {
        let (queue_id, id, attempt) = self.claims.get(host)?;
        (task.queue_id.as_str() == queue_id && task.id == *id).then_some(*attempt)
    }

    pub(crate) fn rounds(&self, program: &str) -> u32 {
        self.rounds.get(program).map_or(0, |rounds| rounds.count)
    }

    pub(crate) fn idle_since(&self, uid: &str) -> Option<Millis> {
        self.idle.get(uid).copied()
    }
}

fn name(task: &Task) -> (String, String, u32) {
    (task.queue_id.to_string(), task.id.clone(), task.attempt)
}

/// Whether a pod of a Job runs and has no task at the attempt that is waited for.
fn is_idle(pod: &Pod, seen: &Seen) -> bool {
    let has_it = |task: &Task| {
        let holder = task.lease.as_ref().and_then(|lease| lease.holder.as_ref());
        holder.is_some_and(|holder| holder.process == pod.host && holder.attempt == task.attempt)
    };
    pod.job.is_some() && matches!(pod.state, PodState::Running { .. }) && !seen.tasks.iter().any(has_it)
}

/// Whether a Job of the program has begun since then.
fn has_begun(program: &str, since: Millis, seen: &Seen) -> bool {
    let mut jobs = seen.jobs.iter().filter(|job| job.program == program && job.created >= since);
    jobs.any(|job| {
        let mut own = seen.pods.iter().filter(|pod| pod.job.as_ref() == Some(&job.object.uid));
        job.state == JobState::Succeeded || own.any(|pod| matches!(pod.state, PodState::Running { .. }))
    })
}
