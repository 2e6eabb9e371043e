//! What travels on the bus and how topics and groups describe themselves.

use crate::Error;

/// The largest record that a topic takes: key, value and headers together, in bytes.
///
/// # Source
/// The default of `max.request.size`: <https://kafka.apache.org/documentation/#producerconfigs_max.request.size>
pub const MAX_RECORD_BYTES: usize = 1_048_576;

/// One record as a Kafka record carries it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Decides the partition; records with the same key keep their order. Without a key, partitions take turns.
    pub key: Option<Vec<u8>>,
    /// Names and binary values in the order given; a name may occur more than once.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The payload; may be empty.
    pub value: Vec<u8>,
    /// When it was created, in UTC milliseconds since the Unix epoch; retention by age goes by it.
    pub timestamp: i64,
}

impl Record {
    /// Counts the bytes of key, value and headers.
    #[must_use]
    pub fn size(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.key.as_ref().map_or(0, Vec::len) + self.value.len() + headers
    }

    /// Finds the first header of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let (_, value) = self.headers.iter().find(|(known, _)| known == name)?;
        Some(value)
    }
}

/// A record together with its place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// The topic it was published to.
    pub topic: String,
    /// The partition that its key chose.
    pub partition: u32,
    /// Its number in the partition; the first record of a partition has offset 0, and no number is given twice.
    pub offset: u64,
    /// The record as published.
    pub record: Record,
}

/// What one partition has for a reader.
#[derive(Clone, Debug)]
pub struct Ahead {
    /// The offset that the partition's next record will get.
    pub end: u64,
    /// The records from the reader's position on, or why there are none; empty at the end.
    pub records: Result<Vec<StoredRecord>, Error>,
}

/// What a topic is asked to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicConfig {
    /// Number of partitions, at least 1.
    pub partitions: u32,
    /// Records older than this many milliseconds may be deleted; `None` keeps them for ever.
    pub retention_ms: Option<u64>,
    /// Of each partition, the newest records up to this many bytes stay and older ones may be deleted; `None` sets no
    /// limit. As in Kafka, the limit holds for each partition.
    pub retention_bytes: Option<u64>,
}

impl Default for TopicConfig {
    /// One partition that keeps everything.
    fn default() -> Self {
        Self { partitions: 1, retention_ms: None, retention_bytes: None }
    }
}

/// The offsets that one partition holds: `start` is the oldest record, `end` is what the next record will get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetRange {
    /// Offset of the oldest record still held.
    pub start: u64,
    /// Offset that the next record will get.
    pub end: u64,
}

/// A topic as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicDescription {
    /// Its name.
    pub name: String,
    /// Its partitions and limits.
    pub config: TopicConfig,
    /// The offsets of each partition, by partition number.
    pub offsets: Vec<OffsetRange>,
}

/// How far a consumer group has come in one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupOffset {
    /// The consumer group.
    pub group: String,
    /// The topic it reads.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// Offset of the next record that the group will read.
    pub next: u64,
    /// How many records were held no longer when the group came to them.
    pub lost: u64,
}
