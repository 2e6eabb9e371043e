//! From a look to what is stuck, why, and what is done about it; pure.
//!
//! That a task makes no progress is not judged here: the workflow engine gives it out again after its deadline, and
//! whoever still holds it for an earlier attempt is stuck. What runs slowly and tells of it is never found.

use streamforge_events::Millis;

use crate::{
    memory::Memory,
    reason::Reason,
    seen::{Job, JobState, Object, Pod, PodState, Seen, Stage, Task},
};

/// How often Jobs that do not begin are replaced before their tasks are given up, each time after twice the time.
const ROUNDS: u32 = 3;

/// Jobs in a row that fail before they take a task until nobody believes in the next one.
const HOPELESS: usize = 3;

/// How much longer an image may be on its way than a container may take to be made.
const PULL: Millis = 5;

/// How long is waited for what.
///
/// # Units
/// Milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadlines {
    /// From a place on a node to a container that runs, and from there to a task.
    pub(crate) start: Millis,
    /// For a place on a node.
    pub(crate) pending: Millis,
}

/// Something that is stuck.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) reason: Reason,
    pub(crate) about: Object,
    /// For people.
    pub(crate) words: String,
    pub(crate) remedy: Remedy,
}

/// What is done.
#[derive(Clone, Debug)]
pub(crate) enum Remedy {
    /// Nothing but to say so.
    Say,
    /// The holder of the task, if it is known, is fenced and its Job deleted; KEDA makes another for the task's record.
    Replace { job: Job, task: Option<Task> },
    /// The holder is fenced and its attempt reported as failed, so that the workflow gives out the next one.
    Repeat { task: Task },
    /// The tasks are reported as failed for good.
    GiveUp { tasks: Vec<Task> },
}

/// What is stuck and not yet dealt with.
pub(crate) fn plan(seen: &Seen, memory: &Memory, deadlines: Deadlines) -> Vec<Finding> {
    let mut findings = superseded(seen, memory);
    findings.extend(dead(seen));
    for pod in &seen.pods {
        let found = match pod.job.as_ref().map(|uid| job_of(seen, uid)) {
            None => unattended(pod, seen, deadlines).into_iter().collect(),
            // A Job that is no longer there, or is not one of ours.
            Some(None) => Vec::new(),
            Some(Some(job)) if job.state != JobState::Active => Vec::new(),
            Some(Some(job)) => of_job(pod, job, seen, memory, deadlines),
        };
        findings.extend(found);
    }
    findings.extend(podless(seen, deadlines));
    findings.extend(hopeless(seen));
    fresh(findings, memory)
}

/// Pods at an attempt after which the workflow has given out a later one, whether that was taken already or not.
fn superseded(seen: &Seen, memory: &Memory) -> Vec<Finding> {
    let found = |pod: &Pod| {
        let job = job_of(seen, pod.job.as_ref()?).filter(|job| job.state == JobState::Active)?;
        let earlier = |task: &Task| memory.claim(&pod.host, task).filter(|attempt| *attempt < task.attempt);
        let (task, attempt) = seen.tasks.iter().find_map(|task| Some((task, earlier(task)?)))?;
        // One that is leaving may have handed its task on, and its Job may have another pod at it already.
        if matches!(pod.state, PodState::Failed { .. } | PodState::Succeeded | PodState::Leaving) {
            return None;
        }
        let words = format!(
            "attempt {attempt} at task {} of workflow {} told of no progress in time; attempt {} takes its place",
            task.id, task.queue_id, task.attempt
        );
        let holder = task.lease.as_ref().and_then(|lease| lease.holder.as_ref());
        let task = holder.is_some_and(|holder| holder.process == pod.host).then(|| task.clone());
        let remedy = Remedy::Replace { job: job.clone(), task };
        Some(Finding { reason: Reason::NoProgress, about: job.object.clone(), words, remedy })
    };
    seen.pods.iter().filter_map(found).collect()
}

/// Tasks whose pod has ended or gone without giving them back.
fn dead(seen: &Seen) -> Vec<Finding> {
    let found = |task: &Task| {
        let lease = task.lease.as_ref().filter(|lease| lease.until <= seen.now)?;
        let holder = lease.holder.as_ref().filter(|holder| holder.attempt == task.attempt)?;
        let pod = seen.pods.iter().find(|pod| pod.host == holder.process);
        let (about, words) = match pod.map(|pod| (&pod.object, &pod.state)) {
            Some((object, PodState::Failed { words })) => (object.clone(), words.clone()),
            Some(_) => return None,
            None => {
                let gone = Object { kind: "Pod", name: holder.process.clone(), uid: String::new() };
                (gone, "its pod is gone".to_owned())
            }
        };
        let words = format!("{} died at task {} of workflow {}: {words}", task.function, task.id, task.queue_id);
        Some(Finding { reason: Reason::Died, about, words, remedy: Remedy::Repeat { task: task.clone() } })
    };
    seen.tasks.iter().filter(|task| task.stage != Stage::Pausing).filter_map(found).collect()
}

/// What is wrong with a pod whose Job is at work.
fn of_job(pod: &Pod, job: &Job, seen: &Seen, memory: &Memory, deadlines: Deadlines) -> Vec<Finding> {
    let replace = |reason, words| {
        let remedy = Remedy::Replace { job: job.clone(), task: None };
        Finding { reason, about: job.object.clone(), words, remedy }
    };
    match &pod.state {
        PodState::Waiting { since, why, words } => {
            let rounds = memory.rounds(&job.program).min(ROUNDS);
            let waited = seen.now - since;
            if waited < patience(*why, deadlines) << rounds {
                return Vec::new();
            }
            let words = format!("it waits since {} s: {words}", waited / 1000);
            if *why == Reason::NoRoom {
                // Another Job would wait for the same room, and longer.
                return vec![Finding { reason: *why, about: pod.object.clone(), words, remedy: Remedy::Say }];
            }
            let given_up = give_up(*why, job, *since, seen, || {
                format!("{} does not begin, {ROUNDS} Jobs were replaced: {words}", job.program)
            });
            let given_up = given_up.filter(|_| rounds == ROUNDS);
            given_up.into_iter().chain([replace(*why, words.clone())]).collect()
        }
        PodState::Running { since } => {
            let idle = memory.idle_since(&pod.object.uid).filter(|_| !holds_otherwise(&job.program, seen));
            let idle = idle.map(|idle| seen.now - idle.max(*since)).filter(|idle| *idle >= deadlines.start);
            let words = |idle: Millis| format!("it runs and has had no task for {} s", idle / 1000);
            idle.map(|idle| replace(Reason::NoTask, words(idle))).into_iter().collect()
        }
        PodState::Failed { .. } | PodState::Succeeded | PodState::Leaving => Vec::new(),
    }
}

/// A pod that others replace.
fn unattended(pod: &Pod, seen: &Seen, deadlines: Deadlines) -> Option<Finding> {
    let PodState::Waiting { since, why, words } = &pod.state else { return None };
    let waited = seen.now - since;
    let words = format!("it waits since {} s: {words}", waited / 1000);
    let is_due = waited >= patience(*why, deadlines);
    is_due.then(|| Finding { reason: *why, about: pod.object.clone(), words, remedy: Remedy::Say })
}

/// Jobs that never came to a pod: a quota is used up, or an admission refuses it.
fn podless(seen: &Seen, deadlines: Deadlines) -> impl Iterator<Item = Finding> {
    let is_due = move |job: &&Job| {
        let has_pod = seen.pods.iter().any(|pod| pod.job.as_ref() == Some(&job.object.uid));
        job.state == JobState::Active && !has_pod && seen.now - job.created >= deadlines.pending
    };
    seen.jobs.iter().filter(is_due).map(|job| {
        let words = "it has no pod; the events of the Job say why".to_owned();
        Finding { reason: Reason::NotCreated, about: job.object.clone(), words, remedy: Remedy::Say }
    })
}

/// Programs whose last Jobs all failed while a task waited for any of them.
fn hopeless(seen: &Seen) -> Vec<Finding> {
    let mut ended: Vec<&Job> =
        seen.jobs.iter().filter(|job| matches!(job.state, JobState::Failed { .. } | JobState::Succeeded)).collect();
    ended.sort_by(|one, other| (&one.program, other.created).cmp(&(&other.program, one.created)));
    let programs = ended.chunk_by(|one, other| one.program == other.program);
    let found = |jobs: &[&Job]| {
        let last = jobs.get(..HOPELESS)?;
        let all_failed = last.iter().all(|job| matches!(job.state, JobState::Failed { .. }));
        let (newest, oldest) = (last.first()?, last.last()?);
        if !all_failed || runs(&newest.program, seen) {
            return None;
        }
        let words = || {
            let of = |pod: &&Pod| pod.job.as_ref() == Some(&newest.object.uid);
            let words = seen.pods.iter().filter(of).find_map(|pod| match &pod.state {
                PodState::Failed { words } => Some(words.as_str()),
                _ => None,
            });
            let words = words.unwrap_or("its pods are gone");
            format!("{} failed {HOPELESS} times in a row before it took a task: {words}", newest.program)
        };
        give_up(Reason::CrashLoop, newest, oldest.created, seen, words)
    };
    programs.filter_map(found).collect()
}

/// Gives up the tasks that wait for a program since before that time, if there are any.
fn give_up(reason: Reason, job: &Job, since: Millis, seen: &Seen, words: impl Fn() -> String) -> Option<Finding> {
    let waits = |task: &&Task| {
        task.function == job.program && task.stage == Stage::Sent && task.lease.is_none() && task.heard_at <= since
    };
    let tasks: Vec<Task> = seen.tasks.iter().filter(waits).cloned().collect();
    let remedy = Remedy::GiveUp { tasks };
    let has_tasks = matches!(&remedy, Remedy::GiveUp { tasks } if !tasks.is_empty());
    has_tasks.then(|| Finding { reason, about: job.object.clone(), words: words(), remedy })
}

/// Leaves out what was said, asked for or reported before, and all but the first remedy for a Job.
fn fresh(findings: Vec<Finding>, memory: &Memory) -> Vec<Finding> {
    let mut jobs = Vec::new();
    let mut all = Vec::new();
    for mut finding in findings {
        let is_new = match &mut finding.remedy {
            Remedy::Say => !memory.has_said(&finding.about.uid, finding.reason),
            Remedy::Replace { job, .. } => {
                let is_new = !memory.has_asked(&job.object.uid) && !jobs.contains(&job.object.uid);
                jobs.push(job.object.uid.clone());
                is_new
            }
            Remedy::Repeat { task } => !memory.has_reported(task),
            Remedy::GiveUp { tasks } => {
                tasks.retain(|task| !memory.has_reported(task));
                !tasks.is_empty()
            }
        };
        if is_new {
            all.push(finding);
        }
    }
    all
}

fn patience(why: Reason, deadlines: Deadlines) -> Millis {
    match why {
        Reason::Unschedulable | Reason::NoRoom => deadlines.pending,
        Reason::SlowPull => deadlines.start.saturating_mul(PULL),
        _ => deadlines.start,
    }
}

fn job_of<'a>(seen: &'a Seen, uid: &str) -> Option<&'a Job> {
    seen.jobs.iter().find(|job| job.object.uid == uid)
}

fn runs(program: &str, seen: &Seen) -> bool {
    let of_program = |pod: &&Pod| {
        let job = pod.job.as_ref().and_then(|uid| job_of(seen, uid));
        job.is_some_and(|job| job.program == program)
    };
    seen.pods.iter().filter(of_program).any(|pod| matches!(pod.state, PodState::Running { .. }))
}

/// Whether somebody who does not say which pod they are holds a task of the program: it may be any of them.
fn holds_otherwise(program: &str, seen: &Seen) -> bool {
    let mut leases = seen.tasks.iter().filter(|task| task.function == program).filter_map(|task| task.lease.as_ref());
    leases.any(|lease| lease.holder.is_none() && lease.until > seen.now)
}

#[cfg(test)]
mod tests;
