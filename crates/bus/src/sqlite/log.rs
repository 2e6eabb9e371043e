//! Records in the database: append and read.

use rusqlite::Connection;

use super::{blocks, failure::Failure, frame::Place, topics, writer::Batch};
use crate::{Ahead, Error, Record, StoredRecord, partition_for_key, partitioner::Turns};

/// Appends the records in order; refuses before it has taken any, and the caller's transaction makes it all or none.
pub(super) fn append(
    batch: &mut Batch<'_>,
    topic: &str,
    records: &[Record],
    turns: &Turns,
) -> Result<Vec<(u32, u64)>, Failure> {
    let (connection, ledger) = batch.appending();
    let found = ledger.topic(connection, topic)?;
    let partitions = u32::try_from(found.partitions.len()).unwrap_or(u32::MAX);
    let mut placed = Vec::with_capacity(records.len());
    for record in records {
        let partition = match &record.key {
            Some(key) => partition_for_key(key, partitions),
            None => turns.next(topic, partitions),
        };
        let index = usize::try_from(partition).unwrap_or(usize::MAX);
        let Some(held) = found.partitions.get_mut(index) else {
            // Only a topic without partitions comes here, and with its first record.
            return Err(Failure::Refused(Error::UnknownPartition { topic: topic.to_owned(), partition }));
        };
        let place = Place { topic_id: found.id, partition, offset: held.end };
        held.append(connection, place, record)?;
        placed.push((partition, place.offset));
    }
    Ok(placed)
}

/// Reads a batch without gaps; the first record always comes, whatever its size.
pub(super) fn fetch(
    connection: &Connection,
    topic: &str,
    partition: u32,
    from: u64,
    max_records: usize,
    max_bytes: usize,
) -> Result<Vec<StoredRecord>, Failure> {
    let (topic_id, range) = topics::find_partition(connection, topic, partition)?;
    let place = Place { topic_id, partition, offset: from };
    fetch_held(connection, topic, place, range.end, max_records, max_bytes)
}

/// Reads all partitions of a topic that have a position; those beyond the list are read from their first offset on.
pub(super) fn look(
    connection: &Connection,
    topic: &str,
    positions: &[Option<u64>],
    max_records: usize,
    max_bytes: usize,
) -> Result<Vec<Ahead>, Failure> {
    let (topic_id, ranges) = topics::find(connection, topic)?;
    let mut found = Vec::with_capacity(ranges.len());
    for (index, (partition, range)) in (0..).zip(ranges).enumerate() {
        let records = match positions.get(index).copied().unwrap_or(Some(0)) {
            None => Ok(Vec::new()),
            Some(offset) => {
                let place = Place { topic_id, partition, offset };
                match fetch_held(connection, topic, place, range.end, max_records, max_bytes) {
                    Ok(records) => Ok(records),
                    Err(Failure::Refused(error)) => Err(error),
                    Err(failure) => return Err(failure),
                }
            }
        };
        found.push(Ahead { end: range.end, records });
    }
    Ok(found)
}

/// Reads from a place on, in a partition that ends at `end`.
fn fetch_held(
    connection: &Connection,
    topic: &str,
    Place { topic_id, partition, offset: from }: Place,
    end: u64,
    max_records: usize,
    max_bytes: usize,
) -> Result<Vec<StoredRecord>, Failure> {
    if from >= end || max_records == 0 {
        return Ok(Vec::new());
    }
    let mut select = connection.prepare_cached(
        "SELECT data FROM blocks
         WHERE topic_id = ?1 AND partition = ?2 AND last_offset >= ?3 ORDER BY last_offset",
    )?;
    let mut rows = select.query((topic_id, partition, from))?;
    let mut records = Vec::new();
    let mut room = max_bytes;
    while let Some(row) = rows.next()? {
        for frame in blocks::frames(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?) {
            let frame = frame.ok_or(Failure::Damaged)?;
            if frame.offset().is_some_and(|offset| offset < from) {
                continue;
            }
            if records.len() == max_records {
                return Ok(records);
            }
            let (place, record) = frame.decode().ok_or(Failure::Damaged)?;
            if (place.topic_id, place.partition) != (topic_id, partition) {
                return Err(Failure::Damaged);
            }
            let expected = from + records.len() as u64;
            if !records.is_empty() && (place.offset != expected || record.size() > room) {
                return Ok(records);
            }
            if place.offset != expected {
                return Err(gone(topic, partition, from, place.offset));
            }
            room = room.saturating_sub(record.size());
            records.push(StoredRecord { topic: topic.to_owned(), partition, offset: place.offset, record });
        }
    }
    if records.is_empty() {
        return Err(gone(topic, partition, from, end));
    }
    Ok(records)
}

fn gone(topic: &str, partition: u32, from: u64, resume: u64) -> Failure {
    Failure::Refused(Error::RecordsGone { topic: topic.to_owned(), partition, from, resume })
}
