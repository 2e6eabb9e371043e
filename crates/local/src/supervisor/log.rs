//! The log file that all workers of a function append to, bounded in size.

use std::{
    fs::{File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use tracing::warn;

/// Size above which the file is set aside; two files of about this size are kept.
const LIMIT: u64 = 8 * 1024 * 1024;

/// Opens a log file for appending, with its folder.
pub(super) fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    OpenOptions::new().create(true).append(true).open(path)
}

/// Sets a log file aside if it has grown too large, while workers keep it open.
///
/// Workers write to the file directly and not through a pipe, so that the platform's death cannot break their
/// last words; that is why the file is copied and emptied instead of renamed.
pub(super) fn bound(path: &Path) {
    if let Err(error) = bound_at(path, LIMIT) {
        warn!(%error, path = %path.display(), "log file could not be bounded");
    }
}

fn bound_at(path: &Path, limit: u64) -> io::Result<()> {
    let length = match path.metadata() {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if length <= limit {
        return Ok(());
    }
    let mut earlier = path.as_os_str().to_owned();
    earlier.push(".1");
    std::fs::copy(path, PathBuf::from(earlier))?;
    OpenOptions::new().write(true).open(path)?.set_len(0)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_full_log_is_set_aside_while_it_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs/loader.log");
        bound_at(&path, 4).unwrap();
        let mut file = open(&path).unwrap();
        file.write_all(b"first").unwrap();
        bound_at(&path, 5).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
        bound_at(&path, 4).unwrap();
        file.write_all(b"second").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"second");
        assert_eq!(std::fs::read(folder.path().join("logs/loader.log.1")).unwrap(), b"first");
    }
}
