//! The embedded store: one `SQLite` file that several processes read and write at once and that survives `kill -9`.

mod check;
mod coverage;
mod failure;
mod gaps;
mod graphs;
mod klines;
mod leases;
mod loaded;
mod predictions;
mod readers;
mod repair;
mod schema;
mod series;
mod trades;
mod turn;
mod workflows;
mod writer;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::task::spawn_blocking;

use crate::Error;
use readers::Readers;
use turn::Turn;
use writer::Writer;

pub use repair::{Kept, Missing, Repair, repair};

/// A store in one `SQLite` file.
///
/// An acknowledged write is on the disk. Reads see one consistent state each and never wait for writes.
pub struct SqliteStore {
    writer: Writer,
    readers: Readers,
}

impl SqliteStore {
    /// Looks for damage before a store is used: in all that it holds, or where it begins if it is large.
    ///
    /// Damage that this does not find is found by the read that meets it.
    ///
    /// # Errors
    /// [`Error::Corrupt`], or why the file cannot be read. A store that does not exist yet is fine.
    pub async fn check(path: &Path) -> Result<(), Error> {
        let path = path.to_owned();
        spawn_blocking(move || check::at_start(&path)).await.map_err(|_| Error::Closed)?
    }

    /// Opens the store at `path`, and creates it if it is not there.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the file is no store, [`Error::Schema`] if another version of the program wrote it, or why it cannot be
    /// used.
    pub async fn open(path: &Path) -> Result<Self, Error> {
        let path = path.to_owned();
        spawn_blocking(move || Self::open_blocking(&path)).await.map_err(|_| Error::Closed)?
    }

    fn open_blocking(path: &Path) -> Result<Self, Error> {
        let fail = |action| move |error| Error::File { action, path: PathBuf::from(path), source: Arc::new(error) };
        let turn = Turn::open(path)?;
        let connection = {
            let taken = turn.take().map_err(fail("lock"))?;
            check::refuse_what_looks_empty(path, &turn)?;
            let connection = schema::open_for_writing(path, &taken)?;
            turn.mark_created().map_err(fail("lock"))?;
            connection
        };
        let writer = Writer::start(connection, turn, path).map_err(fail("start the writer of"))?;
        Ok(Self { writer, readers: Readers::new(path) })
    }
}

#[cfg(test)]
mod tests;
