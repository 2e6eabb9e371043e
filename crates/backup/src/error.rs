//! What can go wrong with a backup, and what to do about it.

use std::io;

use crate::{BackupName, FORMAT};

/// Why a backup could not be made, read or restored.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name is none that a backup can have.
    #[error(
        "backup name `{0}` is not valid: it must be 1 to 100 letters, digits, `-`, `_` and `.`, without a point first"
    )]
    Name(String),
    /// A backup never changes; another one needs another name.
    #[error("backup `{0}` is there already; choose another name")]
    Exists(BackupName),
    /// There is no such backup.
    #[error("backup `{0}` is not there; `streamforge backup list` shows which are")]
    Missing(BackupName),
    /// The backup was made by a version of the program that this one does not know.
    #[error("{key} has format {found}, this program knows format {FORMAT}; use the program that wrote it")]
    Format {
        /// Key of the manifest.
        key: String,
        /// Its format.
        found: u64,
    },
    /// The manifest is not what was written.
    #[error("{key} {reason}; nothing was restored from it: put its copy in place or use another backup")]
    Manifest {
        /// Key of the manifest.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A chunk is not what the manifest says.
    #[error(
        "{key} {reason}; put its copy in place, make a new backup where the data still is, which writes it again, or \
         use another backup"
    )]
    Chunk {
        /// Key of the chunk.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The store can never take a row of the backup.
    #[error("{what} cannot be restored here: {reason}")]
    Rejected {
        /// The chunk's contents.
        what: String,
        /// The store's reason.
        reason: String,
    },
    /// Rows could not be packed.
    #[error("failed to pack {what}")]
    Pack {
        /// What the rows are.
        what: String,
        /// Why.
        source: io::Error,
    },
    /// A store failed.
    #[error(transparent)]
    Store(#[from] streamforge_store::Error),
}
