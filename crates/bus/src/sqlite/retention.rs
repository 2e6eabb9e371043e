//! Deletes the oldest records that a topic's limits no longer cover.

use rusqlite::{Connection, OptionalExtension, Row};

use super::{
    blocks::{self, Block},
    failure::Failure,
    frame::Place,
    ledger::Gain,
};

/// What one transaction deletes at most, so that publishers do not wait long behind it.
const MAX_BLOCKS: u64 = 10_000;
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
    blocks: u64,
    records: u64,
    bytes: u64,
}

/// What may still be deleted in a transaction.
struct Budget {
    blocks: u64,
    bytes: u64,
}

impl Budget {
    fn spend(&mut self, prefix: &Prefix) {
        self.blocks = self.blocks.saturating_sub(prefix.blocks);
        self.bytes = self.bytes.saturating_sub(prefix.bytes);
    }

    fn is_spent_by(&self, prefix: &Prefix) -> bool {
        prefix.blocks >= self.blocks || prefix.bytes >= self.bytes
    }
}

/// Where the limits of a partition draw the line.
struct Line {
    /// Timestamp of the oldest record that age lets stay.
    oldest_kept: Option<i64>,
    bytes_held: u64,
    bytes_kept: Option<u64>,
}

impl Line {
    /// Whether records go whose newest has this timestamp, if `bytes` go with them.
    fn lets_go(&self, newest: i64, bytes: u64) -> bool {
        let too_old = self.oldest_kept.is_some_and(|oldest| newest < oldest);
        let left = self.bytes_held.saturating_sub(bytes);
        too_old || self.bytes_kept.is_some_and(|kept| left >= kept)
    }
}

/// Deletes up to one transaction's worth and answers how many records went; 0 when nothing is left to delete.
pub(super) fn enforce(connection: &Connection, now: i64) -> Result<u64, Failure> {
    let mut budget = Budget { blocks: MAX_BLOCKS, bytes: MAX_BYTES };
    let mut gone = 0;
    for limited in limited_partitions(connection)? {
        let line = Line {
            oldest_kept: limited.retention_ms.map(|age| now.saturating_sub(age)),
            bytes_held: limited.bytes,
            bytes_kept: limited.retention_bytes,
        };
        let mut prefix = whole_blocks(connection, &limited, &line, &budget)?;
        delete(connection, &limited, &prefix)?;
        if !budget.is_spent_by(&prefix) {
            cut(connection, &limited, &line, &mut prefix)?;
        }
        if prefix.records > 0 {
            advance(connection, &limited, &prefix)?;
        }
        budget.spend(&prefix);
        gone += prefix.records;
    }
    Ok(gone)
}

/// Holds a partition that has just gained records to its limit in bytes, once it is a good deal above.
///
/// Deletes no less than was gained, so that no load can outrun it, and seldom enough to cost little. Only whole blocks
/// go: the limit need not hold to the record until [`enforce`] is called.
pub(super) fn trim(connection: &Connection, topic_id: i64, partition: u32, gained: Gain) -> Result<(), Failure> {
    let limited = connection
        .prepare_cached(&format!("{LIMITED} AND topic_id = ?1 AND partition = ?2"))?
        .query_row((topic_id, partition), limited)?;
    let Some(limit) = limited.retention_bytes else {
        return Ok(());
    };
    if limited.bytes <= limit.saturating_add((limit / TRIM_SHARE).clamp(MIN_TRIM_BYTES, MAX_TRIM_BYTES)) {
        return Ok(());
    }
    let line = Line { oldest_kept: None, bytes_held: limited.bytes, bytes_kept: Some(limit) };
    let budget = Budget { blocks: MAX_BLOCKS.max(2 * gained.records), bytes: MAX_BYTES.max(2 * gained.bytes) };
    let prefix = whole_blocks(connection, &limited, &line, &budget)?;
    delete(connection, &limited, &prefix)?;
    advance(connection, &limited, &prefix)?;
    Ok(())
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

/// Measures the oldest blocks up to the first of which something must stay or the end of the budget.
fn whole_blocks(
    connection: &Connection,
    limited: &Limited,
    line: &Line,
    budget: &Budget,
) -> Result<Prefix, rusqlite::Error> {
    let mut select = connection.prepare_cached(
        "SELECT last_offset, records, bytes, newest FROM blocks
         WHERE topic_id = ?1 AND partition = ?2 ORDER BY last_offset",
    )?;
    let mut rows = select.query((limited.topic_id, limited.partition))?;
    let mut prefix = Prefix { end: limited.start, blocks: 0, records: 0, bytes: 0 };
    while let Some(row) = rows.next()? {
        let last_offset: u64 = row.get(0)?;
        let bytes: u64 = row.get(2)?;
        if budget.is_spent_by(&prefix) || !line.lets_go(row.get(3)?, prefix.bytes.saturating_add(bytes)) {
            break;
        }
        prefix.end = last_offset + 1;
        prefix.blocks += 1;
        prefix.records += row.get::<_, u64>(1)?;
        prefix.bytes += bytes;
    }
    Ok(prefix)
}

fn delete(connection: &Connection, limited: &Limited, prefix: &Prefix) -> Result<(), rusqlite::Error> {
    connection
        .prepare_cached("DELETE FROM blocks WHERE topic_id = ?1 AND partition = ?2 AND last_offset < ?3")?
        .execute((limited.topic_id, limited.partition, prefix.end))?;
    Ok(())
}

/// Cuts the records off the first block that a limit lets go, and adds them to the prefix.
///
/// A block that is damaged stays as it is for a repair.
fn cut(connection: &Connection, limited: &Limited, line: &Line, prefix: &mut Prefix) -> Result<(), Failure> {
    let first: Option<(u64, Vec<u8>)> = connection
        .prepare_cached(
            "SELECT last_offset, data FROM blocks
             WHERE topic_id = ?1 AND partition = ?2 ORDER BY last_offset LIMIT 1",
        )?
        .query_row((limited.topic_id, limited.partition), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((last_offset, data)) = first else {
        return Ok(());
    };
    let Some(records) = blocks::frames(&data).map(|frame| frame?.decode()).collect::<Option<Vec<_>>>() else {
        return Ok(());
    };
    let mut stay = Block::default();
    for (place, record) in &records {
        let bytes = record.size() as u64;
        if stay.records() == 0 && line.lets_go(record.timestamp, prefix.bytes + bytes) {
            // Offsets may leave some out where a repair could not save the records.
            prefix.end = place.offset + 1;
            prefix.records += 1;
            prefix.bytes += bytes;
        } else {
            stay.push(connection, *place, record)?;
        }
    }
    if stay.records() < records.len() as u64 {
        connection
            .prepare_cached("DELETE FROM blocks WHERE topic_id = ?1 AND partition = ?2 AND last_offset = ?3")?
            .execute((limited.topic_id, limited.partition, last_offset))?;
        let place = Place { topic_id: limited.topic_id, partition: limited.partition, offset: last_offset };
        stay.write(connection, place)?;
    }
    Ok(())
}

/// Notes where the partition begins now.
fn advance(connection: &Connection, limited: &Limited, prefix: &Prefix) -> Result<(), rusqlite::Error> {
    connection
        .prepare_cached(
            "UPDATE partitions SET start_offset = ?3, bytes = MAX(0, bytes - ?4)
             WHERE topic_id = ?1 AND partition = ?2",
        )?
        .execute((limited.topic_id, limited.partition, prefix.end, prefix.bytes))?;
    Ok(())
}
