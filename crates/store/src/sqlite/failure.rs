//! How the outcome of a statement becomes an [`Error`] that names the file.

use std::{path::Path, sync::Arc};

use rusqlite::ErrorCode;

use crate::Error;

/// Why a piece of work on a connection did not succeed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The request made no sense; the database is fine.
    Refused(Error),
    /// A stored value cannot be what this program wrote.
    Damaged(String),
    /// The database failed.
    Database(rusqlite::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl Failure {
    /// Names the file in what went wrong.
    pub(super) fn into_error(self, path: &Path) -> Error {
        match self {
            Self::Refused(error) => error,
            Self::Damaged(reason) => Error::Corrupt { path: path.to_owned(), reason },
            Self::Database(error) => database_error(error, path),
        }
    }
}

/// Sorts a database error into the classes that callers can act on.
pub(super) fn database_error(error: rusqlite::Error, path: &Path) -> Error {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Error::DiskFull { path, source: Arc::new(error) },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Busy { path, source: Arc::new(error) },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            Error::Corrupt { path, reason: error.to_string() }
        }
        None if unreadable(&error) => Error::Corrupt { path, reason: error.to_string() },
        _ => Error::Database { path, source: Arc::new(error) },
    }
}

fn unreadable(error: &rusqlite::Error) -> bool {
    matches!(
        error,
        rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
    )
}

/// Turns any failure to read a stored text into one that names the text.
pub(super) fn parse<T: std::str::FromStr>(text: &str) -> Result<T, Failure> {
    text.parse().map_err(|_| Failure::Damaged(format!("stored value `{text}` cannot be read")))
}

/// Reads a count that was stored as a signed number.
pub(super) fn unsigned(stored: i64) -> Result<u64, Failure> {
    u64::try_from(stored).map_err(|_| Failure::Damaged(format!("stored count {stored} is negative")))
}

/// Turns a count into what the database holds; the caller has checked that it fits.
pub(super) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
