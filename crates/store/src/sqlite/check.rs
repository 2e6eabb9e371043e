//! Looks for damage before a store is used.

use std::{io, path::Path, sync::Arc};

use super::{
    failure::{Failure, database_error},
    schema,
    turn::Turn,
};
use crate::Error;

/// The largest store that is checked before it is used; reading so much takes a fraction of a second.
const MAX_CHECKED_BYTES: u64 = 256 << 20;

/// Checks what a start can wait for: all pages of a store, or only where it begins if it is large.
pub(super) fn at_start(path: &Path) -> Result<(), Error> {
    let is_large = path.metadata().is_ok_and(|file| file.len() > MAX_CHECKED_BYTES);
    check(path, (!is_large).then_some("PRAGMA quick_check(1)"))
}

/// Checks all that `SQLite` can check.
pub(super) fn whole(path: &Path) -> Result<(), Error> {
    check(path, Some("PRAGMA integrity_check(1)"))
}

/// Refuses files that `SQLite` would silently take for an empty store although rows were acknowledged.
pub(super) fn refuse_what_looks_empty(path: &Path, turn: &Turn) -> Result<(), Error> {
    let fail = |error: io::Error| Error::File { action: "open", path: path.to_owned(), source: Arc::new(error) };
    let is_empty = path.metadata().map_or(true, |file| file.len() == 0);
    let reason = if is_empty && turn.was_created().map_err(fail)? {
        "what it held is gone"
    } else if streamforge_salvage::is_wal_damaged(path).map_err(fail)? {
        "its write-ahead log cannot be read"
    } else {
        return Ok(());
    };
    Err(Failure::Damaged(reason.to_owned()).into_error(path))
}

fn check(path: &Path, pragma: Option<&str>) -> Result<(), Error> {
    let turn = Turn::open(path)?;
    if !path.exists() && !turn.was_created().unwrap_or(false) {
        return Ok(());
    }
    refuse_what_looks_empty(path, &turn)?;
    let fail = |error: io::Error| Error::File { action: "lock", path: path.to_owned(), source: Arc::new(error) };
    let connection = schema::open_for_writing(path, &turn.take().map_err(fail)?)?;
    let Some(pragma) = pragma else { return Ok(()) };
    let said: String =
        connection.query_row(pragma, [], |row| row.get(0)).map_err(|error| database_error(error, path))?;
    if said == "ok" { Ok(()) } else { Err(Failure::Damaged(said).into_error(path)) }
}
