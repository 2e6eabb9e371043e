//! Deletes the oldest records that a topic's limits no longer cover.

use rusqlite::{Connection, Row};

use super::failure::Failure;

/// What one transaction deletes at most, so that publishers do not wait long behind it.
const MAX_RECORDS: u64 = 10_000;
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// How far above its limit in bytes a partition may grow before an append deletes: this share of the limit, at least
/// and at most so many bytes.
const TRIM_SHARE: u64 = 16;
const MIN_TRIM_BYTES: u64 = 64 * 1024;
const MAX_TRIM_BYTES: u64 = 16 * 1024 * 1024;

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
struct Prefix {
    /// Offset of the first record that stays.
    end: u64,
    records: u64,
    bytes: u64,
}

/// What may still be deleted in a transaction.
struct Budget {
    records: u64,
    bytes: u64,
}

impl Budget {
    fn spend(&mut self, prefix: &Prefix) {
        self.records = self.records.saturating_sub(prefix.records);
        self.bytes = self.bytes.saturating_sub(prefix.bytes);
    }
}

/// Deletes up to one transaction's worth and answers how many records went; 0 when nothing is left to delete.
pub(super) fn enforce(connection: &Connection, now: i64) -> Result<u64, Failure> {
    let mut budget = Budget { records: MAX_RECORDS, bytes: MAX_BYTES };
    let mut gone = 0;
    for limited in limited_partitions(connection)? {
        let prefix = expired_prefix(connection, &limited, Some(now), &budget)?;
        if prefix.records > 0 {
            delete(connection, &limited, &prefix)?;
            budget.spend(&prefix);
            gone += prefix.records;
        }
    }
    Ok(gone)
}

/// Holds a partition that has just gained records to its limit in bytes, once it is a good deal above.
///
/// Deletes no less than was gained, so that no load can outrun it, and seldom enough to cost little.
pub(super) fn trim(connection: &Connection, topic_id: i64, partition: u32, gained: u64) -> Result<(), rusqlite::Error> {
    let limited = connection
        .prepare_cached(&format!("{LIMITED} AND topic_id = ?1 AND partition = ?2"))?
        .query_row((topic_id, partition), limited)?;
    let Some(limit) = limited.retention_bytes else {
        return Ok(());
    };
    if limited.bytes <= limit.saturating_add((limit / TRIM_SHARE).clamp(MIN_TRIM_BYTES, MAX_TRIM_BYTES)) {
        return Ok(());
    }
    let budget = Budget { records: MAX_RECORDS.max(2 * gained), bytes: MAX_BYTES };
    let prefix = expired_prefix(connection, &limited, None, &budget)?;
    delete(connection, &limited, &prefix)
}

fn limited_partitions(connection: &Connection) -> Result<Vec<Limited>, rusqlite::Error> {
    connection.prepare_cached(LIMITED)?.query_map([], limited)?.collect()
}

const LIMITED: &str = "SELECT topic_id, partition, start_offset, bytes, retention_ms, retention_bytes
    FROM partitions JOIN topics ON topics.id = topic_id
    WHERE (retention_ms IS NOT NULL OR retention_bytes IS NOT NULL)";

fn limited(row: &Row<'_>) -> Result<Limited, rusqlite::Error> {
    Ok(Limited {
        topic_id: row.get(0)?,
        partition: row.get(1)?,
        start: row.get(2)?,
        bytes: row.get(3)?,
        retention_ms: row.get(4)?,
        retention_bytes: row.get(5)?,
    })
}

/// Measures the oldest records up to the first that must stay or the end of the budget.
fn expired_prefix(
    connection: &Connection,
    limited: &Limited,
    now: Option<i64>,
    budget: &Budget,
) -> Result<Prefix, rusqlite::Error> {
    let oldest_kept = now.zip(limited.retention_ms).map(|(now, age)| now.saturating_sub(age));
    let mut select = connection.prepare_cached(
        "SELECT offset, timestamp, bytes FROM records
         WHERE topic_id = ?1 AND partition = ?2 AND offset >= ?3 ORDER BY offset",
    )?;
    let mut rows = select.query((limited.topic_id, limited.partition, limited.start))?;
    let mut prefix = Prefix { end: limited.start, records: 0, bytes: 0 };
    while let Some(row) = rows.next()? {
        let offset: u64 = row.get(0)?;
        let timestamp: i64 = row.get(1)?;
        let bytes: u64 = row.get(2)?;
        let too_old = oldest_kept.is_some_and(|oldest| timestamp < oldest);
        let left = limited.bytes.saturating_sub(prefix.bytes + bytes);
        let too_many = limited.retention_bytes.is_some_and(|limit| left >= limit);
        let spent = prefix.records >= budget.records || prefix.bytes >= budget.bytes;
        if spent || !(too_old || too_many) {
            break;
        }
        // Offsets may leave some out where a repair could not save the records.
        prefix.end = offset + 1;
        prefix.records += 1;
        prefix.bytes += bytes;
    }
    Ok(prefix)
}

fn delete(connection: &Connection, limited: &Limited, prefix: &Prefix) -> Result<(), rusqlite::Error> {
    connection
        .prepare_cached("DELETE FROM records WHERE topic_id = ?1 AND partition = ?2 AND offset < ?3")?
        .execute((limited.topic_id, limited.partition, prefix.end))?;
    connection
        .prepare_cached(
            "UPDATE partitions SET start_offset = ?3, bytes = bytes - ?4
             WHERE topic_id = ?1 AND partition = ?2",
        )?
        .execute((limited.topic_id, limited.partition, prefix.end, prefix.bytes))?;
    Ok(())
}
