//! The files that a new function is made of and listed in: read, and written all or none.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use crate::Error;

/// Texts by their paths in the repository.
pub type Files = BTreeMap<String, String>;

/// Folders of manifests and of what puts them together.
const FOLDERS: [&str; 5] = ["argocd", "knative", "overlays", "scaledobjects", "triggers"];

/// What has been written, and what was there before.
#[derive(Debug)]
pub struct Written {
    before: Vec<(PathBuf, Option<String>)>,
    /// Folders that were not there.
    folders: Vec<PathBuf>,
}

/// Reads all manifests, and the files named.
///
/// # Errors
/// [`Error::Io`].
pub fn read(root: &Path, others: &[&str]) -> Result<Files, Error> {
    let mut paths: Vec<PathBuf> = others.iter().map(|path| root.join(path)).collect();
    let mut folders: Vec<PathBuf> =
        FOLDERS.iter().map(|folder| root.join(folder)).filter(|path| path.is_dir()).collect();
    while let Some(folder) = folders.pop() {
        let failed = |source| Error::Io { action: "read", path: folder.clone(), source };
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yaml") {
                paths.push(path);
            }
        }
    }
    let mut files = Files::new();
    for path in paths {
        let text =
            fs::read_to_string(&path).map_err(|source| Error::Io { action: "read", path: path.clone(), source })?;
        files.insert(path.strip_prefix(root).unwrap_or(&path).display().to_string(), text);
    }
    Ok(files)
}

/// Writes all of these files, or none: where one cannot be written, the others are as they were.
///
/// # Errors
/// [`Error::Io`].
pub fn write(root: &Path, files: &Files) -> Result<Written, Error> {
    let mut written = Written { before: Vec::new(), folders: Vec::new() };
    for (path, text) in files {
        let path = root.join(path);
        if let Err(source) = written.write(&path, text) {
            written.undo();
            return Err(Error::Io { action: "write", path, source });
        }
    }
    Ok(written)
}

impl Written {
    fn write(&mut self, path: &Path, text: &str) -> io::Result<()> {
        let before = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            before => Some(before?),
        };
        let folder = path.parent().unwrap_or(path);
        let missing: Vec<&Path> = folder.ancestors().take_while(|folder| !folder.exists()).collect();
        self.folders.extend(missing.into_iter().rev().map(Path::to_owned));
        fs::create_dir_all(folder)?;
        self.before.push((path.to_owned(), before));
        fs::write(path, text)
    }

    /// Makes everything as it was, as far as it can.
    pub fn undo(self) {
        for (path, before) in self.before.into_iter().rev() {
            match before {
                Some(text) => fs::write(path, text).ok(),
                None => fs::remove_file(path).ok(),
            };
        }
        for folder in self.folders.into_iter().rev() {
            fs::remove_dir(folder).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(texts: [(&str, &str); 3]) -> Files {
        texts.map(|(path, text)| (path.to_owned(), text.to_owned())).into()
    }

    #[test]
    fn all_is_written_or_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::write(root.join("a"), "old").unwrap();
        // A folder cannot be written as a file.
        fs::create_dir(root.join("c")).unwrap();
        let error = write(root, &files([("a", "new"), ("b/b/b", "new"), ("c", "new")])).unwrap_err();
        assert!(error.to_string().contains("write"), "{error}");
        assert_eq!(fs::read_to_string(root.join("a")).unwrap(), "old");
        assert!(!root.join("b").exists());
        fs::remove_dir(root.join("c")).unwrap();
        let written = write(root, &files([("a", "new"), ("b/b/b", "new"), ("c", "new")])).unwrap();
        assert_eq!(fs::read_to_string(root.join("b/b/b")).unwrap(), "new");
        written.undo();
        assert_eq!(fs::read_to_string(root.join("a")).unwrap(), "old");
        assert!(!root.join("b").exists() && !root.join("c").exists());
    }

    #[test]
    fn manifests_are_found_in_folders_of_folders() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        write(root, &files([("knative/a.yaml", "1"), ("overlays/b/c/d.yaml", "2"), ("knative/e.txt", "3")])).unwrap();
        let read = read(root, &["knative/e.txt"]).unwrap();
        assert_eq!(read.keys().collect::<Vec<_>>(), ["knative/a.yaml", "knative/e.txt", "overlays/b/c/d.yaml"]);
        assert!(super::read(root, &["nothing"]).is_err());
    }
}
