//! The files of a repair: the new one is written beside the damaged one and takes its place at the end.

use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// A name beside that of the file.
#[must_use]
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Where the new file is written; what an interrupted repair has left there is removed.
///
/// If somebody has deleted the damaged file, an empty one takes its place, of which nothing will be found.
///
/// # Errors
/// Why a file cannot be removed or created.
pub fn fresh_place(path: &Path) -> io::Result<PathBuf> {
    if !path.exists() && !damaged_name(path, 1).exists() {
        File::create(path)?;
    }
    let fresh = beside(path, ".repaired");
    remove(&fresh)?;
    Ok(fresh)
}

/// Moves the damaged file and its WAL aside and the new one to their place; answers the new name of the damaged one.
///
/// # Errors
/// Why a file cannot be synced or renamed.
pub fn put_in_place(fresh: &Path, path: &Path) -> io::Result<PathBuf> {
    File::open(fresh)?.sync_all()?;
    let aside = (1..u32::MAX).map(|number| damaged_name(path, number)).find(|name| !name.exists());
    let aside = aside.ok_or_else(|| io::Error::other("no name is left for the damaged file"))?;
    fs::rename(path, &aside)?;
    let wal = beside(path, "-wal");
    if wal.exists() {
        fs::rename(wal, beside(&aside, "-wal"))?;
    }
    remove(&beside(path, "-shm"))?;
    fs::rename(fresh, path)?;
    Ok(aside)
}

fn damaged_name(path: &Path, number: u32) -> PathBuf {
    beside(path, &format!(".damaged-{number}"))
}

/// Removes a file and what `SQLite` keeps beside it; none need be there.
fn remove(path: &Path) -> io::Result<()> {
    for name in [path.to_owned(), beside(path, "-wal"), beside(path, "-shm")] {
        match fs::remove_file(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
