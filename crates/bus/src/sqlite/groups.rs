//! Consumer groups in the database: committed offsets and lag.

use std::ops::Range;

use rusqlite::{Connection, OptionalExtension, Row};

use super::{checksum, failure::Failure, topics};
use crate::{Error, GroupOffset};

/// Which way a group's offset may move.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    /// Only up: a commit.
    Forward,
    /// Anywhere: a reset.
    Anywhere,
}

pub(super) fn set(
    connection: &Connection,
    group: &str,
    topic: &str,
    partition: u32,
    next: u64,
    allowed: Move,
) -> Result<(), Failure> {
    let (topic_id, range) = topics::find_partition(connection, topic, partition)?;
    if next > range.end {
        return Err(Failure::Refused(Error::OffsetOutOfRange {
            topic: topic.to_owned(),
            partition,
            next,
            end: range.end,
        }));
    }
    let held: Option<u64> = connection
        .prepare_cached(
            "SELECT group_name, topic_id, partition, next_offset, checksum FROM group_offsets
             WHERE group_name = ?1 AND topic_id = ?2 AND partition = ?3",
        )?
        .query_row((group, topic_id, partition), |row| Ok(next_offset(row)))
        .optional()?
        .transpose()?;
    if allowed == Move::Anywhere || held.is_none_or(|held| next > held) {
        put(connection, group, topic_id, partition, next)?;
    }
    Ok(())
}

/// Writes what a group has committed, with its checksum.
pub(super) fn put(
    connection: &Connection,
    group: &str,
    topic_id: i64,
    partition: u32,
    next: u64,
) -> Result<(), rusqlite::Error> {
    let checksum = checksum::of_group(group, topic_id, partition, next);
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO group_offsets (group_name, topic_id, partition, next_offset, checksum)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute((group, topic_id, partition, next, checksum))?;
    Ok(())
}

/// Takes offsets that were committed without a checksum for what they say, and gives them one.
pub(super) fn add_checksums(connection: &Connection) -> Result<(), rusqlite::Error> {
    let mut select = connection.prepare("SELECT group_name, topic_id, partition, next_offset FROM group_offsets")?;
    let rows: Vec<(String, i64, u32, u64)> = select
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect::<Result<_, _>>()?;
    for (group, topic_id, partition, next) in rows {
        put(connection, &group, topic_id, partition, next)?;
    }
    Ok(())
}

/// Reads a row of group, topic, partition, next offset and checksum.
fn next_offset(row: &Row<'_>) -> Result<u64, Failure> {
    let next = row.get(3)?;
    let group = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
    let checksum = checksum::of_group(group, row.get(1)?, row.get(2)?, next);
    if row.get::<_, [u8; 4]>(4)? == checksum { Ok(next) } else { Err(Failure::Damaged) }
}

/// Notes offsets that a group missed, as one range with those noted before that it touches.
pub(super) fn record_loss(
    connection: &Connection,
    group: &str,
    topic: &str,
    partition: u32,
    lost: Range<u64>,
) -> Result<(), Failure> {
    let (topic_id, _) = topics::find_partition(connection, topic, partition)?;
    let touching: Vec<Range<u64>> = connection
        .prepare_cached(
            "DELETE FROM group_losses WHERE group_name = ?1 AND topic_id = ?2 AND partition = ?3
                 AND from_offset <= ?5 AND to_offset >= ?4
             RETURNING from_offset, to_offset",
        )?
        .query_map((group, topic_id, partition, lost.start, lost.end), |row| Ok(row.get(0)?..row.get(1)?))?
        .collect::<Result<_, _>>()?;
    let start = touching.iter().map(|range| range.start).fold(lost.start, u64::min);
    let end = touching.iter().map(|range| range.end).fold(lost.end, u64::max);
    connection
        .prepare_cached(
            "INSERT INTO group_losses (group_name, topic_id, partition, from_offset, to_offset)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute((group, topic_id, partition, start, end))?;
    Ok(())
}

pub(super) fn committed(connection: &Connection, group: &str, topic: &str) -> Result<Vec<Option<u64>>, Failure> {
    let (topic_id, ranges) = topics::find(connection, topic)?;
    let mut offsets = vec![None; ranges.len()];
    let mut select = connection.prepare_cached(
        "SELECT group_name, topic_id, partition, next_offset, checksum FROM group_offsets
         WHERE group_name = ?1 AND topic_id = ?2",
    )?;
    let mut rows = select.query((group, topic_id))?;
    while let Some(row) = rows.next()? {
        let partition: usize = row.get(2)?;
        if let Some(offset) = offsets.get_mut(partition) {
            *offset = Some(next_offset(row)?);
        }
    }
    Ok(offsets)
}

pub(super) fn lag(connection: &Connection, group: &str, topic: &str) -> Result<Vec<u64>, Failure> {
    let (_, ranges) = topics::find(connection, topic)?;
    let committed = committed(connection, group, topic)?;
    let lags = ranges.iter().zip(committed).map(|(range, next)| {
        let next = next.unwrap_or(range.start).max(range.start);
        range.end.saturating_sub(next)
    });
    Ok(lags.collect())
}

pub(super) fn list(connection: &Connection) -> Result<Vec<GroupOffset>, Failure> {
    let mut select = connection.prepare_cached(
        "SELECT group_name, topic_id, partition, next_offset, checksum, name, (
             SELECT COALESCE(SUM(to_offset - from_offset), 0) FROM group_losses AS losses
             WHERE losses.group_name = held.group_name AND losses.topic_id = held.topic_id
                 AND losses.partition = held.partition
         )
         FROM group_offsets AS held JOIN topics ON topics.id = topic_id
         ORDER BY group_name, name, partition",
    )?;
    let mut rows = select.query([])?;
    let mut offsets = Vec::new();
    while let Some(row) = rows.next()? {
        offsets.push(GroupOffset {
            group: row.get(0)?,
            topic: row.get(5)?,
            partition: row.get(2)?,
            next: next_offset(row)?,
            lost: row.get(6)?,
        });
    }
    Ok(offsets)
}

pub(super) fn delete(connection: &Connection, group: &str) -> Result<(), Failure> {
    connection.prepare_cached("DELETE FROM group_offsets WHERE group_name = ?1")?.execute([group])?;
    connection.prepare_cached("DELETE FROM group_losses WHERE group_name = ?1")?.execute([group])?;
    Ok(())
}
