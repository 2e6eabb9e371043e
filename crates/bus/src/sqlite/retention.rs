//! Deletes the oldest records that a topic's limits no longer cover.

use rusqlite::Connection;

use super::failure::Failure;

/// What one transaction deletes at most, so that publishers do not wait long behind it.
const MAX_RECORDS: u64 = 10_000;
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// A partition with at least one limit.
struct Limited {
    topic_id: i64,
    partition: u32,
    start: u64,
    bytes: u64,
    retention_ms: Option<i64>,
    retention_bytes: Option<u64>,
}

/// What may go from the start of a partition.
#[derive(Default)]
struct Prefix {
    records: u64,
    bytes: u64,
}

/// Deletes up to one transaction's worth and answers how many records went; 0 when nothing is left to delete.
pub(super) fn enforce(connection: &Connection, now: i64) -> Result<u64, Failure> {
    let mut gone = Prefix::default();
    for limited in limited_partitions(connection)? {
        let prefix = expired_prefix(connection, &limited, now, &gone)?;
        if prefix.records == 0 {
            continue;
        }
        delete(connection, &limited, &prefix)?;
        gone.records += prefix.records;
        gone.bytes += prefix.bytes;
    }
    Ok(gone.records)
}

fn limited_partitions(connection: &Connection) -> Result<Vec<Limited>, rusqlite::Error> {
    connection
        .prepare_cached(
            "SELECT topic_id, partition, start_offset, bytes, retention_ms, retention_bytes
             FROM partitions JOIN topics ON topics.id = topic_id
             WHERE retention_ms IS NOT NULL OR retention_bytes IS NOT NULL",
        )?
        .query_map([], |row| {
            Ok(Limited {
                topic_id: row.get(0)?,
                partition: row.get(1)?,
                start: row.get(2)?,
                bytes: row.get(3)?,
                retention_ms: row.get(4)?,
                retention_bytes: row.get(5)?,
            })
        })?
        .collect()
}

/// Measures the oldest records up to the first that must stay or the end of the budget.
fn expired_prefix(
    connection: &Connection,
    limited: &Limited,
    now: i64,
    gone: &Prefix,
) -> Result<Prefix, rusqlite::Error> {
    let oldest_kept = limited.retention_ms.map(|age| now.saturating_sub(age));
    let mut select = connection.prepare_cached(
        "SELECT timestamp, bytes FROM records WHERE topic_id = ?1 AND partition = ?2 ORDER BY offset",
    )?;
    let mut rows = select.query((limited.topic_id, limited.partition))?;
    let mut prefix = Prefix::default();
    while let Some(row) = rows.next()? {
        let timestamp: i64 = row.get(0)?;
        let bytes: u64 = row.get(1)?;
        let too_old = oldest_kept.is_some_and(|oldest| timestamp < oldest);
        let left = limited.bytes.saturating_sub(prefix.bytes + bytes);
        let too_many = limited.retention_bytes.is_some_and(|limit| left >= limit);
        let spent = gone.records + prefix.records >= MAX_RECORDS || gone.bytes + prefix.bytes >= MAX_BYTES;
        if spent || !(too_old || too_many) {
            break;
        }
        prefix.records += 1;
        prefix.bytes += bytes;
    }
    Ok(prefix)
}

fn delete(connection: &Connection, limited: &Limited, prefix: &Prefix) -> Result<(), rusqlite::Error> {
    let start = limited.start + prefix.records;
    connection
        .prepare_cached("DELETE FROM records WHERE topic_id = ?1 AND partition = ?2 AND offset < ?3")?
        .execute((limited.topic_id, limited.partition, start))?;
    connection
        .prepare_cached(
            "UPDATE partitions SET start_offset = ?3, bytes = bytes - ?4
             WHERE topic_id = ?1 AND partition = ?2",
        )?
        .execute((limited.topic_id, limited.partition, start, prefix.bytes))?;
    Ok(())
}
