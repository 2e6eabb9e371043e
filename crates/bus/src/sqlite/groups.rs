//! Consumer groups in the database: committed offsets and lag.

use std::ops::Range;

use rusqlite::Connection;

use super::{failure::Failure, topics};
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
    connection
        .prepare_cached(
            "INSERT INTO group_offsets (group_name, topic_id, partition, next_offset) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (group_name, topic_id, partition) DO UPDATE SET next_offset = excluded.next_offset
             WHERE ?5 OR excluded.next_offset > next_offset",
        )?
        .execute((group, topic_id, partition, next, allowed == Move::Anywhere))?;
    Ok(())
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
    let (topic_id, _) = topics::find(connection, topic)?;
    let offsets = connection
        .prepare_cached(
            "SELECT next_offset FROM partitions
             LEFT JOIN group_offsets ON group_name = ?1
                 AND group_offsets.topic_id = partitions.topic_id
                 AND group_offsets.partition = partitions.partition
             WHERE partitions.topic_id = ?2 ORDER BY partitions.partition",
        )?
        .query_map((group, topic_id), |row| row.get(0))?
        .collect::<Result<_, _>>()?;
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
    let offsets = connection
        .prepare_cached(
            "SELECT group_name, name, partition, next_offset, (
                 SELECT COALESCE(SUM(to_offset - from_offset), 0) FROM group_losses AS losses
                 WHERE losses.group_name = held.group_name AND losses.topic_id = held.topic_id
                     AND losses.partition = held.partition
             )
             FROM group_offsets AS held JOIN topics ON topics.id = topic_id
             ORDER BY group_name, name, partition",
        )?
        .query_map([], |row| {
            Ok(GroupOffset {
                group: row.get(0)?,
                topic: row.get(1)?,
                partition: row.get(2)?,
                next: row.get(3)?,
                lost: row.get(4)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(offsets)
}

pub(super) fn delete(connection: &Connection, group: &str) -> Result<(), Failure> {
    connection.prepare_cached("DELETE FROM group_offsets WHERE group_name = ?1")?.execute([group])?;
    connection.prepare_cached("DELETE FROM group_losses WHERE group_name = ?1")?.execute([group])?;
    Ok(())
}
