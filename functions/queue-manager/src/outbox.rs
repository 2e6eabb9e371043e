//! The outbox: what was decided is written down together with the document, and struck out once it is published.
//!
//! Whoever dies in between leaves it behind; a repeated delivery or the clock sees it through, under the same ids.

use streamforge_events::Millis;

use crate::{
    document::{Command, Workflow},
    reduce::{Input, Step, step},
};

/// What one handler makes of a document.
#[derive(Clone, Debug)]
pub struct Decision {
    /// The document to be written.
    pub workflow: Workflow,
    /// What this handler has to see through.
    pub due: Vec<Command>,
    /// Whether there is anything to write.
    pub is_news: bool,
}

/// Gives an input to a document.
///
/// What another handler has just decided it also publishes. An input that changes nothing or comes from the clock says
/// that this handler may have died, and the whole outbox is due.
#[must_use]
pub fn decide(mut workflow: Workflow, input: &Input, now: Millis) -> Decision {
    let Step { commands, has_changed } = step(&mut workflow, input.clone(), now);
    workflow.outbox.extend(commands.iter().cloned());
    let due = if has_changed && *input != Input::Overdue { commands } else { workflow.outbox.clone() };
    Decision { workflow, due, is_news: has_changed }
}

/// Gives several inputs to a document, one after the other, to be written together.
#[must_use]
pub fn decide_all(before: Workflow, inputs: &[Input], now: Millis) -> Decision {
    let mut all = Decision { workflow: before, due: Vec::new(), is_news: false };
    for input in inputs {
        let next = decide(all.workflow, input, now);
        all.due.extend(next.due);
        all = Decision { workflow: next.workflow, due: all.due, is_news: all.is_news || next.is_news };
    }
    // An end takes back what was to start, and what is due for two reasons is due once.
    let due = all.workflow.outbox.iter().filter(|command| all.due.contains(command)).cloned().collect();
    Decision { due, ..all }
}

/// Strikes out what is done.
pub fn settle(workflow: &mut Workflow, done: &[Command]) {
    workflow.outbox.retain(|command| !done.contains(command));
}
