//! Workers and the connector: what they do with a command or a batch, well or badly.

use std::rc::Rc;

use streamforge_events::{Millis, TimeRange};

use super::{
    faults::Temper,
    world::{Batch, Happening, Message, World},
};
use crate::{
    batch_set::BatchSet,
    document::Work,
    made::{Made, TrainedModel},
    reduce::{Heard, What},
};

/// Steps after which a worker that lives until it is stopped is silent for good.
const LIVE_STEPS: u32 = 8;

/// Longest time that a step of a worker takes.
const STEP: Millis = 3_000;

/// Longest time for which one that listens until it is stopped says nothing.
const LISTENING_STEP: Millis = 30_000;

/// What one `control.start` asks for.
#[derive(Debug)]
pub(super) struct Assignment {
    pub(super) function: String,
    pub(super) work: Work,
    pub(super) task: String,
    pub(super) attempt: u32,
    pub(super) range: TimeRange,
    /// The series to load; none for other work.
    pub(super) series: Option<usize>,
}

/// A worker on its task.
pub(super) struct Worker {
    assignment: Rc<Assignment>,
    temper: Temper,
    epoch: u32,
    step: u32,
    announced: Vec<u64>,
    complete_until: Millis,
}

impl Worker {
    /// Begins a task, once the command has arrived.
    pub(super) fn start(assignment: Rc<Assignment>, world: &mut World) {
        // One that listens has days for what others have seconds for.
        let is_stream = assignment.work == Work::Stream;
        let is_bad = world.strikes(if is_stream { 800 } else { world.faults.bad_worker });
        let temper = match is_bad {
            true if is_stream && world.random.bool() => Temper::Interrupted(world.random.u32(..6)),
            true => Temper::draw(&mut world.random),
            false => Temper::Honest,
        };
        world.judge.counts.met(temper);
        if is_bad {
            world.tell(|_| format!("  a worker that {temper:?} takes {} ({})", assignment.task, assignment.attempt));
        }
        let complete_until = assignment.range.from();
        let worker = Self { assignment, temper, epoch: world.epoch, step: 0, announced: vec![], complete_until };
        worker.say(What::Started, world);
        worker.rest(world);
    }

    /// Does the next step.
    pub(super) fn go_on(mut self, world: &mut World) {
        let is_paused = matches!(self.temper, Temper::Pauses(step, _) if step == self.step);
        let is_stream = self.assignment.work == Work::Stream;
        if self.epoch != world.epoch && !matches!(self.temper, Temper::Pauses(..)) {
            if is_stream {
                // It took its command away when it began, so nobody but the clock knows.
                return;
            }
            // Whoever sent the command got no answer.
            return world.send_again(Message::Start(self.assignment));
        }
        match self.temper {
            Temper::Dies(step) if step == self.step => {
                if !is_stream && world.random.u8(..4) > 0 {
                    world.send_again(Message::Start(self.assignment));
                }
                return;
            }
            Temper::Pauses(_, pause) if is_paused => {
                self.temper = Temper::Pauses(u32::MAX, 0);
                return world.schedule(pause, Happening::Works(self));
            }
            Temper::Fails { step, is_final } if step == self.step => return self.fail(is_final, world),
            Temper::Interrupted(step) if step == self.step => {
                let what = if is_stream { What::HandedOn } else { What::Interrupted };
                return self.say(what, world);
            }
            // Its command to stop may have been lost.
            _ if is_stream && world.is_healed() && world.has_ended() => return,
            _ if world.stopped.contains(&self.assignment.function) => return self.say(What::Interrupted, world),
            _ => {}
        }
        if self.work(world) {
            self.step += 1;
            return self.rest(world);
        }
        if self.assignment.work == Work::Live {
            return;
        }
        self.finish(world);
        if world.strikes(world.faults.lost_answer) {
            world.judge.counts.lost_answers += 1;
            world.send_again(Message::Start(self.assignment));
        }
    }

    /// Loads the next window, or computes; returns whether there was anything left to do.
    fn work(&mut self, world: &mut World) -> bool {
        if self.assignment.work == Work::Live {
            return self.step < LIVE_STEPS;
        }
        if self.assignment.work == Work::Stream {
            self.say(What::Progressed, world);
            return true;
        }
        let Some(series) = self.assignment.series else {
            self.say(What::Progressed, world);
            return self.step < 2;
        };
        let Some(window) = world.market.window(series, self.assignment.range, self.step) else {
            return false;
        };
        let known = world.market.known_until(series, world.now).clamp(window.from(), window.to());
        let mut records = world.market.records(series, window);
        records.retain(|time| *time < known);
        self.complete_until = known;
        if !records.is_empty() {
            self.announced.push(self.step.into());
            if self.temper != Temper::Withholds(self.step) {
                let batch = Batch { assignment: Rc::clone(&self.assignment), number: self.step, records };
                world.send(Message::Loaded(Rc::new(batch)));
            }
        }
        if self.step % 3 == 2 {
            self.say(What::Progressed, world);
        }
        known == window.to()
    }

    fn finish(&mut self, world: &mut World) {
        if self.temper == Temper::Boasts {
            self.announced.push(u64::from(self.step) + 7);
        }
        let is_mute = self.assignment.series.is_none() || self.temper == Temper::Mumbles;
        let announced = if is_mute { &[][..] } else { &self.announced };
        let announced = BatchSet::of(announced).expect("the numbers are small");
        let complete_until = (!is_mute).then_some(self.complete_until);
        self.say(What::Finished { announced, complete_until, made: self.made() }, world);
        if self.assignment.series.is_some() && matches!(self.temper, Temper::Withholds(_) | Temper::Mumbles) {
            self.fail(world.random.u8(..8) == 0, world);
        }
    }

    /// What its task has made; another attempt makes another one.
    fn made(&self) -> Made {
        let attempt = self.assignment.attempt.to_string();
        match self.assignment.function.as_str() {
            _ if self.temper == Temper::Mumbles => Made::default(),
            "graph-builder" => Made { graph: Some(attempt), ..Made::default() },
            "gnn-trainer" => {
                let version = attempt.parse().expect("a number is a version");
                let model = TrainedModel { name: "gnn".parse().expect("it is a name"), version };
                Made { model: Some(model), scores: Some(attempt.into()), graph: None }
            }
            _ => Made::default(),
        }
    }

    fn fail(&self, is_final: bool, world: &mut World) {
        self.say(What::Failed { message: "the exchange is down".to_owned(), is_final, batch: None }, world);
    }

    fn say(&self, what: What, world: &mut World) {
        say(&self.assignment, what, world);
    }

    fn rest(self, world: &mut World) {
        let longest = if self.assignment.work == Work::Stream { LISTENING_STEP } else { STEP };
        let pause = world.random.i64(1..longest);
        world.schedule(pause, Happening::Works(self));
    }
}

/// The connector: stores a batch, then reports it.
pub(super) fn connect(batch: Rc<Batch>, world: &mut World) {
    let number = batch.number;
    if world.strikes(world.faults.refusal) {
        let message = "the store refused a row".to_owned();
        say(&batch.assignment, What::Failed { message, is_final: true, batch: Some(number) }, world);
        return;
    }
    let series = batch.assignment.series.expect("only loaders publish batches");
    world.market.stored.extend(batch.records.iter().map(|time| (series, *time)));
    if world.strikes(world.faults.crash) {
        // It died between the store and the report.
        return world.send_again(Message::Loaded(batch));
    }
    say(&batch.assignment, What::Stored { batch: number, rows: batch.records.len() as u64 }, world);
    if world.strikes(world.faults.lost_answer) {
        world.judge.counts.lost_answers += 1;
        world.send_again(Message::Loaded(batch));
    }
}

fn say(assignment: &Assignment, what: What, world: &mut World) {
    let heard = Heard { task: assignment.task.clone(), attempt: Some(assignment.attempt), what };
    world.send(Message::Reported(heard));
}
