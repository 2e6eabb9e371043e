//! The one queue that every request of the process passes: first come, first served.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use streamforge_events::Millis;

use super::{budget::Budget, server_time::ServerTime};

/// Limit until the exchange has told its own.
const ASSUMED_LIMIT: u32 = 6_000;

/// The budget, and the turn of who asks it next.
#[derive(Debug)]
pub(super) struct Gate {
    budget: Mutex<Budget>,
    turn: tokio::sync::Mutex<()>,
}

/// Leave for one request; dropping it ends the request.
#[derive(Debug)]
pub(super) struct Ticket<'a> {
    gate: &'a Gate,
    weight: u32,
    /// Server time at which the request was let through.
    pub(super) sent: Millis,
}

impl Gate {
    pub(super) fn new(share: f64) -> Self {
        Self { budget: Mutex::new(Budget::new(ASSUMED_LIMIT, share)), turn: tokio::sync::Mutex::new(()) }
    }

    /// Waits until `weight` may be sent.
    ///
    /// # Errors
    /// How long the wait would be, if it is longer than `patience`.
    pub(super) async fn enter(
        &self,
        time: &ServerTime,
        weight: u32,
        patience: Duration,
    ) -> Result<Ticket<'_>, Duration> {
        let _turn = self.turn.lock().await;
        loop {
            let now = time.now();
            let Err(until) = self.with(|budget| budget.reserve(now, weight)) else {
                return Ok(Ticket { gate: self, weight, sent: now });
            };
            let wait = Duration::from_millis(u64::try_from(until - now).unwrap_or(0));
            if wait > patience {
                return Err(wait);
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Stops all requests of the process until `until`.
    pub(super) fn block(&self, until: Millis) {
        self.with(|budget| budget.block(until));
    }

    /// Takes the limit that the exchange announces.
    pub(super) fn set_limit(&self, limit: u32) {
        self.with(|budget| budget.set_limit(limit));
    }

    fn with<T>(&self, work: impl FnOnce(&mut Budget) -> T) -> T {
        work(&mut self.budget.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Ticket<'_> {
    /// Ends the request with the count that the exchange reported at `now`.
    pub(super) fn settle(self, now: Millis, reported: Option<u32>) {
        let (gate, sent) = (self.gate, self.sent);
        drop(self);
        if let Some(reported) = reported {
            gate.with(|budget| budget.observe(sent, now, reported));
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.gate.with(|budget| budget.release(self.weight));
    }
}
