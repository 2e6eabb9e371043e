//! Records in the database: append and read.

use std::{collections::HashMap, sync::Mutex};

use rusqlite::Connection;

use super::{failure::Failure, headers::Headers, topics};
use crate::{Error, MAX_RECORD_BYTES, Record, StoredRecord, partition_for_key};

/// Whose turn it is among the partitions of each topic, for records without a key.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<String, u32>>);

impl Turns {
    fn next(&self, topic: &str, partitions: u32) -> u32 {
        let mut turns = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let turn = turns.entry(topic.to_owned()).or_default();
        let partition = *turn % partitions.max(1);
        *turn = turn.wrapping_add(1);
        partition
    }
}

pub(super) fn validate(topic: &str, records: &[Record]) -> Result<(), Error> {
    for record in records {
        let size = record.size();
        if size > MAX_RECORD_BYTES {
            return Err(Error::TooLarge { topic: topic.to_owned(), size, limit: MAX_RECORD_BYTES });
        }
    }
    Ok(())
}

/// Appends the records in order; the caller's transaction makes it all or none.
pub(super) fn append(
    connection: &Connection,
    topic: &str,
    records: Vec<Record>,
    turns: &Turns,
) -> Result<Vec<(u32, u64)>, Failure> {
    let (topic_id, offsets) = topics::find(connection, topic)?;
    let partitions = u32::try_from(offsets.len()).unwrap_or(u32::MAX);
    let mut insert = connection.prepare_cached(
        "INSERT INTO records (topic_id, partition, offset, timestamp, bytes, key, headers, value)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    // What each partition gained: number of records and bytes.
    let mut gains = vec![(0u64, 0u64); offsets.len()];
    let mut placed = Vec::with_capacity(records.len());
    for record in records {
        let partition = match &record.key {
            Some(key) => partition_for_key(key, partitions),
            None => turns.next(topic, partitions),
        };
        let index = usize::try_from(partition).unwrap_or(usize::MAX);
        let (Some(range), Some(gain)) = (offsets.get(index), gains.get_mut(index)) else {
            return Err(Failure::Refused(Error::UnknownPartition { topic: topic.to_owned(), partition }));
        };
        let offset = range.end + gain.0;
        let bytes = record.size() as u64;
        insert.execute((
            topic_id,
            partition,
            offset,
            record.timestamp,
            bytes,
            record.key,
            Headers(record.headers),
            record.value,
        ))?;
        *gain = (gain.0 + 1, gain.1 + bytes);
        placed.push((partition, offset));
    }

    let mut update = connection.prepare_cached(
        "UPDATE partitions SET end_offset = end_offset + ?3, bytes = bytes + ?4
         WHERE topic_id = ?1 AND partition = ?2",
    )?;
    for (partition, (count, bytes)) in gains.into_iter().enumerate() {
        if count > 0 {
            update.execute((topic_id, partition, count, bytes))?;
        }
    }
    Ok(placed)
}

/// Reads a batch; the first record always comes, whatever its size.
pub(super) fn read(
    connection: &Connection,
    topic: &str,
    partition: u32,
    from: u64,
    max_records: usize,
    max_bytes: usize,
) -> Result<Vec<StoredRecord>, Failure> {
    let (topic_id, _) = topics::find_partition(connection, topic, partition)?;
    let from = i64::try_from(from).unwrap_or(i64::MAX);
    let limit = i64::try_from(max_records).unwrap_or(i64::MAX);
    let mut select = connection.prepare_cached(
        "SELECT offset, timestamp, bytes, key, headers, value FROM records
         WHERE topic_id = ?1 AND partition = ?2 AND offset >= ?3 ORDER BY offset LIMIT ?4",
    )?;
    let mut rows = select.query((topic_id, partition, from, limit))?;
    let mut records = Vec::new();
    let mut room = max_bytes;
    while let Some(row) = rows.next()? {
        let bytes: usize = row.get(2)?;
        if bytes > room && !records.is_empty() {
            break;
        }
        room = room.saturating_sub(bytes);
        let Headers(headers) = row.get(4)?;
        records.push(StoredRecord {
            topic: topic.to_owned(),
            partition,
            offset: row.get(0)?,
            record: Record { key: row.get(3)?, headers, value: row.get(5)?, timestamp: row.get(1)? },
        });
    }
    Ok(records)
}
