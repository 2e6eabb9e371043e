//! Where the manifests come from: a flag, the working tree, or the copies built into the binary.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use include_dir::{Dir, include_dir};

use super::Error;
use crate::manifest::{FOLDERS, Manifests};

static BUILT_IN: [(&str, Dir<'static>); 3] = [
    ("knative", include_dir!("$CARGO_MANIFEST_DIR/../../knative")),
    ("triggers", include_dir!("$CARGO_MANIFEST_DIR/../../triggers")),
    ("scaledobjects", include_dir!("$CARGO_MANIFEST_DIR/../../scaledobjects")),
];

/// Where the manifests were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManifestSource {
    /// A folder with the three manifest folders.
    Folder(PathBuf),
    /// The copies inside the binary.
    BuiltIn,
}

impl fmt::Display for ManifestSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(formatter, "{}", folder.display()),
            Self::BuiltIn => formatter.write_str("built in"),
        }
    }
}

impl ManifestSource {
    /// Takes the folder that was asked for, else the working tree around `current`, else the built-in copies.
    ///
    /// # Errors
    /// [`Error::NoManifests`] if the folder that was asked for has none of the three manifest folders.
    pub fn find(asked: Option<&Path>, current: &Path) -> Result<Self, Error> {
        if let Some(folder) = asked {
            if FOLDERS.iter().any(|name| folder.join(name).is_dir()) {
                return Ok(Self::Folder(folder.to_owned()));
            }
            return Err(Error::NoManifests(folder.to_owned()));
        }
        let is_working_tree = |folder: &&Path| FOLDERS.iter().all(|name| folder.join(name).is_dir());
        Ok(current.ancestors().find(is_working_tree).map_or(Self::BuiltIn, |folder| Self::Folder(folder.to_owned())))
    }

    /// Reads and checks the manifests.
    ///
    /// # Errors
    /// [`Error::Manifests`] with everything that is wrong in them.
    pub fn load(&self) -> Result<Manifests, Error> {
        match self {
            Self::Folder(folder) => Manifests::read(folder).map_err(Error::Manifests),
            Self::BuiltIn => {
                let mut texts = Vec::new();
                for (name, folder) in &BUILT_IN {
                    collect(name, folder, &mut texts);
                }
                texts.sort();
                Manifests::parse(texts.iter().map(|(path, text)| (path.as_str(), *text))).map_err(Error::Manifests)
            }
        }
    }
}

fn collect(name: &str, folder: &Dir<'static>, texts: &mut Vec<(String, &'static str)>) {
    for file in folder.files() {
        if let Some(text) = file.contents_utf8() {
            texts.push((format!("{name}/{}", file.path().display()), text));
        }
    }
    for inner in folder.dirs() {
        collect(name, inner, texts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_wins_then_the_working_tree_then_the_copies() {
        let temporary = tempfile::tempdir().unwrap();
        let root = temporary.path();
        let deep = root.join("tree/a/b");
        std::fs::create_dir_all(&deep).unwrap();
        assert_eq!(ManifestSource::find(None, &deep).unwrap(), ManifestSource::BuiltIn);
        for folder in FOLDERS {
            std::fs::create_dir_all(root.join("tree").join(folder)).unwrap();
        }
        let tree = ManifestSource::Folder(root.join("tree"));
        assert_eq!(ManifestSource::find(None, &deep).unwrap(), tree);
        std::fs::create_dir_all(root.join("asked/triggers")).unwrap();
        let asked = root.join("asked");
        assert_eq!(ManifestSource::find(Some(&asked), &deep).unwrap(), ManifestSource::Folder(asked));
        assert!(matches!(ManifestSource::find(Some(&deep), &deep), Err(Error::NoManifests(_))));
    }

    #[test]
    fn the_built_in_manifests_are_valid() {
        ManifestSource::BuiltIn.load().unwrap();
    }
}
