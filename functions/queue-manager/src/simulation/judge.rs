//! What must hold at every moment of a simulated run, and what was seen of it.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use streamforge_events::{AttributesReader, ControlCommand, Event, Millis, SeriesId, TimeRange};

use super::{faults::Temper, market::Market, world::Message};
use crate::{
    document::{Command, Stage, Status, TaskState, Work, Workflow},
    made::Product,
    outbox::Decision,
    reduce::{Heard, Input, MAX_ATTEMPTS, MAX_IN_FLIGHT, Step, What, next_deadline, step},
};

/// What was seen in a run, so that a test can tell that it saw anything.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) ends: BTreeMap<&'static str, u64>,
    pub(super) tempers: BTreeMap<&'static str, u64>,
    pub(super) lost: u64,
    pub(super) lost_answers: u64,
    pub(super) crashes: u64,
    pub(super) races: u64,
    /// Tasks that were given out again.
    pub(super) repeats: u64,
    /// Reports of an attempt whose task was given to another.
    pub(super) fenced: u64,
    /// Reports after the end.
    pub(super) late: u64,
    /// Finished workflows with a model.
    pub(super) trained: u64,
    /// Workflows that lived until they were stopped.
    pub(super) live: u64,
    /// Those of them that listened.
    pub(super) listened: u64,
    /// Tasks that were handed on at once.
    pub(super) handed_on: u64,
    /// Attempts beyond the number that a task without progress has.
    pub(super) beyond: u64,
    /// Longest time from the healing to the end.
    pub(super) longest: Millis,
}

pub(super) struct Judge {
    pub(super) counts: Counts,
    range: TimeRange,
    /// Of each series, the part that the exchange knew when the workflow was planned.
    asked: Vec<Option<TimeRange>>,
    is_planned: bool,
    heard: Vec<Heard>,
    ends: BTreeSet<String>,
    has_ended: bool,
}

impl Judge {
    pub(super) fn new(range: TimeRange) -> Self {
        let (asked, heard, ends) = (Vec::new(), Vec::new(), BTreeSet::new());
        Self { counts: Counts::default(), range, asked, is_planned: false, heard, ends, has_ended: false }
    }

    pub(super) fn hear(&mut self, message: &Message) {
        if let Message::Reported(heard) = message {
            self.heard.push(heard.clone());
            self.counts.late += u64::from(self.has_ended);
        }
    }

    /// A handler plans; the first plan that is written counts, and all before it know less.
    pub(super) fn planned(&mut self, market: &Market, now: Millis) {
        if !self.is_planned && self.asked.is_empty() {
            let known =
                |series| TimeRange::new(self.range.from(), self.range.to().min(market.known_until(series, now)));
            self.asked = (0..market.series.len()).map(|series| known(series).ok()).collect();
        }
    }

    /// A decision is written.
    pub(super) fn decided(&mut self, market: &Market, before: &Workflow, input: &Input, decision: &Decision) {
        let after = &decision.workflow;
        assert!(!before.status.is_terminal(), "a document changed after its end");
        self.is_planned |= after.is_planned();
        check_tasks(after);
        for command in after.outbox.iter().filter(|command| !before.outbox.contains(command)) {
            let Command::Start { task, attempt } = command else { continue };
            self.counts.repeats += u64::from(*attempt > 1);
            let (stage, known) = after.task(task).expect("only known tasks are started");
            assert!(known.tries() <= MAX_ATTEMPTS, "attempt {attempt} of {task}");
            assert!(stage.work == Work::Stream || known.tries() == *attempt, "attempts of {task} are forgotten");
            self.counts.beyond += u64::from(*attempt > MAX_ATTEMPTS);
            if let Input::Heard(Heard { what: What::HandedOn, .. }) = input {
                assert_eq!(stage.work, Work::Stream, "{task} is given out without a pause");
                self.counts.handed_on += 1;
            }
            let computes = matches!(stage.work, Work::Compute | Work::Job | Work::Live);
            if computes && !stage.after.is_empty() {
                self.check_stored(market, &format!("{} is to begin", stage.name));
            }
        }
        if *input == Input::Stop {
            assert_eq!(after.status, Status::Stopped, "a stop ends a workflow at once");
        }
        if after.status.is_terminal() {
            assert!(!self.has_ended, "a workflow ended twice");
            self.has_ended = true;
            assert!(after.outbox.contains(&Command::Finish), "nobody will hear of the end");
            let starts = after.outbox.iter().filter(|command| matches!(command, Command::Start { .. })).count();
            assert_eq!(starts, 0, "tasks are given out after the end");
            if after.status == Status::Finished {
                self.check_stored(market, "the workflow finished");
                assert_eq!(after.records_written, rows_of_tasks(market, after), "rows are forgotten or counted twice");
                let is_live = after.stages.iter().any(|stage| stage.work.is_endless());
                assert!(!is_live, "what lives until it is stopped has ended by itself");
                self.counts.trained += u64::from(after.model.is_some());
                let mut tasks = after.stages.iter().flat_map(|stage| &stage.tasks);
                assert!(tasks.all(|task| task.state == TaskState::Done), "a task is left over");
            }
        }
    }

    /// The result of an attempt whose task was given to another changes nothing.
    pub(super) fn fenced(&mut self, before: &Workflow, input: &Input, after: &Workflow) {
        let Input::Heard(heard) = input else { return };
        let Some((_, task)) = before.task(&heard.task) else { return };
        if heard.attempt == Some(task.attempt) || matches!(heard.what, What::Stored { .. }) {
            return;
        }
        self.counts.fenced += 1;
        assert_eq!(after, before, "the late result of attempt {:?} changed attempt {}", heard.attempt, task.attempt);
    }

    /// A task is given out, and knows what the stages before it made.
    pub(super) fn told(stage: &Stage, command: &ControlCommand) {
        for name in stage.takes.iter().flat_map(|product| match product {
            Product::Graph => &["graph"][..],
            Product::Model => &["model", "version"],
        }) {
            assert!(command.parameters.contains_key(*name), "{} is not told its {name}", stage.name);
        }
        for name in ["symbols", "streams"] {
            let is_told = command.parameters.get(name).is_some_and(|names| names[0].is_string());
            assert!(is_told || stage.work != Work::Stream, "{} is not told its {name}", stage.name);
        }
    }

    /// The user stops what would never end: everything before it has happened.
    pub(super) fn stops_live(&mut self, workflow: &Workflow) {
        let tasks = |work: Work| {
            let stages = workflow.stages.iter().filter(move |stage| stage.work == work);
            stages.flat_map(|stage| &stage.tasks).collect::<Vec<_>>()
        };
        assert!(tasks(Work::Live).iter().all(|task| task.state == TaskState::Started), "nobody predicts");
        let listening = tasks(Work::Stream);
        assert!(listening.iter().all(|task| task.is_in_flight() && task.proven > 0), "nobody listens");
        assert_eq!(workflow.status, Status::Loading, "it lives on");
        let is_set = next_deadline(workflow, 0).is_some();
        assert_eq!(is_set, !listening.is_empty(), "the clock is set for what is quiet, or not for what is heard of");
        self.counts.live += 1;
        self.counts.listened += u64::from(is_set);
    }

    /// A range is marked as loaded: whoever asks for it next is told that it is there.
    pub(super) fn marked(market: &Market, series: &SeriesId, range: TimeRange) {
        assert!(market.holds(market.number(series), range), "{range} is marked as loaded and not all stored");
    }

    pub(super) fn told_end(&mut self, event: &Event) {
        self.ends.insert(event.id().to_owned());
    }

    /// Nothing is left to happen.
    pub(super) fn ended(&mut self, workflow: &Workflow) {
        assert_eq!(self.ends.len(), 1, "the end is told once");
        assert_eq!(workflow.outbox, [], "something was never published");
        assert_eq!(next_deadline(workflow, 0), None, "the clock is still set");
        *self.counts.ends.entry(workflow.status.as_str()).or_default() += 1;
    }

    /// Everything that was ever heard comes again, in any order.
    pub(super) fn redeliver(&mut self, workflow: &Workflow, now: Millis, random: &mut Rng) {
        random.shuffle(&mut self.heard);
        let heard = self.heard.drain(..).map(Input::Heard);
        for input in heard.chain([Input::Overdue, Input::Stop, Input::Refused("no".to_owned())]) {
            let mut after = workflow.clone();
            let done = step(&mut after, input, now);
            assert!(after == *workflow && done == Step::default(), "a late event changed an ended workflow");
        }
    }

    fn check_stored(&self, market: &Market, occasion: &str) {
        for (series, range) in self.asked.iter().enumerate() {
            let is_there = range.is_none_or(|range| market.holds(series, range));
            assert!(is_there, "{occasion}, and not all that was asked for is stored");
        }
    }
}

/// Rows that the tasks load when nothing goes wrong.
fn rows_of_tasks(market: &Market, workflow: &Workflow) -> u64 {
    let loads = workflow.stages.iter().filter_map(|stage| match stage.work {
        Work::Load(kind) => Some(stage.tasks.iter().map(move |task| (kind, task))),
        _ => None,
    });
    let rows = loads.flatten().map(|(kind, task)| {
        let series = market.number(&SeriesId { symbol: task.symbol.clone(), kind });
        market.records(series, task.range).len() as u64
    });
    rows.sum()
}

fn check_tasks(workflow: &Workflow) {
    let mut rows = 0;
    for stage in &workflow.stages {
        let in_flight = stage.tasks.iter().filter(|task| task.is_in_flight()).count();
        assert!(in_flight <= MAX_IN_FLIGHT, "{in_flight} tasks are out at once");
        rows += stage.tasks.iter().map(|task| task.records_written).sum::<u64>();
        let is_done = stage.tasks.iter().all(|task| task.state == TaskState::Done);
        let made = match stage.function.as_str() {
            "graph-builder" => workflow.graph.as_deref(),
            "gnn-trainer" => workflow.model.as_ref().map(|model| model.version.as_str()),
            _ => continue,
        };
        let attempt = is_done.then(|| stage.tasks[0].attempt.to_string());
        assert_eq!(made, attempt.as_deref(), "what {} made is not what is kept", stage.name);
    }
    assert_eq!(workflow.records_written, rows, "rows are counted twice or forgotten");
}

impl Counts {
    pub(super) fn met(&mut self, temper: Temper) {
        let name = match temper {
            Temper::Honest => "honest",
            Temper::Dies(_) => "dead",
            Temper::Pauses(..) => "back from the dead",
            Temper::Withholds(_) | Temper::Boasts | Temper::Mumbles => "liar",
            Temper::Fails { .. } => "failing",
            Temper::Interrupted(_) => "interrupted",
        };
        *self.tempers.entry(name).or_default() += 1;
    }

    /// Adds what another run has seen.
    pub(super) fn add(&mut self, other: Self) {
        for (name, count) in other.ends {
            *self.ends.entry(name).or_default() += count;
        }
        for (name, count) in other.tempers {
            *self.tempers.entry(name).or_default() += count;
        }
        self.lost += other.lost;
        self.lost_answers += other.lost_answers;
        self.crashes += other.crashes;
        self.races += other.races;
        self.repeats += other.repeats;
        self.fenced += other.fenced;
        self.late += other.late;
        self.trained += other.trained;
        self.live += other.live;
        self.listened += other.listened;
        self.handed_on += other.handed_on;
        self.beyond += other.beyond;
        self.longest = self.longest.max(other.longest);
    }
}
