//! The partitions that one transaction appends to: looked up once, written back once.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

use super::{blocks::Block, failure::Failure, frame::Place, retention, topics};
use crate::{Error, Record};

/// Ends of partitions and their last records, ahead of the tables until they are written back.
#[derive(Default)]
pub(super) struct Ledger {
    topics: HashMap<String, Topic>,
    appended: u64,
}

/// A topic that is appended to.
pub(super) struct Topic {
    pub(super) id: i64,
    pub(super) partitions: Vec<Partition>,
    retention_bytes: Option<u64>,
}

/// A partition that is appended to.
pub(super) struct Partition {
    /// Offset that the next record gets.
    pub(super) end: u64,
    gained: Gain,
    /// What is not in the table of blocks yet.
    block: Block,
}

/// What a transaction has appended to a partition.
#[derive(Clone, Copy, Default)]
pub(super) struct Gain {
    pub(super) records: u64,
    pub(super) bytes: u64,
}

impl Partition {
    /// Appends a record at the end; `place` says so.
    pub(super) fn append(&mut self, connection: &Connection, place: Place, record: &Record) -> Result<(), Failure> {
        self.block.push(connection, place, record)?;
        self.end = place.offset + 1;
        self.gained.records += 1;
        self.gained.bytes += record.size() as u64;
        Ok(())
    }
}

impl Ledger {
    /// Finds a topic; asks the database at the first time only.
    pub(super) fn topic(&mut self, connection: &Connection, name: &str) -> Result<&mut Topic, Failure> {
        if !self.topics.contains_key(name) {
            let topic = load(connection, name)?;
            self.topics.insert(name.to_owned(), topic);
        }
        let unknown = || Failure::Refused(Error::UnknownTopic { topic: name.to_owned() });
        self.topics.get_mut(name).ok_or_else(unknown)
    }

    /// Writes what was gained to the tables, lets byte limits act, and forgets the topics.
    pub(super) fn write_back(&mut self, connection: &Connection) -> Result<(), Failure> {
        let mut update = connection.prepare_cached(
            "UPDATE partitions SET end_offset = ?3, bytes = bytes + ?4 WHERE topic_id = ?1 AND partition = ?2",
        )?;
        for topic in std::mem::take(&mut self.topics).into_values() {
            for (number, mut partition) in (0u32..).zip(topic.partitions) {
                let gained = partition.gained;
                if gained.records == 0 {
                    continue;
                }
                let place = Place { topic_id: topic.id, partition: number, offset: partition.end };
                partition.block.write(connection, place)?;
                update.execute((topic.id, number, partition.end, gained.bytes))?;
                self.appended += gained.records;
                if topic.retention_bytes.is_some() {
                    retention::trim(connection, topic.id, number, gained)?;
                }
            }
        }
        Ok(())
    }

    /// How many records were written back.
    pub(super) fn appended(&self) -> u64 {
        self.appended
    }
}

fn load(connection: &Connection, name: &str) -> Result<Topic, Failure> {
    let (id, offsets) = topics::find(connection, name)?;
    let retention_bytes = connection
        .prepare_cached("SELECT retention_bytes FROM topics WHERE id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()?
        .flatten();
    let partitions =
        offsets.iter().map(|range| Partition { end: range.end, gained: Gain::default(), block: Block::default() });
    let partitions = partitions.collect();
    Ok(Topic { id, partitions, retention_bytes })
}
