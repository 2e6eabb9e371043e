//! How the outcome of a statement becomes an [`Error`] that names the file.

use std::{path::Path, sync::Arc};

use rusqlite::ErrorCode;

use crate::Error;

/// Why a piece of work on a connection did not succeed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The request made no sense; the database is fine.
    Refused(Error),
    /// What was read is not what was written.
    Damaged,
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
    /// Names the file in what the database said.
    pub(super) fn into_error(self, path: &Path) -> Error {
        match self {
            Self::Refused(error) => error,
            Self::Damaged => Error::Corrupt { path: path.to_owned(), source: None },
            Self::Database(error) => database_error(error, path),
        }
    }
}

/// Sorts a database error into the classes that callers can act on.
pub(super) fn database_error(error: rusqlite::Error, path: &Path) -> Error {
    let path = path.to_owned();
    let unreadable = matches!(
        error,
        rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
    );
    let code = error.sqlite_error_code();
    let source = Arc::new(error);
    match code {
        Some(ErrorCode::DiskFull) => Error::DiskFull { path, source },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Busy { path, source },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Error::Corrupt { path, source: Some(source) },
        None if unreadable => Error::Corrupt { path, source: Some(source) },
        _ => Error::Database { path, source },
    }
}
