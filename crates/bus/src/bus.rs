//! The port: what any event log offers.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::{Ahead, Error, GroupOffset, Member, Record, Seat, StoredRecord, TopicConfig, TopicDescription};

/// A durable, partitioned event log with consumer groups.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Creates a topic, or adapts it: partitions are added up to the number asked for and never taken away, the
    /// retention limits become those asked for. On Kafka the brokers' settings decide about replicas.
    ///
    /// # Errors
    /// [`Error::InvalidTopic`] if Kafka would refuse the name or the number of partitions.
    async fn create_topic(&self, name: &str, config: &TopicConfig) -> Result<(), Error>;

    /// Lists all topics by name.
    ///
    /// # Errors
    /// If the log cannot be read.
    async fn topics(&self) -> Result<Vec<TopicDescription>, Error>;

    /// Appends a record and answers its partition and offset once it is on the disk.
    ///
    /// A caller that drops the future does not know whether the record was appended.
    ///
    /// # Errors
    /// [`Error::UnknownTopic`], [`Error::TooLarge`], or that the log could not be written; then nothing was appended.
    async fn publish(&self, topic: &str, record: Record) -> Result<(u32, u64), Error> {
        let placed = self.publish_many(topic, vec![record]).await?;
        placed.first().copied().ok_or(Error::Closed)
    }

    /// Appends records and answers partition and offset of each in the order given.
    ///
    /// On `SQLite` all are appended or none. On Kafka one that is refused for its size refuses all before any is sent,
    /// and records of a partition keep their order; where the cluster fails in the middle, some may be there and others
    /// not, so that a caller who publishes them again may append some twice.
    ///
    /// # Errors
    /// As [`Bus::publish`].
    async fn publish_many(&self, topic: &str, records: Vec<Record>) -> Result<Vec<(u32, u64)>, Error>;

    /// Reads records from the offset `from` on, for a reader that has to know when it misses some.
    ///
    /// Stops before `max_records` or `max_bytes` would be exceeded, yet a record larger than `max_bytes` comes alone,
    /// so that a reader is never stuck. Stops before records that are held no longer, too, so that offsets within a
    /// batch leave none out. Empty at the end of the partition.
    ///
    /// # Errors
    /// [`Error::RecordsGone`] if the record at `from` was there once, [`Error::UnknownTopic`],
    /// [`Error::UnknownPartition`], or that the log could not be read.
    async fn fetch(
        &self,
        topic: &str,
        partition: u32,
        from: u64,
        max_records: usize,
        max_bytes: usize,
    ) -> Result<Vec<StoredRecord>, Error>;

    /// Looks at all partitions of a topic at once: how far each reaches, and what [`Bus::fetch`] reads in those that have
    /// a position; the others are not read. Partitions beyond the list are read from offset 0 on.
    ///
    /// The limits hold for each partition. One whose record at its position is gone tells that in its place.
    ///
    /// # Errors
    /// [`Error::UnknownTopic`], or that the log could not be read.
    async fn look(
        &self,
        topic: &str,
        positions: Vec<Option<u64>>,
        max_records: usize,
        max_bytes: usize,
    ) -> Result<Vec<Ahead>, Error>;

    /// Reads as [`Bus::fetch`] does, and passes over records that are held no longer: for those who only look.
    ///
    /// # Errors
    /// As [`Bus::fetch`], but for [`Error::RecordsGone`].
    async fn read(
        &self,
        topic: &str,
        partition: u32,
        mut from: u64,
        max_records: usize,
        max_bytes: usize,
    ) -> Result<Vec<StoredRecord>, Error> {
        loop {
            match self.fetch(topic, partition, from, max_records, max_bytes).await {
                Err(Error::RecordsGone { resume, .. }) if resume > from => from = resume,
                outcome => return outcome,
            }
        }
    }

    /// Answers for each partition the offset of the next record that the group will read; `None` where it never
    /// committed.
    ///
    /// # Errors
    /// [`Error::UnknownTopic`], or that the log could not be read.
    async fn committed(&self, group: &str, topic: &str) -> Result<Vec<Option<u64>>, Error>;

    /// Records that the group has done everything before `next`.
    ///
    /// A commit below the one held changes nothing: a slow duplicate of a reader cannot move a group back. It survives
    /// the end of the process at once and a power failure from the next append on; what a power failure takes away is
    /// read again. Kafka keeps offsets as they come, so there the one held is asked for first, and of two that commit
    /// at the same instant without being members of the group the later one counts.
    ///
    /// # Errors
    /// [`Error::OffsetOutOfRange`] if `next` lies beyond the end, [`Error::UnknownTopic`],
    /// [`Error::UnknownPartition`], [`Error::GroupInUse`], or that the log could not be written.
    async fn commit(&self, group: &str, topic: &str, partition: u32, next: u64) -> Result<(), Error>;

    /// Sets the group's offset, backward too, to read again or to skip.
    ///
    /// # Errors
    /// As [`Bus::commit`].
    async fn reset(&self, group: &str, topic: &str, partition: u32, next: u64) -> Result<(), Error>;

    /// Keeps in mind that the group has missed the records from `from` up to but not including `to`, because they were
    /// held no longer when it came to them; [`Bus::groups`] tells how many. Telling it twice changes nothing.
    ///
    /// # Errors
    /// [`Error::UnknownTopic`], [`Error::UnknownPartition`], or that the log could not be written.
    async fn record_loss(&self, group: &str, topic: &str, partition: u32, from: u64, to: u64) -> Result<(), Error>;

    /// Takes part in a group that shares the partitions of a topic.
    ///
    /// On `SQLite` the one who joins has all partitions. Kafka divides them among the members, who may be in different
    /// processes; while there are members, it takes commits from them alone.
    ///
    /// # Errors
    /// [`Error::UnknownTopic`], or that the log could not be used.
    async fn join(self: Arc<Self>, seat: Seat) -> Result<Arc<dyn Member>, Error>;

    /// Lists what every group has committed, by group, topic and partition.
    ///
    /// # Errors
    /// If the log cannot be read.
    async fn groups(&self) -> Result<Vec<GroupOffset>, Error>;

    /// Forgets all that the group has committed; an unknown group is no error.
    ///
    /// # Errors
    /// [`Error::GroupInUse`], or if the log cannot be written.
    async fn delete_group(&self, group: &str) -> Result<(), Error>;

    /// Counts for each partition the records that the group has yet to read; all held ones where it never committed.
    ///
    /// # Errors
    /// [`Error::UnknownTopic`], or that the log could not be read.
    async fn lag(&self, group: &str, topic: &str) -> Result<Vec<u64>, Error>;

    /// Answers for each partition the offset that its next record will get.
    ///
    /// # Errors
    /// [`Error::UnknownTopic`], or that the log could not be read.
    async fn end_offsets(&self, topic: &str) -> Result<Vec<u64>, Error>;

    /// Deletes what the topics' retention limits no longer cover and answers how many records went.
    ///
    /// A limit in bytes also holds without this call, give or take a sixteenth: appends see to it. As in Kafka, limits
    /// hold whether or not the records were read; see [`Error::RecordsGone`].
    ///
    /// Only the oldest records of a partition go, and the offsets of the others stay. A record stays while it is not
    /// older than `retention_ms` at the time `now`, or while it belongs to the newest `retention_bytes`, unless the
    /// other limit lets it go.
    ///
    /// # Units
    /// `now` in UTC milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// If the log cannot be written.
    async fn enforce_retention(&self, now: i64) -> Result<u64, Error>;

    /// Watches for appends by this process and by others.
    ///
    /// On `SQLite` the value is the number of records ever appended to all topics; on Kafka it grows with what this
    /// process appends, and soon after others have appended to a topic that this process looks at. To miss nothing: mark the value as seen
    /// (`borrow_and_update`), read until empty, then wait for a change.
    fn appended(&self) -> watch::Receiver<u64>;
}
