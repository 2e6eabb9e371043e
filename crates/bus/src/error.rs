//! What can go wrong with the log.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Why the bus refused or failed.
///
/// It can be cloned because one failed transaction answers several publishers.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// A URL that names no log; it is not repeated, because it may hold a password.
    #[error(
        "the URL of the event log must be like `sqlite:///absolute/path`, `kafka://host:9092,host:9092` or \
         `kafka+ssl://host:9093?ca=/file&user=/file&password=/file`"
    )]
    Url,
    /// The program cannot talk to Kafka.
    #[error("this program was built without Kafka: its event log can be `sqlite:///absolute/path` only")]
    WithoutKafka,
    /// The cluster did not do what was asked in time; it may do so later.
    #[error("failed to {action} at Kafka {cluster}: {reason}")]
    Cluster {
        /// The brokers that were asked.
        cluster: String,
        /// What was attempted.
        action: &'static str,
        /// What the cluster or its client said.
        reason: String,
    },
    /// The cluster does not let us in, or not to this; somebody has to change a password, a certificate or a right.
    #[error("not allowed to {action} at Kafka {cluster}: {reason}")]
    Denied {
        /// The brokers that were asked.
        cluster: String,
        /// What was attempted.
        action: &'static str,
        /// What the cluster or its client said.
        reason: String,
    },
    /// The offsets of a group belong to its members while there are any.
    #[error("consumer group `{group}` has members, who alone may change its offsets: stop them first")]
    GroupInUse {
        /// The group.
        group: String,
    },
    /// The partition is another member's by now.
    #[error("partition {partition} of topic `{topic}` is another member's by now")]
    NotAssigned {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u32,
    },
    /// No such topic; topics are created explicitly.
    #[error("topic `{topic}` does not exist")]
    UnknownTopic {
        /// The topic asked for.
        topic: String,
    },
    /// The topic has fewer partitions.
    #[error("topic `{topic}` has no partition {partition}")]
    UnknownPartition {
        /// The topic asked for.
        topic: String,
        /// The partition asked for.
        partition: u32,
    },
    /// The name or the number of partitions is not allowed.
    #[error("topic `{topic}` cannot be created: {reason}")]
    InvalidTopic {
        /// The topic asked for.
        topic: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Key, value and headers exceed [`crate::MAX_RECORD_BYTES`].
    #[error("record of {size} bytes for topic `{topic}` exceeds the limit of {limit} bytes")]
    TooLarge {
        /// The topic it was meant for.
        topic: String,
        /// The bytes it has.
        size: usize,
        /// The bytes it may have.
        limit: usize,
    },
    /// A commit beyond the end would skip records that are yet to come.
    #[error("offset {next} of topic `{topic}` partition {partition} lies beyond the end offset {end}")]
    OffsetOutOfRange {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u32,
        /// The offset asked for.
        next: u64,
        /// The end of the partition.
        end: u64,
    },
    /// Records that a reader asked for are held no longer: retention has deleted them, or a repair could not save them.
    ///
    /// # Source
    /// Kafka answers `OFFSET_OUT_OF_RANGE`, and `auto.offset.reset` decides where a consumer goes on:
    /// <https://kafka.apache.org/documentation/#consumerconfigs_auto.offset.reset>
    #[error("records {from} to {} of topic `{topic}` partition {partition} are held no longer", .resume.saturating_sub(1))]
    RecordsGone {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u32,
        /// Offset of the record asked for.
        from: u64,
        /// Offset at which a reader may go on: that of the next record held, or the end.
        resume: u64,
    },
    /// No space left; nothing of the failed transaction was kept, all that was acknowledged before is still there.
    #[error("disk full while writing the event log {}: free some space, nothing accepted is lost", path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
        /// What `SQLite` said.
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// Another process kept the file locked for too long.
    #[error("event log {} is locked by another process", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
        /// What `SQLite` said.
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// The file is damaged or is not an event log.
    #[error(
        "event log {} is corrupt or not an event log; if it is one, stop what uses it and run `streamforge repair \
         --data-dir {}`",
        path.display(),
        folder_of(path).display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What `SQLite` said; `None` if it was the bus that could not make sense of the content.
        #[source]
        source: Option<Arc<rusqlite::Error>>,
    },
    /// The file was written by a version of the program that this one does not know.
    #[error(
        "event log {} has schema version {found}, this program knows version {known}; use the program that wrote it, or \
         another data folder",
        path.display()
    )]
    Schema {
        /// The file.
        path: PathBuf,
        /// The version in the file.
        found: i64,
        /// The version of this program.
        known: i64,
    },
    /// Any other failure of the database.
    #[error("failed to use the event log {}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What `SQLite` said.
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// The operating system refused a file or a thread that the log needs.
    #[error("failed to open {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: Arc<io::Error>,
    },
    /// The appends of other processes could not be watched for.
    #[error("failed to watch {}", path.display())]
    Watch {
        /// The file that they touch.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: Arc<notify::Error>,
    },
    /// The log is shutting down or its writer has died.
    #[error("event log is closed")]
    Closed,
}

impl Error {
    /// Tells whether the same call may succeed later without anything being changed by the caller.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::DiskFull { .. }
            | Self::Busy { .. }
            | Self::Database { .. }
            | Self::Cluster { .. }
            | Self::Denied { .. } => true,
            Self::Url
            | Self::WithoutKafka
            | Self::GroupInUse { .. }
            | Self::NotAssigned { .. }
            | Self::UnknownTopic { .. }
            | Self::UnknownPartition { .. }
            | Self::InvalidTopic { .. }
            | Self::TooLarge { .. }
            | Self::OffsetOutOfRange { .. }
            | Self::RecordsGone { .. }
            | Self::Corrupt { .. }
            | Self::Schema { .. }
            | Self::Open { .. }
            | Self::Watch { .. }
            | Self::Closed => false,
        }
    }
}

/// The folder that a file lies in.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
