//! What a job has beside its work: a task of the log that is its own, a lease that it keeps, and the end of its workflow.

mod claim;
mod stops;

pub use claim::{Claim, LEASE, Queue, claim, keep_lease};
pub use stops::Stops;

/// Why a task could not be taken; nothing is lost then.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log failed.
    #[error("the log failed: {0}")]
    Bus(#[from] streamforge_bus::Error),
    /// The store failed.
    #[error("the store failed: {0}")]
    Store(#[from] streamforge_store::Error),
}
