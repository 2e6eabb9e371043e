//! What every log refuses before it has touched anything.

use crate::{Error, MAX_RECORD_BYTES, Record, TopicConfig};

/// Far above any use on one machine; keeps a typing error from filling the disk.
const MAX_PARTITIONS: u32 = 10_000;
/// As in Kafka: <https://github.com/apache/kafka/blob/3.9.0/clients/src/main/java/org/apache/kafka/common/internals/Topic.java>
const MAX_NAME_LENGTH: usize = 249;

/// Refuses topics that Kafka would refuse.
pub(crate) fn check_topic(name: &str, config: &TopicConfig) -> Result<(), Error> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let reason = if name.is_empty() || name == "." || name == ".." {
        "the name must not be empty, `.` or `..`"
    } else if name.len() > MAX_NAME_LENGTH {
        "the name must not exceed 249 bytes"
    } else if !name.bytes().all(legal) {
        "the name may hold ASCII letters, digits, `.`, `_` and `-`"
    } else if config.partitions == 0 || config.partitions > MAX_PARTITIONS {
        "the number of partitions must lie between 1 and 10000"
    } else {
        return Ok(());
    };
    Err(Error::InvalidTopic { topic: name.to_owned(), reason })
}

/// Refuses records that no topic takes.
pub(crate) fn check_records(topic: &str, records: &[Record]) -> Result<(), Error> {
    for record in records {
        let size = record.size();
        if size > MAX_RECORD_BYTES {
            return Err(Error::TooLarge { topic: topic.to_owned(), size, limit: MAX_RECORD_BYTES });
        }
    }
    Ok(())
}
