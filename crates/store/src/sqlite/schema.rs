//! The tables of the store and how a connection to them is opened.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::{
    failure::{Failure, database_error},
    turn::Taken,
};
use crate::Error;

/// Marks the file as a store (`SFst`), so that another `SQLite` file given by mistake is refused.
const APPLICATION_ID: i64 = 0x5346_7374;
const VERSION: i64 = 3;
/// The oldest version that can be brought up to date.
const OLDEST: i64 = 1;
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
const CACHED_STATEMENTS: usize = 64;
/// Room for the pages of a large transaction, so that none is written twice or read again for the next one.
const WRITER_CACHE_KIBIBYTES: i64 = 16 * 1024;

/// The tables of version 1.
///
/// Decimals are kept as text, so that every digit and the scale survive. `interval` is empty for trades.
const TABLES: &str = "
    CREATE TABLE series (
        id INTEGER PRIMARY KEY,
        symbol TEXT NOT NULL,
        kind TEXT NOT NULL,
        interval TEXT NOT NULL,
        UNIQUE (symbol, kind, interval)
    ) STRICT;
    CREATE TABLE klines (
        series_id INTEGER NOT NULL REFERENCES series (id),
        open_time INTEGER NOT NULL,
        version INTEGER NOT NULL,
        open TEXT NOT NULL,
        high TEXT NOT NULL,
        low TEXT NOT NULL,
        close TEXT NOT NULL,
        volume TEXT NOT NULL,
        close_time INTEGER NOT NULL,
        quote_asset_volume TEXT NOT NULL,
        number_of_trades INTEGER NOT NULL,
        taker_buy_base_asset_volume TEXT NOT NULL,
        taker_buy_quote_asset_volume TEXT NOT NULL,
        PRIMARY KEY (series_id, open_time)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE trades (
        series_id INTEGER NOT NULL REFERENCES series (id),
        trade_id INTEGER NOT NULL,
        version INTEGER NOT NULL,
        price TEXT NOT NULL,
        quantity TEXT NOT NULL,
        timestamp INTEGER NOT NULL,
        is_buyer_maker INTEGER NOT NULL,
        PRIMARY KEY (series_id, trade_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX trades_by_time ON trades (series_id, timestamp, trade_id);
    CREATE TABLE loaded_ranges (
        series_id INTEGER NOT NULL REFERENCES series (id),
        from_time INTEGER NOT NULL,
        to_time INTEGER NOT NULL,
        PRIMARY KEY (series_id, from_time)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE workflows (
        id TEXT PRIMARY KEY,
        status TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        next_deadline INTEGER,
        revision INTEGER NOT NULL,
        document TEXT NOT NULL
    ) STRICT;
    CREATE INDEX workflows_by_age ON workflows (created_at, id);
    CREATE INDEX workflows_by_status ON workflows (status, created_at, id);
    CREATE INDEX workflows_by_deadline ON workflows (next_deadline) WHERE next_deadline IS NOT NULL;
    CREATE TABLE idempotency_keys (
        key TEXT PRIMARY KEY,
        body_digest BLOB NOT NULL,
        workflow_id TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE graphs (
        id TEXT PRIMARY KEY,
        version INTEGER NOT NULL,
        interval TEXT NOT NULL,
        from_time INTEGER NOT NULL,
        to_time INTEGER NOT NULL,
        parameters TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX graphs_by_version ON graphs (version, id);
    CREATE TABLE graph_nodes (
        graph_id TEXT NOT NULL REFERENCES graphs (id),
        position INTEGER NOT NULL,
        symbol TEXT NOT NULL,
        observations INTEGER NOT NULL,
        mean_return REAL NOT NULL,
        volatility REAL NOT NULL,
        PRIMARY KEY (graph_id, position),
        UNIQUE (graph_id, symbol)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE graph_edges (
        graph_id TEXT NOT NULL REFERENCES graphs (id),
        position INTEGER NOT NULL,
        from_symbol TEXT NOT NULL,
        to_symbol TEXT NOT NULL,
        correlation REAL NOT NULL,
        weight REAL NOT NULL,
        observations INTEGER NOT NULL,
        PRIMARY KEY (graph_id, position),
        FOREIGN KEY (graph_id, from_symbol) REFERENCES graph_nodes (graph_id, symbol),
        FOREIGN KEY (graph_id, to_symbol) REFERENCES graph_nodes (graph_id, symbol)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX graph_edges_from ON graph_edges (graph_id, from_symbol);
    CREATE INDEX graph_edges_to ON graph_edges (graph_id, to_symbol);
";

/// What version 2 added.
const ADDED_BY_2: &str = "
    CREATE TABLE IF NOT EXISTS prediction_series (
        id INTEGER PRIMARY KEY,
        model TEXT NOT NULL,
        model_version TEXT NOT NULL,
        split TEXT NOT NULL,
        symbol TEXT NOT NULL,
        interval TEXT NOT NULL,
        horizon INTEGER NOT NULL,
        UNIQUE (model, model_version, split, symbol, interval, horizon)
    ) STRICT;
    CREATE TABLE IF NOT EXISTS predictions (
        series_id INTEGER NOT NULL REFERENCES prediction_series (id),
        open_time INTEGER NOT NULL,
        version INTEGER NOT NULL,
        volatility REAL NOT NULL,
        down REAL NOT NULL,
        sideways REAL NOT NULL,
        up REAL NOT NULL,
        PRIMARY KEY (series_id, open_time)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS leases (
        key TEXT PRIMARY KEY,
        fence INTEGER NOT NULL,
        holder TEXT,
        since INTEGER NOT NULL,
        until INTEGER NOT NULL,
        done INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
";

/// What version 3 added; predictions of before have nothing in the new column.
const ADDED_BY_3: &str = "
    CREATE TABLE IF NOT EXISTS gaps (
        symbol TEXT NOT NULL,
        stream TEXT NOT NULL,
        from_number INTEGER NOT NULL,
        to_number INTEGER NOT NULL,
        since INTEGER NOT NULL,
        state TEXT NOT NULL,
        why TEXT NOT NULL,
        PRIMARY KEY (symbol, stream, from_number, to_number, since, state)
    ) STRICT, WITHOUT ROWID;
    ALTER TABLE predictions ADD COLUMN health TEXT;
";

/// Opens the store for writing and creates its file and tables where there are none.
///
/// The caller holds the turn, since the switch to WAL does not wait for locks.
pub(super) fn open_for_writing(path: &Path, _: &Taken<'_>) -> Result<Connection, Error> {
    let mut connection = connect(path).map_err(|error| database_error(error, path))?;
    prepare(&mut connection, path).map_err(|failure| failure.into_error(path))?;
    Ok(connection)
}

/// Opens the store for reading only.
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
    connection.pragma_update(None, "foreign_keys", true)?;
    // A container may have no folder for temporary files: https://sqlite.org/tempfiles.html
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    Ok(connection)
}

fn prepare(connection: &mut Connection, path: &Path) -> Result<(), Failure> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let application: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let fresh = version == 0 && application == 0 && tables == 0;
    if !fresh && application != APPLICATION_ID {
        return Err(Failure::Damaged("it holds tables of another program".to_owned()));
    }
    if !fresh && !(OLDEST..=VERSION).contains(&version) {
        return Err(Failure::Refused(Error::Schema { path: path.to_owned(), found: version, known: VERSION }));
    }
    if fresh {
        // The page size is fixed from the switch to WAL on: https://sqlite.org/pragma.html#pragma_page_size
        connection.pragma_update(None, "page_size", 8192)?;
    }
    connection.pragma_update(None, "journal_mode", "wal")?;
    // In WAL mode only FULL has the log on the disk when a commit returns:
    // https://sqlite.org/pragma.html#pragma_synchronous
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIBIBYTES)?;
    if version != VERSION {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if fresh {
            transaction.execute_batch(TABLES)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        }
        transaction.execute_batch(ADDED_BY_2)?;
        transaction.execute_batch(ADDED_BY_3)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.commit()?;
    }
    Ok(())
}
