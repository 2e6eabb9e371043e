//! What can go wrong with a ledger, and whether trying again can help.

use std::{io, path::PathBuf};

use sqlx::migrate::MigrateError;

/// What a caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The same call may succeed later.
    Retryable,
    /// The call itself is wrong and will be refused every time.
    Rejected,
    /// The ledger cannot be used until a person has seen to it.
    Fatal,
}

/// Why a ledger refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL names no ledger that can be opened.
    #[error("ledger URL `{url}` is not valid: {reason}")]
    Url {
        /// The URL, without a password.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A file that the environment names cannot be used.
    #[error("{variable} names `{}`, which cannot be used", path.display())]
    File {
        /// The variable.
        variable: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The folder of the file cannot be made.
    #[error("failed to make the folder of {}", path.display())]
    Folder {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The database does not let the user in.
    #[error("{place} does not let the user in: {reason}; check POSTGRES_USER and POSTGRES_PASSWORD_FILE")]
    Login {
        /// The database.
        place: String,
        /// Its words.
        reason: String,
    },
    /// There is no such database.
    #[error("{place} is not there: {reason}; make it by `createdb`")]
    NoDatabase {
        /// The database.
        place: String,
        /// The server's words.
        reason: String,
    },
    /// There is no trust between both ends.
    #[error("{place} is not trusted: {reason}; check the server's certificate and POSTGRES_CA_FILE")]
    Tls {
        /// The database.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// The database did not answer, or not in time.
    #[error("{place} is not available: {reason}")]
    Unavailable {
        /// The database.
        place: String,
        /// What came of the try.
        reason: String,
    },
    /// The tables were made by a version of the program that this one does not know.
    #[error(
        "ledger {place} has tables of a newer version ({reason}); use the program that made them, or another ledger"
    )]
    Newer {
        /// The database.
        place: String,
        /// What is not known.
        reason: String,
    },
    /// The file is damaged or no ledger.
    #[error("{place} is corrupt or not a ledger: {reason}; put it aside, and a new one is made")]
    Corrupt {
        /// The file.
        place: String,
        /// The database's words.
        reason: String,
    },
    /// What stands in a row is not what was written.
    #[error("ledger {place} holds a row that cannot be read: {reason}")]
    Row {
        /// The database.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// What is to be written is none that can be kept.
    #[error("{0}")]
    Rejected(String),
    /// Any other failure of the database.
    #[error("failed to use the ledger {place}: {reason}")]
    Database {
        /// The database.
        place: String,
        /// Its words.
        reason: String,
    },
}

impl Error {
    /// Sorts the error by what a caller can do about it.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Unavailable { .. } | Self::Folder { .. } | Self::Database { .. } => Class::Retryable,
            Self::Rejected(_) => Class::Rejected,
            Self::Url { .. }
            | Self::File { .. }
            | Self::Login { .. }
            | Self::NoDatabase { .. }
            | Self::Tls { .. }
            | Self::Newer { .. }
            | Self::Corrupt { .. }
            | Self::Row { .. } => Class::Fatal,
        }
    }

    /// Sorts what the driver says; its words name no password.
    ///
    /// # Source
    /// Codes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>, <https://sqlite.org/rescode.html>
    pub(crate) fn of(place: &str, error: &sqlx::Error) -> Self {
        let (place, reason) = (place.to_owned(), error.to_string());
        match error {
            sqlx::Error::Database(refusal) => {
                let code = refusal.code().unwrap_or_default().into_owned();
                let reason = refusal.message().to_owned();
                Self::of_code(place, &code, reason)
            }
            sqlx::Error::Tls(_) => Self::Tls { place, reason },
            // A handshake that fails comes as an error of the connection.
            sqlx::Error::Io(cause) if cause.kind() == io::ErrorKind::InvalidData => Self::Tls { place, reason },
            sqlx::Error::Io(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::Protocol(_)
            | sqlx::Error::WorkerCrashed => Self::Unavailable { place, reason },
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_) => {
                Self::Row { place, reason }
            }
            _ => Self::Database { place, reason },
        }
    }

    fn of_code(place: String, code: &str, reason: String) -> Self {
        if code.len() == 5 {
            return match code {
                // The last: the user may not make the tables.
                "28000" | "28P01" | "42501" => Self::Login { place, reason },
                "3D000" => Self::NoDatabase { place, reason },
                // Classes: connection, resources, operator's intervention, rollback.
                _ if ["08", "53", "57", "40"].contains(&&code[..2]) => Self::Unavailable { place, reason },
                _ => Self::Database { place, reason },
            };
        }
        // The lowest byte of SQLite's extended codes is the code.
        match code.parse::<u32>().unwrap_or_default() & 0xff {
            5 | 6 => Self::Unavailable { place, reason },
            11 | 26 => Self::Corrupt { place, reason },
            _ => Self::Database { place, reason },
        }
    }

    pub(crate) fn of_migration(place: &str, error: &MigrateError) -> Self {
        match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => Self::of(place, error),
            MigrateError::VersionMissing(_) | MigrateError::VersionMismatch(_) => {
                Self::Newer { place: place.to_owned(), reason: error.to_string() }
            }
            _ => Self::Database { place: place.to_owned(), reason: error.to_string() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_both_databases_are_told_apart() {
        let class = |code: &str| Error::of_code("db".to_owned(), code, "words".to_owned()).class();
        for code in ["08006", "53300", "57P01", "57P03", "40001", "5", "6", "261", "517"] {
            assert_eq!(class(code), Class::Retryable, "{code}");
        }
        for code in ["28P01", "28000", "42501", "3D000", "11", "26", "267"] {
            assert_eq!(class(code), Class::Fatal, "{code}");
        }
        let full = Error::of_code("/ledger.db".to_owned(), "13", "database or disk is full".to_owned());
        assert!(full.to_string().contains("disk is full") && full.class() == Class::Retryable);
    }
}
