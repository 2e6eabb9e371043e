//! Records in the database: append and read.

use std::{collections::HashMap, sync::Mutex};

use rusqlite::{Connection, Statement};

use super::{
    checksum::{Checksum, Place},
    failure::Failure,
    headers, topics,
    writer::Batch,
};
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

/// Appends the records in order; refuses before it has written any, and the caller's transaction makes it all or none.
pub(super) fn append(
    batch: &mut Batch<'_>,
    topic: &str,
    records: Vec<Record>,
    turns: &Turns,
) -> Result<Vec<(u32, u64)>, Failure> {
    let (connection, ledger) = batch.appending();
    let found = ledger.topic(connection, topic)?;
    let partitions = u32::try_from(found.partitions.len()).unwrap_or(u32::MAX);
    let mut insert = connection.prepare_cached(INSERT)?;
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
        let offset = held.take(record.size() as u64);
        insert_record(&mut insert, Place { topic_id: found.id, partition, offset }, &record)?;
        placed.push((partition, offset));
    }
    Ok(placed)
}

pub(super) const INSERT: &str =
    "INSERT INTO records (topic_id, partition, offset, timestamp, bytes, key, headers, value, checksum)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

/// Runs [`INSERT`] or a variant of it for one record.
pub(super) fn insert_record(
    insert: &mut Statement<'_>,
    place: Place,
    record: &Record,
) -> Result<usize, rusqlite::Error> {
    let headers = headers::encode(&record.headers).ok_or(rusqlite::Error::InvalidQuery)?;
    let checksum = Checksum::of(place, record, &headers);
    insert.execute((
        place.topic_id,
        place.partition,
        place.offset,
        record.timestamp,
        record.size() as u64,
        &record.key,
        headers,
        &record.value,
        checksum,
    ))
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
    if from >= range.end || max_records == 0 {
        return Ok(Vec::new());
    }
    let limit = i64::try_from(max_records).unwrap_or(i64::MAX);
    let mut select = connection.prepare_cached(
        "SELECT offset, timestamp, bytes, key, headers, value, checksum FROM records
         WHERE topic_id = ?1 AND partition = ?2 AND offset >= ?3 ORDER BY offset LIMIT ?4",
    )?;
    let mut rows = select.query((topic_id, partition, from, limit))?;
    let mut records = Vec::new();
    let mut room = max_bytes;
    let mut expected = from;
    while let Some(row) = rows.next()? {
        let offset: u64 = row.get(0)?;
        let bytes: usize = row.get(2)?;
        if !records.is_empty() && (offset != expected || bytes > room) {
            break;
        }
        if offset != expected {
            return Err(gone(topic, partition, from, offset));
        }
        room = room.saturating_sub(bytes);
        expected += 1;
        let headers = row.get_ref(4)?.as_blob().map_err(rusqlite::Error::from)?;
        let record = Record {
            key: row.get(3)?,
            headers: headers::decode(headers).ok_or(Failure::Damaged)?,
            value: row.get(5)?,
            timestamp: row.get(1)?,
        };
        if !Checksum::of(Place { topic_id, partition, offset }, &record, headers).agrees_with(row.get(6)?) {
            return Err(Failure::Damaged);
        }
        records.push(StoredRecord { topic: topic.to_owned(), partition, offset, record });
    }
    if records.is_empty() {
        return Err(gone(topic, partition, from, range.end));
    }
    Ok(records)
}

fn gone(topic: &str, partition: u32, from: u64, resume: u64) -> Failure {
    Failure::Refused(Error::RecordsGone { topic: topic.to_owned(), partition, from, resume })
}
