//! What is otherwise when the exchange plays a recording: nothing can be asked, and no time counts but that of its
//! frames, so that the same is published at any speed; pure.

use streamforge_events::Millis;

use crate::{desk::Desk, listening::give_up, output::Question};

/// Differences of books go into a batch for so long, by the exchange's clock.
const BATCH: Millis = 250;

/// A recording that is listened to.
#[derive(Debug, Default)]
pub(crate) struct Playing {
    /// What is missing, unless it still comes.
    unanswered: Vec<Question>,
    flushed: Millis,
    is_over: bool,
}

impl Playing {
    /// Looks after what a frame has brought about.
    pub(crate) fn go_on(&mut self, desk: &mut Desk) {
        if desk.now() >= self.flushed.saturating_add(BATCH) {
            self.flushed = desk.now();
            desk.flush();
        }
        // Snapshots come by themselves.
        let asked = desk.questions().into_iter();
        self.unanswered.extend(asked.filter(|question| !matches!(question, Question::Snapshot { .. })));
    }

    /// Nothing comes any more: what is missing stays so.
    pub(crate) fn end(&mut self, desk: &mut Desk) {
        desk.tick();
        self.go_on(desk);
        self.unanswered.drain(..).for_each(|question| give_up(desk, &question));
        self.is_over = true;
    }

    /// Whether all of it has come.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }
}
