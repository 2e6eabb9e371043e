//! Leases: a piece of work is one worker's at a time, whichever of them dies, and done only once.

use std::fmt;

use async_trait::async_trait;
use streamforge_events::Millis;

use crate::Error;

/// Which acquisition of a lease is meant; each is higher than all before it under its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fence(u64);

impl Fence {
    pub(crate) fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number, from 1.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Fence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)
    }
}

/// What became of [`LeaseStore::acquire`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseOutcome {
    /// The work is the caller's until the time it named.
    Acquired(Fence),
    /// The work is another caller's; it may also be an earlier acquisition of the same holder.
    Held {
        /// Who has it.
        holder: String,
        /// When it may be tried for again.
        until: Millis,
    },
    /// The work is done; nobody gets it any more.
    Done,
}

/// Whose a piece of work is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Who has it.
    pub holder: String,
    /// Which acquisition that is; with it, others can give the lease back in the holder's place.
    pub fence: Fence,
    /// When it ends unless it is renewed; it is the holder's until somebody else takes it.
    pub until: Millis,
}

/// Leases under keys of 1 to 254 bytes without control characters.
///
/// Times come from the callers, whose clocks should agree to within a part of a lease's length. When the clock was set
/// back behind an acquisition, the lease ends its own length after the next caller has tried for it.
#[async_trait]
pub trait LeaseStore: Send + Sync {
    /// Takes the lease of `key` until `until` if nobody else holds it at `now`; it ends by itself at `until`.
    ///
    /// # Errors
    /// [`Error::Lease`] for a key or holder that is none or a lease that ends before it begins, or a failure of the
    /// store.
    async fn acquire(&self, key: &str, holder: &str, now: Millis, until: Millis) -> Result<LeaseOutcome, Error>;

    /// Holds the lease until `until`; false if it has passed to another acquisition, was given back or is done.
    ///
    /// A lease that has ended, and that nobody has taken since, is the caller's again.
    ///
    /// # Errors
    /// [`Error::Lease`] for a lease that ends before it begins, or a failure of the store.
    async fn renew(&self, key: &str, fence: Fence, now: Millis, until: Millis) -> Result<bool, Error>;

    /// Gives the lease back before it ends; false if it was not the caller's any more.
    ///
    /// Whoever knows the fence can do it in the place of a holder that is stuck, who then can do nothing under it.
    ///
    /// # Errors
    /// A failure of the store.
    async fn release(&self, key: &str, fence: Fence) -> Result<bool, Error>;

    /// Marks the work as done for ever; false if the lease was not the caller's any more.
    ///
    /// The same call again answers true again.
    ///
    /// # Errors
    /// A failure of the store.
    async fn complete(&self, key: &str, fence: Fence) -> Result<bool, Error>;

    /// Whose the work is, also after the end of the lease; none if it was given back, is done or was never taken.
    ///
    /// # Errors
    /// A failure of the store.
    async fn lease(&self, key: &str) -> Result<Option<Lease>, Error>;
}

/// Checks what a lease is to be.
pub(crate) fn check_lease(key: &str, holder: &str, now: Millis, until: Millis) -> Result<(), Error> {
    let is_name = |text: &str| (1..=254).contains(&text.len()) && !text.chars().any(char::is_control);
    let reason = if !is_name(key) {
        "its key must be 1 to 254 bytes without control characters"
    } else if !is_name(holder) {
        "its holder must be 1 to 254 bytes without control characters"
    } else if until <= now {
        "it must end after it begins"
    } else {
        return Ok(());
    };
    Err(Error::Lease { key: key.chars().take(64).collect(), reason })
}
