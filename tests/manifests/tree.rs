//! The manifests of the repository, typed and as they stand, and the same with a mistake in them.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;
use streamforge_local::manifest::{FOLDERS, Manifests};

/// All manifests.
pub(crate) struct Tree {
    /// Text by path, such as `triggers/dummy-service.yaml`.
    pub(crate) files: BTreeMap<String, String>,
    pub(crate) manifests: Manifests,
    pub(crate) objects: Vec<Object>,
}

/// One document.
pub(crate) struct Object {
    pub(crate) file: String,
    pub(crate) value: Value,
}

impl Tree {
    /// The repository's own.
    pub(crate) fn read() -> Self {
        let mut files = BTreeMap::new();
        for folder in FOLDERS {
            let entries = fs::read_dir(root().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
            for entry in entries {
                let path = entry.expect("the folder is readable").path();
                if path.extension().is_some_and(|extension| extension == "yaml") {
                    let name = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
                    files.insert(name, fs::read_to_string(&path).expect("manifests are text"));
                }
            }
        }
        Self::parse(files).unwrap_or_else(|refusal| panic!("{refusal}"))
    }

    /// The same with another text in one file, or why it cannot be read.
    ///
    /// Every occurrence is replaced; without any, the mistake to be found is not there.
    pub(crate) fn with(&self, file: &str, from: &str, to: &str) -> Result<Self, String> {
        let mut files = self.files.clone();
        let text = files.get_mut(file).unwrap_or_else(|| panic!("{file} is not there"));
        assert!(text.contains(from), "{file} does not contain `{from}`");
        *text = text.replace(from, to);
        Self::parse(files)
    }

    pub(crate) fn parse(files: BTreeMap<String, String>) -> Result<Self, String> {
        let texts = files.iter().map(|(file, text)| (file.as_str(), text.as_str()));
        let manifests = Manifests::parse(texts).map_err(|error| error.to_string())?;
        let mut objects = Vec::new();
        for (file, text) in &files {
            let documents: Vec<Value> =
                serde_saphyr::from_multiple(text).map_err(|error| format!("{file}: {error}"))?;
            objects.extend(documents.into_iter().map(|value| Object { file: file.clone(), value }));
        }
        Ok(Self { files, manifests, objects })
    }

    /// What keeps pods: Deployments and Rollouts.
    pub(crate) fn workloads(&self) -> impl Iterator<Item = &Object> {
        self.of_kind("Deployment").chain(self.of_kind("Rollout"))
    }

    /// The objects of a kind.
    pub(crate) fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Object> {
        self.objects.iter().filter(move |object| object.text("/kind") == kind)
    }
}

impl Object {
    /// The value at a JSON pointer; null where there is none.
    pub(crate) fn at(&self, pointer: &str) -> &Value {
        self.value.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// The text at a JSON pointer; empty where there is none.
    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.at(pointer).as_str().unwrap_or_default()
    }

    /// The list at a JSON pointer; empty where there is none.
    pub(crate) fn list(&self, pointer: &str) -> &[Value] {
        self.at(pointer).as_array().map_or(&[], Vec::as_slice)
    }

    /// The names of the fields at a JSON pointer.
    pub(crate) fn keys(&self, pointer: &str) -> Vec<&str> {
        self.at(pointer).as_object().map(|fields| fields.keys().map(String::as_str).collect()).unwrap_or_default()
    }

    pub(crate) fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    /// File, kind and name, for a complaint.
    pub(crate) fn label(&self) -> String {
        format!("{}: {} {}", self.file, self.text("/kind"), self.name())
    }
}

/// The repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests have a folder of their own")
}
