//! Tables: what is found in which cluster, and what is left alone.

use streamforge_function::Holder;

use super::*;
use crate::seen::Lease;

const SECOND: Millis = 1_000;
const NOW: Millis = 10_000 * SECOND;
const DEADLINES: Deadlines = Deadlines { start: 120 * SECOND, pending: 1_800 * SECOND };

fn object(kind: &'static str, name: &str) -> Object {
    Object { kind, name: name.to_owned(), uid: format!("{kind}-{name}") }
}

fn job(name: &str, age: Millis, state: JobState) -> Job {
    Job { object: object("Job", name), program: "gnn-trainer".to_owned(), created: NOW - age * SECOND, state }
}

/// A pod of the Job of that name.
fn pod(job: &str, state: PodState) -> Pod {
    Pod { object: object("Pod", job), host: job.to_owned(), job: Some(format!("Job-{job}")), state }
}

fn waiting(why: Reason, seconds: Millis) -> PodState {
    PodState::Waiting { since: NOW - seconds * SECOND, why, words: "words".to_owned() }
}

fn running(seconds: Millis) -> PodState {
    PodState::Running { since: NOW - seconds * SECOND }
}

fn failed() -> PodState {
    PodState::Failed { words: "it ended with exit code 137".to_owned() }
}

/// A task at this attempt, silent for so long.
fn task(attempt: u32, stage: Stage, seconds: Millis) -> Task {
    Task {
        queue_id: "wf-multi-gnn_train-20250101-a1b2c3".parse().unwrap(),
        id: "train-0".to_owned(),
        function: "gnn-trainer".to_owned(),
        kind: "gnn_train".to_owned(),
        symbol: "BTCUSDT".parse().unwrap(),
        attempt,
        stage,
        heard_at: NOW - seconds * SECOND,
        lease: None,
    }
}

/// The same in the hands of a pod, whose lease goes on for so long.
fn held(task: Task, process: &str, attempt: u32, seconds: Millis) -> Task {
    let holder = Holder { process: process.to_owned(), attempt };
    Task {
        lease: Some(Lease { words: holder.to_string(), holder: Some(holder), until: NOW + seconds * SECOND }),
        ..task
    }
}

fn seen(jobs: Vec<Job>, pods: Vec<Pod>, tasks: Vec<Task>) -> Seen {
    Seen { now: NOW, jobs, pods, tasks }
}

/// One Job, its pod and tasks.
fn one(state: PodState, tasks: Vec<Task>) -> Seen {
    seen(vec![job("a", 4_000, JobState::Active)], vec![pod("a", state)], tasks)
}

fn at(seen: &Seen, later: Millis) -> Seen {
    Seen { now: seen.now + later * SECOND, ..seen.clone() }
}

/// Reason, object and remedy of each finding.
fn found(seen: &Seen, memory: &mut Memory) -> Vec<String> {
    memory.look(seen);
    let show = |finding: Finding| {
        let remedy = match &finding.remedy {
            Remedy::Say => "say".to_owned(),
            Remedy::Replace { job, task } => {
                let fenced = task.as_ref().and_then(|task| task.lease.as_ref()).map(|lease| lease.words.clone());
                format!(
                    "replace {}{}",
                    job.object.name,
                    fenced.map(|words| format!(" fence {words}")).unwrap_or_default()
                )
            }
            Remedy::Repeat { task } => format!("repeat {}", task.attempt),
            Remedy::GiveUp { tasks } => format!("give up {}", tasks.len()),
        };
        format!("{} {}: {remedy}", finding.reason.as_str(), finding.about.name)
    };
    plan(seen, memory, DEADLINES).into_iter().map(show).collect()
}

fn first(seen: &Seen) -> Vec<String> {
    found(seen, &mut Memory::default())
}

const NOTHING: [&str; 0] = [];

#[test]
fn a_job_that_does_not_begin_is_replaced_after_its_deadline() {
    for (why, deadline) in [
        (Reason::ImagePull, 120),
        (Reason::NotCreated, 120),
        (Reason::CrashLoop, 120),
        (Reason::SlowPull, 600),
        (Reason::Unschedulable, 1_800),
    ] {
        assert_eq!(first(&one(waiting(why, deadline - 1), vec![])), NOTHING, "{why:?}");
        let expected = format!("{} a: replace a", why.as_str());
        assert_eq!(first(&one(waiting(why, deadline), vec![])), [expected]);
    }
}

#[test]
fn who_waits_for_room_is_left_in_the_queue() {
    assert_eq!(first(&one(waiting(Reason::NoRoom, 1_799), vec![])), NOTHING);
    assert_eq!(first(&one(waiting(Reason::NoRoom, 1_800), vec![])), ["NoRoom a: say"]);
}

#[test]
fn a_stuck_trainer_is_fenced_and_replaced_once_its_task_is_given_out_again() {
    // The lease says nothing: a trainer that hangs may go on renewing it, one that is stopped does not.
    for until in [-110, 8] {
        let stuck = held(task(2, Stage::Sent, 1), "a", 1, until);
        assert_eq!(first(&one(running(4_000), vec![stuck])), ["NoProgress a: replace a fence a#1"]);
    }
    let gone = held(task(2, Stage::Sent, 1), "elsewhere", 1, 8);
    let busy = held(Task { id: "train-1".to_owned(), ..task(1, Stage::Begun, 1) }, "a", 1, 8);
    assert_eq!(first(&one(running(4_000), vec![gone, busy])), NOTHING);
}

#[test]
fn a_stuck_trainer_whose_task_was_taken_already_is_known_by_what_it_held() {
    let mut memory = Memory::default();
    let began = one(running(4_000), vec![held(task(1, Stage::Begun, 1), "a", 1, 8)]);
    assert_eq!(found(&began, &mut memory), NOTHING);
    let taken = one(running(4_000), vec![held(task(2, Stage::Begun, 1), "b", 2, 900)]);
    assert_eq!(found(&taken, &mut memory), ["NoProgress a: replace a"]);
    // It noticed and ended by itself.
    let left = one(PodState::Succeeded, vec![held(task(2, Stage::Begun, 1), "b", 2, 900)]);
    assert_eq!(found(&left, &mut memory), NOTHING);
}

#[test]
fn a_healthy_slow_trainer_is_left_alone() {
    for silent in [1, 119, 100_000] {
        let slow = held(task(1, Stage::Begun, silent), "a", 1, 8);
        assert_eq!(first(&one(running(90_000), vec![slow])), NOTHING, "{silent} s");
    }
    // Nor one that could not renew for a while: the workflow has not given it up.
    let cut = held(task(1, Stage::Begun, 60), "a", 1, -50);
    assert_eq!(first(&one(running(90_000), vec![cut])), NOTHING);
}

#[test]
fn a_trainer_that_died_at_its_task_is_told_of_when_its_lease_is_over() {
    let held_until = |seconds| held(task(1, Stage::Begun, 30), "a", 1, seconds);
    assert_eq!(first(&one(failed(), vec![held_until(1)])), NOTHING);
    assert_eq!(first(&one(failed(), vec![held_until(0)])), ["Died a: repeat 1"]);
    let gone = seen(vec![], vec![], vec![held_until(-1)]);
    assert_eq!(first(&gone), ["Died a: repeat 1"]);
    let paused = Task { stage: Stage::Pausing, ..held_until(-1) };
    assert_eq!(first(&seen(vec![], vec![], vec![paused])), NOTHING);
    let mut memory = Memory::default();
    memory.look(&gone);
    let finding = plan(&gone, &memory, DEADLINES).remove(0);
    memory.note(&finding, NOW);
    assert_eq!(found(&gone, &mut memory), NOTHING);
    // The next attempt is another one.
    let next = seen(vec![], vec![], vec![held(task(2, Stage::Begun, 30), "b", 2, -1)]);
    assert_eq!(found(&next, &mut memory), ["Died b: repeat 2"]);
}

/// Two pods that listen, each with a task of its own; the first pod and the first task are in this state.
fn listening(first: PodState, attempt: u32, stage: Stage) -> Seen {
    let of = |name: &str| Job { program: "loader-ws".to_owned(), ..job(name, 4_000, JobState::Active) };
    let listens = |id: &str, attempt, stage, silent| Task {
        id: id.to_owned(),
        function: "loader-ws".to_owned(),
        kind: "live".to_owned(),
        ..task(attempt, stage, silent)
    };
    let tasks = vec![
        held(listens("live-0", attempt, stage, 20), "a", 1, 8),
        held(listens("live-1", 4, Stage::Begun, 20), "b", 4, 8),
    ];
    seen(vec![of("a"), of("b")], vec![pod("a", first), pod("b", running(90_000))], tasks)
}

#[test]
fn who_listens_is_replaced_when_its_task_is_given_out_again_and_not_for_listening_long() {
    let mut memory = Memory::default();
    let healthy = listening(running(90_000), 1, Stage::Begun);
    for later in [0, 119, 120, 3_600, 80_000] {
        let mut look = at(&healthy, later);
        for task in &mut look.tasks {
            task.lease.iter_mut().for_each(|lease| lease.until += later * SECOND);
        }
        assert_eq!(found(&look, &mut memory), NOTHING, "after {later} s");
    }
    let stuck = listening(running(90_000), 2, Stage::Sent);
    assert_eq!(first(&stuck), ["NoProgress a: replace a fence a#1"]);
    let mut died = listening(failed(), 1, Stage::Begun);
    died.tasks[0] = held(died.tasks[0].clone(), "a", 1, 0);
    assert_eq!(first(&died), ["Died a: repeat 1"]);
}

#[test]
fn who_is_leaving_and_handed_its_task_on_is_left_alone() {
    let mut memory = Memory::default();
    assert_eq!(found(&listening(running(90_000), 1, Stage::Begun), &mut memory), NOTHING);
    let mut handed = listening(PodState::Leaving, 2, Stage::Sent);
    handed.tasks[0].lease = None;
    assert_eq!(found(&handed, &mut memory), NOTHING);
    // Another pod of the same Job, or of the next one, has it.
    handed.tasks[0] = held(handed.tasks[0].clone(), "c", 2, 8);
    assert_eq!(found(&handed, &mut memory), NOTHING);
}

#[test]
fn a_pod_that_runs_without_a_task_is_replaced_when_that_lasts() {
    let mut memory = Memory::default();
    let idle = one(running(4_000), vec![held(task(2, Stage::Begun, 1), "b", 2, 900)]);
    assert_eq!(found(&idle, &mut memory), NOTHING);
    assert_eq!(found(&at(&idle, 119), &mut memory), NOTHING);
    assert_eq!(found(&at(&idle, 120), &mut memory), ["NoTask a: replace a"]);
    // One that has a task now and then is at work.
    let busy = one(running(4_000), vec![held(task(1, Stage::Begun, 1), "a", 1, 8)]);
    assert_eq!(found(&at(&busy, 121), &mut memory), NOTHING);
    assert_eq!(found(&at(&one(running(4_000), vec![]), 122), &mut memory), NOTHING);
    // Whoever holds a task without saying which pod it is may be this one.
    let unnamed = Lease { words: "gnn-trainer-17".to_owned(), holder: None, until: NOW + 900 * SECOND };
    let unnamed = one(running(4_000), vec![Task { lease: Some(unnamed), ..task(1, Stage::Begun, 1) }]);
    assert_eq!(found(&at(&unnamed, 300), &mut memory), NOTHING);
}

#[test]
fn replacing_grows_slower_and_ends_with_words() {
    let mut memory = Memory::default();
    let waits = task(1, Stage::Sent, 500);
    for (round, deadline) in [120, 240, 480].into_iter().enumerate() {
        // Each Job was made after the one before was deleted.
        let name = format!("job-{round}");
        let mut look = seen(vec![job(&name, 0, JobState::Active)], vec![], vec![waits.clone()]);
        look.now = NOW + Millis::try_from(round).unwrap() * 10_000 * SECOND;
        look.jobs[0].created = look.now;
        let since = look.now;
        look.pods.push(pod(&name, PodState::Waiting { since, why: Reason::ImagePull, words: "none".to_owned() }));
        assert_eq!(found(&at(&look, deadline - 1), &mut memory), NOTHING, "{round}");
        let due = at(&look, deadline);
        assert_eq!(found(&due, &mut memory), [format!("ImagePull {name}: replace {name}")]);
        let finding = plan(&due, &memory, DEADLINES).remove(0);
        memory.note(&finding, due.now);
        assert_eq!(found(&at(&due, 29), &mut memory), NOTHING, "the deletion was asked for");
    }
    let mut last = one(waiting(Reason::ImagePull, 0), vec![waits, task(1, Stage::Begun, 500)]);
    last.now = NOW + 40_000 * SECOND;
    last.jobs[0].created = last.now;
    last.pods[0].state = PodState::Waiting { since: last.now, why: Reason::ImagePull, words: "none".to_owned() };
    let due = at(&last, 960);
    assert_eq!(found(&due, &mut memory), ["ImagePull a: give up 1", "ImagePull a: replace a"]);
    let words = plan(&due, &memory, DEADLINES).remove(0).words;
    assert_eq!(words, "gnn-trainer does not begin, 3 Jobs were replaced: it waits since 960 s: none");
    // One that begins wipes the slate.
    let mut begun = at(&due, 1);
    begun.pods[0].state = PodState::Running { since: begun.now };
    memory.look(&begun);
    assert_eq!(memory.rounds("gnn-trainer"), 0);
}

#[test]
fn jobs_that_wait_together_are_one_round() {
    let jobs = ["a", "b", "c"];
    let pods = jobs.map(|name| pod(name, waiting(Reason::ImagePull, 200))).to_vec();
    let look = seen(jobs.map(|name| job(name, 300, JobState::Active)).to_vec(), pods, vec![]);
    let mut memory = Memory::default();
    assert_eq!(found(&look, &mut memory).len(), 3);
    for finding in plan(&look, &memory, DEADLINES) {
        memory.note(&finding, NOW);
    }
    assert_eq!(memory.rounds("gnn-trainer"), 1);
}

#[test]
fn jobs_that_fail_before_they_take_a_task_end_it() {
    let fails = |name: &str, age| job(name, age, JobState::Failed { at: NOW - (age - 10) * SECOND });
    let jobs = vec![fails("c", 100), fails("a", 300), fails("b", 200)];
    let pods = vec![pod("c", failed())];
    let look = seen(jobs.clone(), pods.clone(), vec![task(1, Stage::Sent, 400)]);
    assert_eq!(first(&look), ["CrashLoop c: give up 1"]);
    let words = plan(&look, &Memory::default(), DEADLINES).remove(0).words;
    assert_eq!(words, "gnn-trainer failed 3 times in a row before it took a task: it ended with exit code 137");
    // The task came later, is somebody's, or one of the Jobs went well or runs.
    let mut mixed = jobs.clone();
    mixed[2].state = JobState::Succeeded;
    let mut at_work = jobs.clone();
    at_work.push(job("d", 50, JobState::Active));
    let working = [pods.clone(), vec![pod("d", running(10))]].concat();
    let taken = held(task(1, Stage::Begun, 400), "d", 1, 8);
    for (jobs, pods, task) in [
        (jobs.clone(), pods.clone(), task(1, Stage::Sent, 250)),
        (jobs.clone(), pods.clone(), task(1, Stage::Begun, 400)),
        (jobs[..2].to_vec(), pods.clone(), task(1, Stage::Sent, 400)),
        (mixed, pods.clone(), task(1, Stage::Sent, 400)),
        (at_work, working, taken),
    ] {
        assert_eq!(first(&seen(jobs, pods, vec![task])), NOTHING);
    }
}

#[test]
fn jobs_that_ended_leave_or_are_not_ours_are_left_alone() {
    let stuck = waiting(Reason::ImagePull, 9_000);
    for state in [JobState::Succeeded, JobState::Leaving, JobState::Failed { at: NOW }] {
        assert_eq!(first(&seen(vec![job("a", 9_000, state)], vec![pod("a", stuck.clone())], vec![])), NOTHING);
    }
    // The Job is not among those that were read: it has not our label.
    assert_eq!(first(&seen(vec![], vec![pod("a", stuck)], vec![])), NOTHING);
    let done = seen(vec![job("a", 9_000, JobState::Succeeded)], vec![pod("a", PodState::Succeeded)], vec![]);
    assert_eq!(first(&done), NOTHING);
}

#[test]
fn pods_of_functions_are_only_spoken_of_and_once() {
    let function = Pod { job: None, ..pod("loader", waiting(Reason::CrashLoop, 200)) };
    let look = seen(vec![], vec![function], vec![]);
    let mut memory = Memory::default();
    assert_eq!(found(&look, &mut memory), ["CrashLoop loader: say"]);
    let finding = plan(&look, &memory, DEADLINES).remove(0);
    memory.note(&finding, NOW);
    assert_eq!(found(&look, &mut memory), NOTHING);
    assert_eq!(first(&seen(vec![], vec![Pod { job: None, ..pod("loader", running(9)) }], vec![])), NOTHING);
}

#[test]
fn a_job_that_never_gets_a_pod_is_spoken_of() {
    let look = |age| seen(vec![job("a", age, JobState::Active)], vec![], vec![]);
    assert_eq!(first(&look(1_799)), NOTHING);
    assert_eq!(first(&look(1_800)), ["NotCreated a: say"]);
}
