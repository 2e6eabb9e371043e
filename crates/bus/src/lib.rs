//! The event log: publish, read as a consumer group, commit, lag.
//!
//! [`Bus`] is what the rest of the house knows. It speaks Kafka's language: topics with partitions, keyed records with
//! headers, offsets, consumer groups. [`SqliteBus`] is the log for one machine: a single file that several processes
//! share and that survives `kill -9`. With the feature `kafka`, `KafkaBus` is the log of a cluster.
//!
//! Those who share a topic are [`Member`]s of a group, and each has partitions of its own. Who only looks needs no group.

mod alone;
mod bus;
#[cfg(feature = "test-util")]
pub mod contract;
mod error;
#[cfg(feature = "kafka")]
mod kafka;
mod member;
mod open;
mod partitioner;
mod record;
mod refusal;
mod sqlite;

pub use bus::Bus;
pub use error::Error;
#[cfg(feature = "kafka")]
pub use kafka::KafkaBus;
pub use member::{InitialOffset, Member, Seat, Share, Shares};
pub use open::open;
pub use partitioner::partition_for_key;
pub use record::{
    Ahead, GroupOffset, MAX_RECORD_BYTES, OffsetRange, Record, StoredRecord, TopicConfig, TopicDescription,
};
pub use sqlite::{Gone, Repair, SqliteBus, repair};
