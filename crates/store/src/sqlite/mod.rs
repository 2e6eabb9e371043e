//! The embedded store: one `SQLite` file that several processes read and write at once and that survives `kill -9`.

mod coverage;
mod failure;
mod graphs;
mod klines;
mod leases;
mod loaded;
mod predictions;
mod readers;
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

/// A store in one `SQLite` file.
///
/// An acknowledged write is on the disk. Reads see one consistent state each and never wait for writes.
pub struct SqliteStore {
    writer: Writer,
    readers: Readers,
}

impl SqliteStore {
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
            schema::open_for_writing(path, &taken)?
        };
        let writer = Writer::start(connection, turn, path).map_err(fail("start the writer of"))?;
        Ok(Self { writer, readers: Readers::new(path) })
    }
}

#[cfg(test)]
mod tests;
