//! Whose turn it is to write, among all processes that share the file.
//!
//! SQLite lets waiting writers poll, so that under load the unlucky ones wait until they give up. A lock of the
//! operating system wakes them instead, and whatever has gathered meanwhile goes into the same transaction.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::Error;

/// The file whose lock is the turn; it ends with its process.
pub(super) struct Turn(File);

/// The turn, until it is dropped.
pub(super) struct Taken<'turn>(&'turn File);

impl Turn {
    /// Opens the lock file beside the store, and creates its folder where there is none.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let fail = |action, path: PathBuf| move |error| Error::File { action, path, source: Arc::new(error) };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(fail("create the folder", folder.to_owned()))?;
        }
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        let lock_path = PathBuf::from(name);
        let opened = OpenOptions::new().create(true).write(true).truncate(false).open(&lock_path);
        opened.map(Self).map_err(fail("create", lock_path))
    }

    /// Whether the store has been created: then it cannot be empty.
    pub(super) fn was_created(&self) -> io::Result<bool> {
        Ok(self.0.metadata()?.len() > 0)
    }

    /// Notes that the store has been created.
    pub(super) fn mark_created(&self) -> io::Result<()> {
        if self.was_created()? { Ok(()) } else { (&self.0).write_all(b"\n") }
    }

    /// Waits for the turn.
    pub(super) fn take(&self) -> io::Result<Taken<'_>> {
        self.0.lock()?;
        Ok(Taken(&self.0))
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "the turn to write was not given back");
        }
    }
}
