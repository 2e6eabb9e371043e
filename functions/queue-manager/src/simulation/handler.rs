//! Handlers of the engine: each reads, decides, swaps, publishes and strikes out, one step at a time, and may die between.

use std::rc::Rc;

use streamforge_events::{ControlCommand, Millis, data};

use super::{
    judge::Judge,
    worker::Assignment,
    world::{Happening, Message, World},
};
use crate::{
    document::{Command, Work, Workflow},
    outbox::{decide, settle},
    outgoing,
    reduce::Input,
};

/// Longest pause between two steps.
const PAUSE: Millis = 20;

/// One handler at work.
pub(super) struct Handler {
    /// The event that it handles; none for a user's stop.
    cause: Option<Message>,
    epoch: u32,
    step: Step,
}

enum Step {
    /// Finds out what the event means.
    Begin,
    /// Reads the document.
    Read(Input),
    /// Decides and swaps the document that it has read.
    Swap { input: Input, before: Rc<Workflow>, revision: u64 },
    /// Publishes what is due, one after another.
    Publish { workflow: Rc<Workflow>, due: Vec<Command>, next: usize },
    /// Strikes out what is published.
    Settle { workflow: Rc<Workflow>, revision: u64, due: Vec<Command> },
}

impl Handler {
    pub(super) fn of_event(cause: Message, epoch: u32) -> Self {
        Self { cause: Some(cause), epoch, step: Step::Begin }
    }

    pub(super) fn of_user(epoch: u32) -> Self {
        Self { cause: None, epoch, step: Step::Read(Input::Stop) }
    }

    /// Does the next step, or dies.
    pub(super) fn go_on(mut self, world: &mut World) {
        if self.epoch != world.epoch || world.strikes(world.faults.crash) {
            world.judge.counts.crashes += 1;
            world.tell(|_| format!("  a handler dies, its event comes again: {:?}", self.cause));
            if let Some(cause) = self.cause {
                world.send_again(cause);
            }
            return;
        }
        let next = match self.step {
            Step::Begin => match self.cause.as_ref() {
                Some(Message::Reported(heard)) => Some(Step::Read(Input::Heard(heard.clone()))),
                _ => Some(Step::Read(world.attention())),
            },
            Step::Read(input) => {
                let revision = world.document.as_ref().map_or(0, |stored| stored.revision);
                Some(Step::Swap { input, before: world.workflow(), revision })
            }
            Step::Swap { input, before, revision } => Some(swap(world, input, &before, revision)),
            Step::Publish { workflow, due, next } => {
                let command = due.get(next).cloned();
                if let Some(command) = command {
                    publish(world, &workflow, &command);
                    Some(Step::Publish { workflow, due, next: next + 1 })
                } else if due.is_empty() {
                    None
                } else {
                    let revision = world.document.as_ref().map_or(0, |stored| stored.revision);
                    Some(Step::Settle { workflow: world.workflow(), revision, due })
                }
            }
            Step::Settle { workflow, revision, due } => strike_out(world, &workflow, revision, due),
        };
        if let Some(step) = next {
            self.step = step;
            let pause = world.random.i64(0..PAUSE);
            world.schedule(pause, Happening::Handles(self));
        } else if let Some(cause) = self.cause
            && world.strikes(world.faults.lost_answer)
        {
            world.judge.counts.lost_answers += 1;
            world.send_again(cause);
        }
    }
}

/// Decides on what was read and writes it, unless somebody else wrote meanwhile.
fn swap(world: &mut World, input: Input, before: &Rc<Workflow>, revision: u64) -> Step {
    let is_lost = |world: &World| world.document.as_ref().is_some_and(|stored| stored.revision != revision);
    let decision = decide(Workflow::clone(before), &input, world.now);
    assert_eq!(decision.is_news, decision.workflow != **before, "{input:?}");
    if decision.is_news && is_lost(world) {
        world.judge.counts.races += 1;
        return Step::Read(input);
    }
    world.judge.fenced(before, &input, &decision.workflow);
    if decision.is_news {
        world.judge.decided(&world.market, before, &input, &decision);
        let (was, is) = (before.status, decision.workflow.status);
        world.tell(|_| format!("  {was:?} -> {is:?}, due {:?}", decision.due));
        world.store(decision.workflow.clone());
    }
    Step::Publish { workflow: Rc::new(decision.workflow), due: decision.due, next: 0 }
}

fn strike_out(world: &mut World, read: &Workflow, revision: u64, due: Vec<Command>) -> Option<Step> {
    let stored = world.document.as_ref()?;
    if stored.revision != revision {
        let (workflow, revision) = (Rc::clone(&stored.workflow), stored.revision);
        return Some(Step::Settle { workflow, revision, due });
    }
    let mut workflow = read.clone();
    settle(&mut workflow, &due);
    world.store(workflow);
    None
}

/// The command as the worker gets it.
fn start_of(workflow: &Workflow, command: &Command, now: Millis) -> ControlCommand {
    let event = outgoing::event(workflow, command, now).expect("a start can be told");
    data(&event.expect("a start is an event")).expect("a start carries a command")
}

/// Carries out one command.
fn publish(world: &mut World, workflow: &Workflow, command: &Command) {
    match command {
        Command::MarkLoaded { series, range } => {
            Judge::marked(&world.market, series, *range);
            world.market.mark_loaded(series, *range);
        }
        Command::Start { task, attempt } => {
            let (stage, task) = workflow.task(task).expect("only known tasks are started");
            let series = match stage.work {
                Work::Load(kind) => {
                    world.market.series.iter().position(|series| series.kind == kind && series.symbol == task.symbol)
                }
                _ => None,
            };
            Judge::told(stage, &start_of(workflow, command, world.now));
            let assignment = Assignment {
                function: stage.function.clone(),
                work: stage.work.clone(),
                task: task.id.clone(),
                attempt: *attempt,
                range: task.range,
                series,
            };
            world.send(Message::Start(Rc::new(assignment)));
        }
        Command::Stop { target } => world.send(Message::Stop(target.clone())),
        Command::Finish => {
            let event = outgoing::event(workflow, command, world.now).expect("the end can be told");
            world.judge.told_end(&event.expect("the end is an event"));
        }
    }
}
