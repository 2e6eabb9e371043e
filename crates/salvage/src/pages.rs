//! The pages of a file as its WAL leaves them.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::Path,
};

use crate::{PAGE_BYTES, aside::beside, wal};

/// A database file and its WAL, read only.
pub struct Pages {
    file: File,
    wal: Option<File>,
    /// Where in the WAL the newest version of a page lies.
    newer: HashMap<u32, u64>,
    count: u32,
}

impl Pages {
    /// Opens the file and finds the pages that its WAL replaces.
    ///
    /// # Errors
    /// Why a file cannot be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let wal = match File::open(beside(path, "-wal")) {
            Ok(wal) => Some(wal),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let newer = match &wal {
            Some(wal) => wal::committed_pages(wal)?,
            None => HashMap::new(),
        };
        // A last page that was cut short counts, too.
        let held = file.metadata()?.len().div_ceil(PAGE_BYTES as u64);
        let last = newer.keys().copied().max().unwrap_or(0);
        let count = u32::try_from(held).unwrap_or(u32::MAX).max(last);
        Ok(Self { file, wal, newer, count })
    }

    /// The number of the last page; the first is 1.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Reads a page; what the file no longer holds of it is zero.
    ///
    /// # Errors
    /// Why the file cannot be read.
    pub fn read(&self, number: u32) -> io::Result<Vec<u8>> {
        let (mut file, position) = match (self.newer.get(&number), &self.wal) {
            (Some(position), Some(wal)) => (wal, *position),
            _ => (&self.file, u64::from(number.saturating_sub(1)) * PAGE_BYTES as u64),
        };
        file.seek(SeekFrom::Start(position))?;
        let mut page = Vec::with_capacity(PAGE_BYTES);
        file.take(PAGE_BYTES as u64).read_to_end(&mut page)?;
        page.resize(PAGE_BYTES, 0);
        Ok(page)
    }
}
