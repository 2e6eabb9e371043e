//! The event log: publish, read as a consumer group, commit, lag.
//!
//! [`Bus`] is what the rest of the house knows. It speaks Kafka's language: topics with partitions, keyed records with
//! headers, offsets, consumer groups. [`SqliteBus`] is the log for one machine: a single file that several processes
//! share and that survives `kill -9`.
//!
//! Deliberately absent: group membership and rebalancing. Who reads which partition is decided by the reader; the bus
//! keeps the committed offsets.

mod bus;
#[cfg(feature = "test-util")]
pub mod contract;
mod error;
mod open;
mod partitioner;
mod record;
mod sqlite;

pub use bus::Bus;
pub use error::Error;
pub use open::open;
pub use partitioner::partition_for_key;
pub use record::{
    Ahead, GroupOffset, MAX_RECORD_BYTES, OffsetRange, Record, StoredRecord, TopicConfig, TopicDescription,
};
pub use sqlite::{Gone, Repair, SqliteBus, repair};
