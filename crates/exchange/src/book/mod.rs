//! The order book of one symbol, kept as the exchange says it is to be kept; pure.
//!
//! [`Book`] holds the levels and answers questions. [`Follower`] brings snapshots and differences together in their
//! order and says when a new snapshot is needed.

mod follower;
mod half;
mod ladder;
mod levels;
mod price;
mod window;

pub use follower::{Difference, Follower, Progress, Reset, Snapshot};
pub use levels::{Book, Broken, Level, Side, Top};
pub use price::{Price, UnknownPrice};
