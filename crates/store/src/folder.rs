//! Objects as files below a folder: a reader sees an object whole or not at all, also after a crash.

use std::{
    convert::Infallible,
    fs::{self, File},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use tokio::task::spawn_blocking;

use crate::{Error, ObjectStore, ObjectSwap, check_object_key};

/// Where objects are written before they get their name. No key can begin with a point.
const INCOMING: &str = ".incoming";

/// Whoever gives or takes a name holds the lock of this file; the system releases it when a process dies.
const LOCK: &str = ".lock";

/// Objects in a local folder, which several processes may share.
pub struct FolderObjects {
    root: PathBuf,
}

impl FolderObjects {
    /// Opens the folder, and creates it if it is not there.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be created.
    pub async fn open(root: &Path) -> Result<Self, Error> {
        let root = root.to_owned();
        blocking(move || {
            let incoming = root.join(INCOMING);
            fs::create_dir_all(&incoming).map_err(|error| file_error("create the folder", &incoming, error))?;
            sync_folder(&root)?;
            Ok(Self { root })
        })
        .await
    }
}

#[async_trait]
impl ObjectStore for FolderObjects {
    async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), Error> {
        check_object_key(key)?;
        let (root, key) = (self.root.clone(), key.to_owned());
        let always = |_: &Path| Ok(Ok::<(), Infallible>(()));
        blocking(move || put(&root, &key, &bytes, always)).await.map(|_| ())
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        check_object_key(key)?;
        let path = self.root.join(key);
        blocking(move || read(&path)).await
    }

    async fn compare_and_set(&self, key: &str, expected: Option<&[u8]>, bytes: Vec<u8>) -> Result<ObjectSwap, Error> {
        check_object_key(key)?;
        let (root, key, expected) = (self.root.clone(), key.to_owned(), expected.map(<[u8]>::to_vec));
        blocking(move || {
            put(&root, &key, &bytes, |path| {
                let found = read(path)?;
                Ok(if found == expected { Ok(()) } else { Err(found) })
            })
        })
        .await
        .map(|outcome| outcome.map_or_else(ObjectSwap::Lost, |()| ObjectSwap::Won))
    }

    async fn sizes(&self, prefix: &str) -> Result<Vec<(String, u64)>, Error> {
        let (root, prefix) = (self.root.clone(), prefix.to_owned());
        blocking(move || {
            let mut found = Vec::new();
            collect(&root, "", &prefix, &mut found)?;
            found.sort_unstable();
            Ok(found)
        })
        .await
    }

    async fn delete(&self, key: &str) -> Result<bool, Error> {
        check_object_key(key)?;
        let (root, path) = (self.root.clone(), self.root.join(key));
        blocking(move || {
            let _lock = lock(&root)?;
            match fs::symlink_metadata(&path) {
                Ok(entry) if entry.is_dir() => Ok(false),
                Ok(_) => {
                    fs::remove_file(&path).map_err(|error| file_error("delete", &path, error))?;
                    path.parent().map_or(Ok(()), sync_folder)?;
                    Ok(true)
                }
                Err(error) if is_absent(&error) => Ok(false),
                Err(error) => Err(file_error("delete", &path, error)),
            }
        })
        .await
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(file_error("read", path, error)),
    }
}

/// Writes an object and gives it its name, unless `condition` objects; while that is asked, no name changes.
fn put<T>(
    root: &Path,
    key: &str,
    bytes: &[u8],
    condition: impl FnOnce(&Path) -> Result<Result<(), T>, Error>,
) -> Result<Result<(), T>, Error> {
    let path = root.join(key);
    create_folders(root, key)?;
    if path.is_dir() {
        return Err(Error::ObjectKey { key: key.to_owned(), reason: "it is the beginning of other keys" });
    }
    let (mut file, incoming) = create_incoming(root)?;
    let outcome = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(|error| file_error("write", &incoming, error))
        .and_then(|()| give_name(root, &incoming, &path, condition));
    if !matches!(outcome, Ok(Ok(()))) {
        // The outcome is what the caller has to know; the remains are harmless.
        drop(fs::remove_file(&incoming));
    }
    outcome
}

fn give_name<T>(
    root: &Path,
    incoming: &Path,
    path: &Path,
    condition: impl FnOnce(&Path) -> Result<Result<(), T>, Error>,
) -> Result<Result<(), T>, Error> {
    let _lock = lock(root)?;
    if let Err(objection) = condition(path)? {
        return Ok(Err(objection));
    }
    fs::rename(incoming, path).map_err(|error| file_error("write", path, error))?;
    path.parent().map_or(Ok(()), sync_folder)?;
    Ok(Ok(()))
}

/// Waits until no other task and no other process gives or takes a name, and keeps them waiting until it is dropped.
fn lock(root: &Path) -> Result<File, Error> {
    let path = root.join(LOCK);
    let open = || {
        let file = File::options().create(true).append(true).open(&path)?;
        file.lock()?;
        Ok(file)
    };
    open().map_err(|error| file_error("lock", &path, error))
}

/// Creates a file that nobody else writes: neither another task nor another process, be it one that was killed.
fn create_incoming(root: &Path) -> Result<(File, PathBuf), Error> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = root.join(INCOMING).join(format!("{}-{number}", std::process::id()));
        match File::create_new(&path) {
            Ok(file) => return Ok((file, path)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(file_error("create", &path, error)),
        }
    }
}

/// Creates the folders of a key and writes each new name to the disk.
fn create_folders(root: &Path, key: &str) -> Result<(), Error> {
    let mut folder = root.to_owned();
    let Some((parents, _)) = key.rsplit_once('/') else { return Ok(()) };
    for part in parents.split('/') {
        let parent = folder.clone();
        folder.push(part);
        match fs::create_dir(&folder) {
            Ok(()) => sync_folder(&parent)?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Err(Error::ObjectKey { key: key.to_owned(), reason: "its beginning is an object" });
            }
            Err(error) => return Err(file_error("create the folder", &folder, error)),
        }
    }
    Ok(())
}

/// Adds keys and sizes of what lies below `folder`, whose own key is `parent` with a `/` behind it.
fn collect(folder: &Path, parent: &str, prefix: &str, found: &mut Vec<(String, u64)>) -> Result<(), Error> {
    let fail = |error| file_error("list", folder, error);
    for entry in fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let key = format!("{parent}{name}");
        let kind = entry.file_type().map_err(fail)?;
        if check_object_key(&key).is_err() {
            continue;
        }
        let below = format!("{key}/");
        if kind.is_dir() && (below.starts_with(prefix) || prefix.starts_with(&below)) {
            collect(&entry.path(), &below, prefix, found)?;
        }
        if kind.is_file() && key.starts_with(prefix) {
            match entry.metadata() {
                Ok(file) => found.push((key, file.len())),
                // It was deleted meanwhile.
                Err(error) if is_absent(&error) => {}
                Err(error) => return Err(fail(error)),
            }
        }
    }
    Ok(())
}

/// A rename survives a power cut only once its folder is on the disk.
fn sync_folder(folder: &Path) -> Result<(), Error> {
    File::open(folder).and_then(|file| file.sync_all()).map_err(|error| file_error("sync the folder", folder, error))
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory)
}

fn file_error(action: &'static str, path: &Path, error: io::Error) -> Error {
    let (path, full) = (path.to_owned(), error.kind() == ErrorKind::StorageFull);
    let source = Arc::new(error);
    if full { Error::DiskFull { path, source } } else { Error::File { action, path, source } }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    spawn_blocking(work).await.map_err(|_| Error::Closed)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn object_and_folder_of_one_name_exclude_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let objects = FolderObjects::open(folder.path()).await.unwrap();
        objects.put("a/b", vec![1]).await.unwrap();
        for key in ["a", "a/b/c"] {
            let error = objects.put(key, vec![2]).await.unwrap_err();
            assert!(matches!(error, Error::ObjectKey { .. }), "{error:?}");
            assert_eq!(objects.get(key).await.unwrap(), None);
        }
        assert_eq!(objects.list("").await.unwrap(), ["a/b"]);
    }

    #[tokio::test]
    async fn nothing_unfinished_is_left_behind_or_listed() {
        let folder = tempfile::tempdir().unwrap();
        let objects = FolderObjects::open(folder.path()).await.unwrap();
        fs::write(folder.path().join(INCOMING).join("1-0"), b"of a process that was killed").unwrap();
        objects.put("a", vec![1]).await.unwrap();
        assert_eq!(objects.list("").await.unwrap(), ["a"]);
        assert_eq!(fs::read_dir(folder.path().join(INCOMING)).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn folder_that_cannot_be_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, b"").unwrap();
        let error = FolderObjects::open(&path).await.err().unwrap();
        assert!(matches!(error, Error::File { .. }) && error.to_string().contains("file"), "{error:?}");
    }
}
