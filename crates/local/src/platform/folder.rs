//! The data folder: where everything durable lies, and the lock that keeps two platforms from sharing it.

use std::{
    fs::{File, OpenOptions, TryLockError},
    hash::{BuildHasher as _, RandomState},
    io::{Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use streamforge_message::Replays;

use super::{Error, state::State};

/// How often and how long a taken lock is tried again: a look from the command line holds it for an instant.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(50);

/// The data folder of a platform.
#[derive(Debug, Clone)]
pub struct DataFolder {
    root: PathBuf,
}

/// Held by the one platform that works on a data folder; the system releases it when the process dies.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl DataFolder {
    /// Names a folder without touching it.
    ///
    /// # Errors
    /// [`Error::DataFolder`] if the current directory is gone, [`Error::FolderName`] if its path is not UTF-8.
    pub fn new(path: &Path) -> Result<Self, Error> {
        let root = std::path::absolute(path).map_err(|source| Error::DataFolder { path: path.to_owned(), source })?;
        if root.to_str().is_none() {
            return Err(Error::FolderName(root));
        }
        Ok(Self { root })
    }

    /// Returns the folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the file of the event log.
    #[must_use]
    pub fn bus(&self) -> PathBuf {
        self.root.join("bus.db")
    }

    /// Returns the file of the store.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.root.join("store.db")
    }

    /// Returns the folder of the objects, such as models.
    #[must_use]
    pub fn objects(&self) -> PathBuf {
        self.root.join("objects")
    }

    /// Returns the file of the ledger.
    #[must_use]
    pub fn ledger(&self) -> PathBuf {
        self.root.join("ledger.db")
    }

    /// Returns the log file of a function's workers.
    #[must_use]
    pub fn worker_log(&self, function: &str) -> PathBuf {
        self.logs().join(format!("{function}.log"))
    }

    /// Returns the folder of the log files.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// Returns what remembers which dead letters were replayed.
    #[must_use]
    pub fn replays(&self) -> Replays {
        Replays::new(self.root.join("replayed"))
    }

    pub(super) fn state(&self) -> PathBuf {
        self.root.join("platform.json")
    }

    fn lock_file(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// Returns the name under which the platforms of this folder, one after the other, take part in groups of a log; it is
    /// made up the first time.
    ///
    /// # Errors
    /// [`Error::DataFolder`] if the file that holds it cannot be used.
    pub fn instance(&self) -> Result<String, Error> {
        let path = self.root.join("instance");
        let fail = |source| Error::DataFolder { path: path.clone(), source };
        match std::fs::read_to_string(&path) {
            Ok(name) if !name.trim().is_empty() => return Ok(name.trim().to_owned()),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(fail(error)),
        }
        // Different wherever and whenever it is made up.
        let seed = (std::process::id(), SystemTime::now(), &self.root);
        let name = format!("streamforge-{:016x}", RandomState::new().hash_one(seed));
        std::fs::write(&path, &name).map_err(fail)?;
        Ok(name)
    }

    /// Creates the folder if need be and takes its lock.
    ///
    /// # Errors
    /// [`Error::InUse`] if another platform holds the lock, [`Error::DataFolder`] if the folder cannot be used.
    pub async fn lock(&self) -> Result<Lock, Error> {
        let fail = |source| Error::DataFolder { path: self.root.clone(), source };
        std::fs::create_dir_all(&self.root).map_err(fail)?;
        let path = self.lock_file();
        let mut file =
            OpenOptions::new().create(true).read(true).write(true).truncate(false).open(path).map_err(fail)?;
        for attempt in 1.. {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if attempt < ATTEMPTS => {
                    tokio::time::sleep(PAUSE).await;
                }
                Err(TryLockError::WouldBlock) => {
                    let mut pid = String::new();
                    // Without a readable number the message is only less helpful.
                    file.read_to_string(&mut pid).ok();
                    return Err(Error::InUse { path: self.root.clone(), pid: pid.trim().to_owned() });
                }
                Err(TryLockError::Error(source)) => return Err(fail(source)),
            }
        }
        file.set_len(0).map_err(fail)?;
        file.rewind().map_err(fail)?;
        writeln!(file, "{}", std::process::id()).map_err(fail)?;
        Ok(Lock { _file: file })
    }

    /// Returns what the platform that runs on this folder says about itself; none if there is none.
    #[must_use]
    pub fn running(&self) -> Option<State> {
        let file = File::open(self.lock_file()).ok()?;
        if !matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)) {
            return None;
        }
        State::read(&self.state())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_platform_a_folder() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = DataFolder::new(&temporary.path().join("data")).unwrap();
        assert!(folder.running().is_none());
        let lock = folder.lock().await.unwrap();
        let error = folder.lock().await.unwrap_err();
        let pid = std::process::id().to_string();
        assert!(matches!(&error, Error::InUse { pid: found, .. } if *found == pid), "{error}");
        drop(lock);
        folder.lock().await.unwrap();
        assert!(folder.running().is_none());
    }
}
