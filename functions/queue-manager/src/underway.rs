//! The commands that this process is carrying out: whoever meets them in an outbox leaves them to their handler.
//!
//! A report that changes nothing sees the whole outbox through, and reports come in any order while hundreds of tasks
//! are given out. Should the handler fail, its own event comes again, and if the process dies, so do all of them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use streamforge_events::QueueId;

use crate::document::Command;

/// What is under way, by workflow; cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Underway {
    claims: Arc<Mutex<HashMap<QueueId, Vec<Command>>>>,
}

/// Commands that are its holder's until it is dropped.
pub(crate) struct Claim {
    underway: Underway,
    id: QueueId,
    commands: Vec<Command>,
}

impl Underway {
    /// Claims those of the commands that nobody else carries out.
    pub(crate) fn claim(&self, id: &QueueId, due: &[Command]) -> Claim {
        let mut claims = self.lock();
        let claimed = claims.get(id).map_or(&[][..], Vec::as_slice);
        let commands: Vec<Command> = due.iter().filter(|command| !claimed.contains(command)).cloned().collect();
        if !commands.is_empty() {
            claims.entry(id.clone()).or_default().extend(commands.iter().cloned());
        }
        Claim { underway: self.clone(), id: id.clone(), commands }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<QueueId, Vec<Command>>> {
        // A panic while holding the lock cannot leave the map half changed.
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim {
    pub(crate) fn commands(&self) -> &[Command] {
        &self.commands
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut claims = self.underway.lock();
        if let Some(claimed) = claims.get_mut(&self.id) {
            claimed.retain(|command| !self.commands.contains(command));
            if claimed.is_empty() {
                claims.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_claimed_once_until_its_claim_is_dropped() {
        let id: QueueId = "wf-btcusdt-api_candles_5m-20240801-a1b2c3".parse().unwrap();
        let other: QueueId = "wf-btcusdt-api_candles_5m-20240801-ffffff".parse().unwrap();
        let stop = |target: &str| Command::Stop { target: target.to_owned() };
        let underway = Underway::default();
        let first = underway.claim(&id, &[stop("a")]);
        let second = underway.claim(&id, &[stop("a"), stop("b")]);
        assert_eq!(second.commands(), [stop("b")]);
        assert_eq!(underway.claim(&other, &[stop("a")]).commands(), [stop("a")]);
        drop(first);
        assert_eq!(underway.claim(&id, &[stop("a"), stop("b")]).commands(), [stop("a")]);
        drop(second);
        assert!(underway.lock().is_empty());
    }
}
