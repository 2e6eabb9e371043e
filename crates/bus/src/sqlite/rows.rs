//! Records with a row each: what logs of the first version hold, and what a repair gathers before it makes blocks of it.

use rusqlite::{Connection, Statement, TransactionBehavior};

use super::{blocks::Block, checksum, failure::Failure, frame::Place, headers};
use crate::Record;

/// How many records become blocks in one transaction.
const RECORDS_AT_ONCE: usize = 10_000;

pub(super) const TABLE: &str = "
    CREATE TABLE records (
        topic_id INTEGER NOT NULL,
        partition INTEGER NOT NULL,
        offset INTEGER NOT NULL,
        timestamp INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        key BLOB,
        headers BLOB NOT NULL,
        value BLOB NOT NULL,
        checksum INTEGER,
        PRIMARY KEY (topic_id, partition, offset)
    ) STRICT, WITHOUT ROWID;
";

/// Inserts a record unless it is there.
pub(super) const INSERT: &str =
    "INSERT OR IGNORE INTO records (topic_id, partition, offset, timestamp, bytes, key, headers, value, checksum)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

/// Runs [`INSERT`] for one record.
pub(super) fn insert(insert: &mut Statement<'_>, place: Place, record: &Record) -> Result<(), rusqlite::Error> {
    let mut packed = Vec::new();
    headers::encode(&mut packed, &record.headers).ok_or(rusqlite::Error::InvalidQuery)?;
    let checksum = checksum::of_row(place, record, &packed);
    insert.execute((
        place.topic_id,
        place.partition,
        place.offset,
        record.timestamp,
        record.size() as u64,
        &record.key,
        packed,
        &record.value,
        checksum,
    ))?;
    Ok(())
}

/// Whether a record that was stored with this checksum is whole; those of the oldest logs have none.
pub(super) fn is_whole(place: Place, record: &Record, headers: &[u8], stored: Option<i64>) -> bool {
    stored.is_none_or(|stored| stored == i64::from(checksum::of_row(place, record, headers)))
}

/// Makes blocks of all rows and drops their table; goes on where it was cut short.
///
/// A damaged row stops it, so that damage does not get a new checksum; a repair passes such rows over.
pub(super) fn into_blocks(connection: &mut Connection) -> Result<(), Failure> {
    loop {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let Some(last) = copy_some(&transaction)? else {
            transaction.execute_batch("DROP TABLE records")?;
            transaction.commit()?;
            return Ok(());
        };
        // At once, so that the blocks to come take the pages that become free.
        transaction.execute(
            "DELETE FROM records WHERE (topic_id, partition, offset) <= (?1, ?2, ?3)",
            (last.topic_id, last.partition, last.offset),
        )?;
        transaction.commit()?;
    }
}

/// Copies the first rows and answers the place of the last of them, none if there were none.
fn copy_some(connection: &Connection) -> Result<Option<Place>, Failure> {
    let mut select = connection.prepare(
        "SELECT topic_id, partition, offset, timestamp, key, headers, value, checksum FROM records
         ORDER BY topic_id, partition, offset LIMIT ?1",
    )?;
    let mut rows = select.query([RECORDS_AT_ONCE])?;
    let mut block = Block::default();
    let mut last: Option<Place> = None;
    while let Some(row) = rows.next()? {
        let place = Place { topic_id: row.get(0)?, partition: row.get(1)?, offset: row.get(2)? };
        let packed = row.get_ref(5)?.as_blob().map_err(rusqlite::Error::from)?;
        let record = Record {
            key: row.get(4)?,
            headers: headers::decode(packed).ok_or(Failure::Damaged)?,
            value: row.get(6)?,
            timestamp: row.get(3)?,
        };
        if !is_whole(place, &record, packed, row.get(7)?) {
            return Err(Failure::Damaged);
        }
        if let Some(last) = last
            && (last.topic_id, last.partition) != (place.topic_id, place.partition)
        {
            block.write(connection, last)?;
        }
        block.push(connection, place, &record)?;
        last = Some(place);
    }
    if let Some(last) = last {
        block.write(connection, last)?;
    }
    Ok(last)
}
