//! What can go wrong, and when.

use super::request::Request;

/// One thing that can go wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request is carried out, and the connection closed before the answer.
    LoseReply,
    /// The connection is closed before anything is done.
    Drop,
    /// The request is carried out and never answered.
    HangAfter,
    /// Nothing is done and nothing answered.
    Hang,
    /// A proxy answers 503 with a page.
    Html,
    /// The server says no.
    Refuse {
        /// Its status.
        status: u16,
        /// Its error number.
        number: u32,
    },
    /// The reply to a batch tells of failures alone, as if `silent` had been asked for.
    Silent,
    /// All tokens are void.
    ForgetTokens,
    /// All cursors are gone.
    ForgetCursors,
    /// Of the documents of a batch every so many-th is locked by somebody else.
    LockSome {
        /// Every how many-th.
        every: usize,
    },
    /// Every so many-th document of a batch is refused for what it is.
    RefuseSome {
        /// Every how many-th.
        every: usize,
        /// The error number.
        number: u32,
    },
}

/// A fault that waits for its request.
#[derive(Clone, Copy, Debug)]
pub struct Trap {
    /// Method of the requests that it waits for.
    pub method: &'static str,
    /// What their path has in it.
    pub path: &'static str,
    /// How many of them pass before.
    pub after: usize,
    /// For how many of them it is up.
    pub times: usize,
    /// What befalls them.
    pub fault: Fault,
}

impl Trap {
    /// A trap for the next such request.
    #[must_use]
    pub fn once(method: &'static str, path: &'static str, fault: Fault) -> Self {
        Self { method, path, after: 0, times: 1, fault }
    }
}

/// The traps that are up.
#[derive(Default)]
pub(super) struct Faults {
    pub(super) traps: Vec<Trap>,
    pub(super) chaos: Option<(fastrand::Rng, u32)>,
    pub(super) sprung: usize,
}

impl Faults {
    /// What befalls a request.
    pub(super) fn spring(&mut self, request: &Request) -> Option<Fault> {
        let fits =
            |trap: &&mut Trap| trap.times > 0 && request.method == trap.method && request.path.contains(trap.path);
        let mut fault = None;
        if let Some(trap) = self.traps.iter_mut().find(fits) {
            if trap.after > 0 {
                trap.after -= 1;
            } else {
                trap.times -= 1;
                fault = Some(trap.fault);
            }
        }
        if fault.is_none()
            && let Some((random, share)) = &mut self.chaos
            && random.u32(..1000) < *share
        {
            fault = Some(CHAOS[random.usize(..CHAOS.len())]);
        }
        self.sprung += usize::from(fault.is_some());
        fault
    }
}

/// What goes wrong by chance: all that passes without a timeout.
const CHAOS: [Fault; 11] = [
    Fault::LoseReply,
    Fault::LoseReply,
    Fault::Drop,
    Fault::Html,
    Fault::Refuse { status: 409, number: 1200 },
    Fault::Refuse { status: 412, number: 21004 },
    Fault::Refuse { status: 503, number: 21003 },
    Fault::Refuse { status: 403, number: 1004 },
    Fault::ForgetTokens,
    Fault::ForgetCursors,
    Fault::LockSome { every: 3 },
];
