//! Makes a new log of all that can be read of a damaged one.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rusqlite::{Connection, OptionalExtension, Statement};
use streamforge_salvage::{Pages, Row, Value, fresh_place, put_in_place};

use super::{checksum, failure::Failure, frame::Place, frames, groups, headers, rows, schema};
use crate::{Error, Record};

/// Of how many pages the records go into one transaction of the new log.
const PAGES_AT_ONCE: u32 = 1000;
/// An end offset beyond is damage.
const MAX_OFFSET: i64 = 1 << 53;

/// What a repair saved and what it could not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// Where the damaged file lies now; its WAL lies beside it.
    pub damaged: PathBuf,
    /// How many topics the new log has.
    pub topics: usize,
    /// How many records it has.
    pub records: u64,
    /// How many offsets of consumer groups it has.
    pub groups: usize,
    /// Records that are gone, by topic and partition.
    pub gone: Vec<Gone>,
}

/// Neighbouring records that a repair could not save.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    /// The topic; `recovered-topic-N` if its name is gone, too.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// Offset of the first record.
    pub from: u64,
    /// Offset of the record after the last one.
    pub to: u64,
}

/// Puts a new log in the place of a damaged one, with every record that can be read at its old offset, and the offsets
/// of the groups. The damaged files stay beside it, with `.damaged-N` in their names.
///
/// Nobody else may use the log meanwhile; the caller sees to it.
///
/// # Errors
/// [`Error::Open`] if a file cannot be read or renamed, or why the new log cannot be written; the damaged one is then
/// where it was.
pub fn repair(path: &Path) -> Result<Repair, Error> {
    let open_error = |source: io::Error| Error::Open { path: path.to_owned(), source: Arc::new(source) };
    let fresh = fresh_place(path).map_err(open_error)?;
    let pages = Pages::open(path).map_err(open_error)?;
    let mut connection = schema::open_for_writing(&fresh)?;
    connection.execute_batch(rows::TABLE).map_err(|error| Failure::Database(error).into_error(&fresh))?;
    let refused = |failure: Failure| failure.into_error(&fresh);
    let found = read_all(&pages, &mut connection).map_err(|failure| match failure {
        Stopped::Reading(error) => open_error(error),
        Stopped::Writing(error) => refused(Failure::Database(error)),
    })?;
    let mut repair = settle(&mut connection, &found).map_err(|error| refused(Failure::Database(error)))?;
    rows::into_blocks(&mut connection).map_err(refused)?;
    connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .map_err(|error| refused(Failure::Database(error)))?;
    drop(connection);
    drop(pages);
    repair.damaged = put_in_place(&fresh, path).map_err(open_error)?;
    Ok(repair)
}

enum Stopped {
    Reading(io::Error),
    Writing(rusqlite::Error),
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Reading(error)
    }
}

impl From<rusqlite::Error> for Stopped {
    fn from(error: rusqlite::Error) -> Self {
        Self::Writing(error)
    }
}

/// What the small tables say. A row may be there in several versions; the furthest one counts.
#[derive(Default)]
struct Found {
    /// Name, age limit and byte limit by number.
    topics: BTreeMap<i64, (String, Option<i64>, Option<i64>)>,
    /// By topic and partition.
    partitions: BTreeMap<(i64, u32), Extent>,
    /// Next offset by group, topic and partition.
    groups: BTreeMap<(String, i64, u32), u64>,
    /// Group, topic, partition, first and next offset.
    losses: BTreeSet<(String, i64, u32, i64, i64)>,
}

/// What a partition held before the damage.
#[derive(Clone, Copy, Default)]
struct Extent {
    start: i64,
    end: i64,
    bytes: i64,
}

/// Copies the records, whatever their order, and gathers the rest.
fn read_all(pages: &Pages, connection: &mut Connection) -> Result<Found, Stopped> {
    let mut found = Found::default();
    let mut number = 1;
    while number <= pages.count() {
        let transaction = connection.transaction()?;
        {
            // The same record may stand in several pages, of which all but one are free by now.
            let mut insert = transaction.prepare(rows::INSERT)?;
            for _ in 0..PAGES_AT_ONCE {
                if number > pages.count() {
                    break;
                }
                for (place, record) in frames::records(pages, number)? {
                    if place.offset < MAX_OFFSET.unsigned_abs() {
                        rows::insert(&mut insert, place, &record)?;
                    }
                }
                for row in pages.rows(number)? {
                    take(&mut found, &mut insert, row)?;
                }
                number += 1;
            }
        }
        transaction.commit()?;
    }
    Ok(found)
}

/// Takes a row for what its shape says.
fn take(found: &mut Found, insert: &mut Statement<'_>, row: Row) -> Result<(), rusqlite::Error> {
    use Value::{Blob, Integer, Null, Text};
    let limit = |value: &Value| match value {
        Integer(limit) => Some(*limit),
        _ => None,
    };
    let text = |text: &[u8]| String::from_utf8(text.to_vec()).ok();
    let number = |number: i64| u32::try_from(number).ok();
    match (row.rowid, row.values.as_slice()) {
        (Some(id), [Null, Text(name), age, bytes]) => {
            if let Some(name) = text(name) {
                found.topics.insert(id, (name, limit(age), limit(bytes)));
            }
        }
        // The index of the names knows them, too, but not the limits.
        (None, [Text(name), Integer(id)]) => {
            if let Some(name) = text(name) {
                found.topics.entry(*id).or_insert((name, None, None));
            }
        }
        (None, [Integer(topic), Integer(partition), Integer(start), Integer(end), Integer(bytes)]) => {
            if let Some(partition) = number(*partition)
                && (0..=*end).contains(start)
                && *end <= MAX_OFFSET
            {
                let known = found.partitions.entry((*topic, partition)).or_default();
                if (*end, *start) >= (known.end, known.start) {
                    *known = Extent { start: *start, end: *end, bytes: *bytes };
                }
            }
        }
        // In the first version, offsets of groups had no checksum.
        (None, [Text(group), Integer(topic), Integer(partition), Integer(next), checksum @ ..])
            if checksum.is_empty() || matches!(checksum, [Blob(_)]) =>
        {
            if let (Some(group), Some(partition), Ok(next)) = (text(group), number(*partition), u64::try_from(*next)) {
                let expected = checksum::of_group(&group, *topic, partition, next);
                if checksum.iter().all(|stored| *stored == Blob(expected.to_vec())) {
                    let known = found.groups.entry((group, *topic, partition)).or_default();
                    *known = (*known).max(next);
                }
            }
        }
        (None, [Text(group), Integer(topic), Integer(partition), Integer(from), Integer(to)]) => {
            if let (Some(group), Some(partition)) = (text(group), number(*partition)) {
                found.losses.insert((group, *topic, partition, *from, *to));
            }
        }
        (None, _) => {
            if let Some((place, record)) = record(row.values) {
                rows::insert(insert, place, &record)?;
            }
        }
        (Some(_), _) => {}
    }
    Ok(())
}

/// Makes a record of a row that is one, of a log of the first version, and is whole.
fn record(values: Vec<Value>) -> Option<(Place, Record)> {
    use Value::{Blob, Integer, Null};
    let mut values = values.into_iter();
    let mut next = || values.next();
    let (Integer(topic_id), Integer(partition), Integer(offset), Integer(timestamp), Integer(bytes)) =
        (next()?, next()?, next()?, next()?, next()?)
    else {
        return None;
    };
    let key = match next()? {
        Null => None,
        Blob(key) => Some(key),
        _ => return None,
    };
    let (Blob(packed), Blob(value)) = (next()?, next()?) else {
        return None;
    };
    let stored = match next() {
        Some(Integer(checksum)) => Some(checksum),
        None | Some(Null) => None,
        Some(_) => return None,
    };
    let record = Record { key, headers: headers::decode(&packed)?, value, timestamp };
    let place = Place { topic_id, partition: u32::try_from(partition).ok()?, offset: u64::try_from(offset).ok()? };
    let is_whole = values.next().is_none()
        && offset < MAX_OFFSET
        && u64::try_from(bytes) == Ok(record.size() as u64)
        && rows::is_whole(place, &record, &packed, stored);
    is_whole.then_some((place, record))
}

/// Writes the small tables so that they fit the records.
fn settle(connection: &mut Connection, found: &Found) -> Result<Repair, rusqlite::Error> {
    let transaction = connection.transaction()?;
    let held: Vec<(i64, u32)> = transaction
        .prepare("SELECT DISTINCT topic_id, partition FROM records")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut partitions: BTreeMap<i64, u32> = BTreeMap::new();
    // A partition of a topic that has neither name nor records is a row that damage made up.
    let described = found.partitions.keys().filter(|(topic, _)| found.topics.contains_key(topic));
    for (topic, partition) in described.chain(&held) {
        let count = partitions.entry(*topic).or_default();
        *count = (*count).max(partition + 1);
    }
    for topic in found.topics.keys() {
        partitions.entry(*topic).or_insert(1);
    }
    let mut repair = Repair { damaged: PathBuf::new(), topics: 0, records: 0, groups: 0, gone: Vec::new() };
    let mut names = BTreeSet::new();
    for (topic, count) in &partitions {
        let lost_name = || (format!("recovered-topic-{topic}"), None, None);
        let (mut name, age, bytes) = found.topics.get(topic).cloned().unwrap_or_else(lost_name);
        if !names.insert(name.clone()) {
            name = lost_name().0;
        }
        transaction.execute("INSERT INTO topics VALUES (?1, ?2, ?3, ?4)", (topic, &name, age, bytes))?;
        repair.topics += 1;
        for partition in 0..*count {
            let known = found.partitions.get(&(*topic, partition)).copied();
            let gone = settle_partition(&transaction, *topic, partition, known)?;
            repair.gone.extend(gone.into_iter().map(|(from, to)| Gone { topic: name.clone(), partition, from, to }));
        }
    }
    repair.records = transaction.query_row("SELECT COUNT(*) FROM records", [], |row| row.get(0))?;
    for ((group, topic, partition), next) in &found.groups {
        // A group beyond the end would never read again what comes.
        let end: Option<u64> = transaction
            .query_row(
                "SELECT end_offset FROM partitions WHERE topic_id = ?1 AND partition = ?2",
                (topic, partition),
                |row| row.get(0),
            )
            .optional()?;
        if let Some(end) = end {
            groups::put(&transaction, group, *topic, *partition, end.min(*next))?;
            repair.groups += 1;
        }
    }
    for (group, topic, partition, from, to) in &found.losses {
        transaction.execute(
            "INSERT INTO group_losses SELECT ?1, topic_id, partition, ?4, ?5
             FROM partitions WHERE topic_id = ?2 AND partition = ?3 AND ?4 < ?5",
            (group, topic, partition, from, to),
        )?;
    }
    transaction.commit()?;
    Ok(repair)
}

/// Finds the offsets of a partition, drops what retention had deleted, and answers the ranges that are gone.
fn settle_partition(
    connection: &Connection,
    topic: i64,
    partition: u32,
    known: Option<Extent>,
) -> Result<Vec<(u64, u64)>, rusqlite::Error> {
    let edges = |connection: &Connection| -> Result<Option<(i64, i64)>, rusqlite::Error> {
        connection.query_row(
            "SELECT MIN(offset), MAX(offset) + 1 FROM records WHERE topic_id = ?1 AND partition = ?2",
            (topic, partition),
            |row| Ok(row.get::<_, Option<i64>>(0)?.zip(row.get(1)?)),
        )
    };
    if let Some(Extent { start, bytes, .. }) = known {
        // Free pages may bring back what retention deleted. Without more bytes than there were, none did, and a start
        // that damage has moved must not take away what is whole.
        connection.execute(
            "DELETE FROM records WHERE topic_id = ?1 AND partition = ?2 AND offset < ?3 AND ?4 < (
                 SELECT SUM(bytes) FROM records WHERE topic_id = ?1 AND partition = ?2
             )",
            (topic, partition, start, bytes),
        )?;
    }
    let held = edges(connection)?;
    let (known_start, known_end) = known.map(|extent| (extent.start, extent.end)).or(held).unwrap_or_default();
    let (first, last) = held.unwrap_or((known_end, known_end));
    let end = known_end.max(last);
    connection.execute(
        "INSERT INTO partitions SELECT ?1, ?2, ?3, ?4, COALESCE(SUM(bytes), 0) FROM records
         WHERE topic_id = ?1 AND partition = ?2",
        (topic, partition, first, end),
    )?;
    let mut gone: Vec<(u64, u64)> = connection
        .prepare_cached(
            "SELECT before + 1, offset FROM (
                 SELECT offset, LAG(offset) OVER (ORDER BY offset) AS before FROM records
                 WHERE topic_id = ?1 AND partition = ?2
             ) WHERE offset > before + 1",
        )?
        .query_map((topic, partition), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (from, to) in [(known_start, first), (last, end)] {
        if let (true, Ok(from), Ok(to)) = (from < to, u64::try_from(from), u64::try_from(to)) {
            gone.push((from, to));
        }
    }
    gone.sort_unstable();
    Ok(gone)
}
