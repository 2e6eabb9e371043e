//! Topics and their partitions in the database.

use rusqlite::{Connection, OptionalExtension};

use super::failure::Failure;
use crate::{Error, OffsetRange, TopicConfig, TopicDescription};

pub(super) fn create(connection: &Connection, name: &str, config: &TopicConfig) -> Result<(), Failure> {
    let limit = |limit: Option<u64>| limit.map(|limit| i64::try_from(limit).unwrap_or(i64::MAX));
    let id: i64 = connection
        .prepare_cached(
            "INSERT INTO topics (name, retention_ms, retention_bytes) VALUES (?1, ?2, ?3)
             ON CONFLICT (name) DO UPDATE SET
                 retention_ms = excluded.retention_ms, retention_bytes = excluded.retention_bytes
             RETURNING id",
        )?
        .query_row((name, limit(config.retention_ms), limit(config.retention_bytes)), |row| row.get(0))?;
    let mut insert =
        connection.prepare_cached("INSERT OR IGNORE INTO partitions (topic_id, partition) VALUES (?1, ?2)")?;
    for partition in 0..config.partitions {
        insert.execute((id, partition))?;
    }
    Ok(())
}

pub(super) fn describe_all(connection: &Connection) -> Result<Vec<TopicDescription>, Failure> {
    let mut select =
        connection.prepare_cached("SELECT id, name, retention_ms, retention_bytes FROM topics ORDER BY name")?;
    let mut rows = select.query([])?;
    let mut descriptions = Vec::new();
    while let Some(row) = rows.next()? {
        let offsets = offsets(connection, row.get(0)?)?;
        descriptions.push(TopicDescription {
            name: row.get(1)?,
            config: TopicConfig {
                partitions: u32::try_from(offsets.len()).unwrap_or(u32::MAX),
                retention_ms: row.get(2)?,
                retention_bytes: row.get(3)?,
            },
            offsets,
        });
    }
    Ok(descriptions)
}

/// Finds the number of a topic and the offsets of its partitions.
pub(super) fn find(connection: &Connection, topic: &str) -> Result<(i64, Vec<OffsetRange>), Failure> {
    let id: Option<i64> = connection
        .prepare_cached("SELECT id FROM topics WHERE name = ?1")?
        .query_row([topic], |row| row.get(0))
        .optional()?;
    let Some(id) = id else {
        return Err(Failure::Refused(Error::UnknownTopic { topic: topic.to_owned() }));
    };
    Ok((id, offsets(connection, id)?))
}

/// Finds the number of a topic and the offsets of one of its partitions.
pub(super) fn find_partition(
    connection: &Connection,
    topic: &str,
    partition: u32,
) -> Result<(i64, OffsetRange), Failure> {
    let found = connection
        .prepare_cached(
            "SELECT id, start_offset, end_offset FROM topics JOIN partitions ON topic_id = id
             WHERE name = ?1 AND partition = ?2",
        )?
        .query_row((topic, partition), |row| Ok((row.get(0)?, OffsetRange { start: row.get(1)?, end: row.get(2)? })))
        .optional()?;
    if let Some(found) = found {
        return Ok(found);
    }
    find(connection, topic)?;
    Err(Failure::Refused(Error::UnknownPartition { topic: topic.to_owned(), partition }))
}

/// Counts the records ever appended; end offsets never go down and topics are never removed.
pub(super) fn records_appended(connection: &Connection) -> Result<u64, rusqlite::Error> {
    connection.prepare_cached("SELECT COALESCE(SUM(end_offset), 0) FROM partitions")?.query_row([], |row| row.get(0))
}

fn offsets(connection: &Connection, topic_id: i64) -> Result<Vec<OffsetRange>, rusqlite::Error> {
    connection
        .prepare_cached("SELECT start_offset, end_offset FROM partitions WHERE topic_id = ?1 ORDER BY partition")?
        .query_map([topic_id], |row| Ok(OffsetRange { start: row.get(0)?, end: row.get(1)? }))?
        .collect()
}
