//! The partitions that one transaction appends to: looked up once, written back once.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

use super::{failure::Failure, retention, topics};
use crate::Error;

/// Ends of partitions, ahead of the table until they are written back.
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
}

#[derive(Clone, Copy, Default)]
struct Gain {
    records: u64,
    bytes: u64,
}

impl Partition {
    /// Takes the next offset for a record of so many bytes.
    pub(super) fn take(&mut self, bytes: u64) -> u64 {
        let offset = self.end;
        self.end += 1;
        self.gained.records += 1;
        self.gained.bytes += bytes;
        offset
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

    /// Writes what was gained to the table, lets byte limits act, and forgets the topics.
    pub(super) fn write_back(&mut self, connection: &Connection) -> Result<(), rusqlite::Error> {
        let mut update = connection.prepare_cached(
            "UPDATE partitions SET end_offset = ?3, bytes = bytes + ?4 WHERE topic_id = ?1 AND partition = ?2",
        )?;
        for topic in std::mem::take(&mut self.topics).into_values() {
            for (number, partition) in (0u32..).zip(&topic.partitions) {
                let gained = partition.gained;
                if gained.records == 0 {
                    continue;
                }
                update.execute((topic.id, number, partition.end, gained.bytes))?;
                self.appended += gained.records;
                if topic.retention_bytes.is_some() {
                    retention::trim(connection, topic.id, number, gained.records)?;
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
    let partitions = offsets.iter().map(|range| Partition { end: range.end, gained: Gain::default() }).collect();
    Ok(Topic { id, partitions, retention_bytes })
}
