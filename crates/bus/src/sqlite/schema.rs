//! The tables of the log and how a connection to them is opened.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use streamforge_salvage::PAGE_BYTES;

use super::{
    failure::{Failure, database_error},
    groups, rows,
};
use crate::Error;

/// Marks the file as an event log (`SFbu`), so that another `SQLite` file given by mistake is refused.
const APPLICATION_ID: i64 = 0x5346_6275;
const VERSION: i64 = 2;
/// The version whose logs are brought up to date when they are opened.
const VERSION_OF_ROWS: i64 = 1;
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const CACHED_STATEMENTS: usize = 32;
/// How much the WAL gathers before it is written to the file: seldom enough that a busy writer does not wait for it all
/// the time, often enough that the WAL stays small.
const CHECKPOINT_PAGES: i64 = 2048;
/// What is left of a WAL that a long read let grow.
const MAX_WAL_BYTES: i64 = 64 * 1024 * 1024;
/// Room for the pages of a large transaction, so that none is written twice.
const WRITER_CACHE_KIBIBYTES: i64 = 16 * 1024;

/// Blocks of records come by place, so that a batch read is one range scan; by their last record, so that the scan
/// begins with the block that holds the record asked for. The small columns stand before the large one: retention reads
/// them without touching the pages of the records.
const TABLES: &str = "
    CREATE TABLE topics (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        retention_ms INTEGER,
        retention_bytes INTEGER
    ) STRICT;
    CREATE TABLE partitions (
        topic_id INTEGER NOT NULL REFERENCES topics (id),
        partition INTEGER NOT NULL,
        start_offset INTEGER NOT NULL DEFAULT 0,
        end_offset INTEGER NOT NULL DEFAULT 0,
        bytes INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (topic_id, partition)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE group_offsets (
        group_name TEXT NOT NULL,
        topic_id INTEGER NOT NULL REFERENCES topics (id),
        partition INTEGER NOT NULL,
        next_offset INTEGER NOT NULL,
        checksum BLOB,
        PRIMARY KEY (group_name, topic_id, partition)
    ) STRICT, WITHOUT ROWID;
";

const BLOCKS: &str = "
    CREATE TABLE blocks (
        topic_id INTEGER NOT NULL,
        partition INTEGER NOT NULL,
        last_offset INTEGER NOT NULL,
        records INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        newest INTEGER NOT NULL,
        data BLOB NOT NULL,
        PRIMARY KEY (topic_id, partition, last_offset)
    ) STRICT, WITHOUT ROWID;
";

/// What the first logs of the first version lack.
const LOSSES: &str = "
    CREATE TABLE IF NOT EXISTS group_losses (
        group_name TEXT NOT NULL,
        topic_id INTEGER NOT NULL REFERENCES topics (id),
        partition INTEGER NOT NULL,
        from_offset INTEGER NOT NULL,
        to_offset INTEGER NOT NULL,
        PRIMARY KEY (group_name, topic_id, partition, from_offset)
    ) STRICT, WITHOUT ROWID;
";

/// Opens the log for writing and creates its tables in a fresh file.
///
/// The caller keeps other processes from doing the same at the same time: the switch to WAL does not wait for locks.
pub(super) fn open_for_writing(path: &Path) -> Result<Connection, Error> {
    let mut connection = connect(path).map_err(|error| database_error(error, path))?;
    prepare(&mut connection, path).map_err(|failure| failure.into_error(path))?;
    Ok(connection)
}

/// Opens the log for reading only.
pub(super) fn open_for_reading(path: &Path) -> Result<Connection, Error> {
    let open = || -> Result<Connection, rusqlite::Error> {
        let connection = connect(path)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    };
    open().map_err(|error| database_error(error, path))
}

fn connect(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    Ok(connection)
}

fn prepare(connection: &mut Connection, path: &Path) -> Result<(), Failure> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let application: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let fresh = version == 0 && application == 0 && tables == 0;
    if !fresh && application != APPLICATION_ID {
        return Err(Failure::Refused(Error::Corrupt { path: path.to_owned(), source: None }));
    }
    if !fresh && version != VERSION && version != VERSION_OF_ROWS {
        return Err(Failure::Refused(Error::Schema { path: path.to_owned(), found: version, known: VERSION }));
    }
    if fresh {
        // The page size is fixed from the switch to WAL on: https://sqlite.org/pragma.html#pragma_page_size
        connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    }
    connection.pragma_update(None, "journal_mode", "wal")?;
    // In WAL mode only FULL has the log on the disk when a commit returns:
    // https://sqlite.org/pragma.html#pragma_synchronous
    connection.pragma_update(None, "synchronous", "full")?;
    if fresh {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(TABLES)?;
        transaction.execute_batch(BLOCKS)?;
        transaction.execute_batch(LOSSES)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.commit()?;
    }
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", MAX_WAL_BYTES)?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIBIBYTES)?;
    if !fresh && version == VERSION_OF_ROWS {
        begin_update(connection)?;
    }
    if has_rows(connection)? {
        rows::into_blocks(connection)?;
    }
    Ok(())
}

/// Gives a log of the first version the tables of this one; what is left of the update is to turn rows into blocks.
fn begin_update(connection: &mut Connection) -> Result<(), Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(BLOCKS)?;
    transaction.execute_batch(LOSSES)?;
    if transaction.prepare("SELECT checksum FROM records").is_err() {
        transaction.execute_batch("ALTER TABLE records ADD COLUMN checksum INTEGER")?;
    }
    transaction.execute_batch("ALTER TABLE group_offsets ADD COLUMN checksum BLOB")?;
    groups::add_checksums(&transaction)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    Ok(())
}

/// Whether the log has records with a row each, or did when an update of it was cut short.
fn has_rows(connection: &Connection) -> Result<bool, rusqlite::Error> {
    connection.query_row("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'records')", [], |row| row.get(0))
}
