//! Checksums of rows: `SQLite` notices a damaged page only where its structure suffers.

use super::frame::Place;
use crate::Record;

/// CRC-32 of what a group has committed. Without it, a flipped bit would move the group and nobody would know.
pub(super) fn of_group(group: &str, topic_id: i64, partition: u32, next: u64) -> [u8; 4] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&topic_id.to_le_bytes());
    hasher.update(&partition.to_le_bytes());
    hasher.update(&next.to_le_bytes());
    hasher.update(group.as_bytes());
    hasher.finalize().to_le_bytes()
}

/// CRC-32 of a record that has a row of its own, as in logs of the first version; `headers` as they are stored.
pub(super) fn of_row(place: Place, record: &Record, headers: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&place.topic_id.to_le_bytes());
    hasher.update(&place.partition.to_le_bytes());
    hasher.update(&place.offset.to_le_bytes());
    hasher.update(&record.timestamp.to_le_bytes());
    // The length keeps bytes from wandering between key and headers, and tells no key from an empty one.
    hasher.update(&record.key.as_ref().map_or(u64::MAX, |key| key.len() as u64).to_le_bytes());
    hasher.update(record.key.as_deref().unwrap_or_default());
    hasher.update(&(headers.len() as u64).to_le_bytes());
    hasher.update(headers);
    hasher.update(&record.value);
    hasher.finalize()
}
