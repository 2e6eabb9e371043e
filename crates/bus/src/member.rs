//! The port of those who share a topic: a member of a consumer group, and its partitions.

use std::collections::BTreeMap;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::{Ahead, Error};

/// Where a consumer group begins that has never committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InitialOffset {
    /// At the oldest record: right where topics and their readers are created together.
    Earliest,
    /// At the end, as on a cluster, where a new reader sees new events only.
    Latest,
}

/// What a member asks for when it joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// The consumer group.
    pub group: String,
    /// The topic that its members share.
    pub topic: String,
    /// Where partitions begin that the group has never committed.
    pub initial_offset: InitialOffset,
    /// A name that stays the same over restarts and that no other member has; a member that comes back under its name
    /// has its partitions again at once, and one that is gone keeps them for some seconds.
    pub instance: Option<String>,
}

/// A partition that is a member's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Differs each time that the partition comes to this member.
    pub epoch: u64,
    /// The offset at which the member begins: the group's.
    pub start: u64,
    /// The group wants to give it to another member, which waits until it is released.
    pub is_wanted_back: bool,
}

/// The partitions of a member, by number.
pub type Shares = BTreeMap<u32, Share>;

/// One of those who share the partitions of a topic as a consumer group; no two have the same partition.
///
/// A member that is slow to release what is wanted back, or that is cut off, loses it: another one begins behind what
/// was committed, so that records may be read twice and none is left out. Dropping it leaves the group without a wait.
#[async_trait]
pub trait Member: Send + Sync {
    /// Watches which partitions are this member's.
    fn shares(&self) -> watch::Receiver<Shares>;

    /// Watches for appends to this member's partitions, as [`crate::Bus::appended`] does for all.
    fn appended(&self) -> watch::Receiver<u64>;

    /// Looks at partitions of this member: how far each is known to reach, and the records in those with a position.
    ///
    /// As [`crate::Bus::look`], but for two things: `end` may lie before what was appended just now, and then
    /// [`Member::appended`] changes; partitions that are not this member's are left out of the answer.
    ///
    /// # Errors
    /// [`Error::UnknownTopic`], or that the log could not be read.
    async fn look(
        &self,
        positions: Vec<(u32, Option<u64>)>,
        max_records: usize,
        max_bytes: usize,
    ) -> Result<Vec<(u32, Ahead)>, Error>;

    /// Records that the group has done everything before `next`, as [`crate::Bus::commit`] does.
    ///
    /// # Errors
    /// [`Error::NotAssigned`] where the partition is another member's by now, else as [`crate::Bus::commit`].
    async fn commit(&self, partition: u32, next: u64) -> Result<(), Error>;

    /// Keeps in mind that the group has missed records, as [`crate::Bus::record_loss`] does.
    ///
    /// # Errors
    /// As [`Member::commit`].
    async fn record_loss(&self, partition: u32, from: u64, to: u64) -> Result<(), Error>;

    /// Lets a partition go that is wanted back: nothing more of it is at work, and what is done is committed.
    fn release(&self, partition: u32);

    /// Leaves the group.
    async fn leave(&self);
}
