//! The manifest of a version: the checksum of each of its files, and what is wrong with one that has another.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use streamforge_events::{Millis, ModelName, ModelVersion, hex};

use super::{ModelCard, ModelFiles, ROOT};
use crate::Error;

/// Name of the manifest beside the files.
pub(super) const KEY: &str = "manifest.json";

/// A file of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ModelFile {
    /// The network, for prediction.
    #[serde(rename = "model.onnx")]
    Onnx,
    /// The network's weights, for training on.
    #[serde(rename = "weights.safetensors")]
    Weights,
    /// What the model is and how well it does.
    #[serde(rename = "card.json")]
    Card,
}

/// What the bytes of a file add up to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSum {
    /// How many there are.
    pub bytes: u64,
    /// Their SHA-256 in hexadecimal.
    pub sha256: String,
}

/// What makes a version exist: its files and their checksums.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelManifest {
    /// The model.
    pub name: ModelName,
    /// The version.
    pub version: ModelVersion,
    /// When it was made, as its card says.
    pub created: Millis,
    /// Each of its files.
    pub files: BTreeMap<ModelFile, FileSum>,
}

/// Orders the versions of a model: by the time of their cards, those of one time by name.
pub(super) type Age = (Millis, ModelVersion);

impl ModelFile {
    /// All files of a version.
    pub const ALL: [Self; 3] = [Self::Onnx, Self::Weights, Self::Card];

    /// Name of the file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Onnx => "model.onnx",
            Self::Weights => "weights.safetensors",
            Self::Card => "card.json",
        }
    }
}

impl FileSum {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.len() as u64, sha256: hex(&Sha256::digest(bytes)) }
    }
}

impl ModelManifest {
    pub(super) fn of(files: &ModelFiles) -> Result<Self, Error> {
        let ModelCard { name, version, created } = files.card()?;
        let files = ModelFile::ALL.into_iter().map(|file| (file, FileSum::of(files.get(file)))).collect();
        Ok(Self { name, version, created, files })
    }

    /// Reads the manifest that lies in the place of this version.
    pub(super) fn read(name: &ModelName, version: &ModelVersion, bytes: &[u8]) -> Result<Self, Error> {
        let fail = |reason| Error::Model { name: name.clone(), version: Some(version.clone()), file: KEY, reason };
        let manifest: Self =
            serde_json::from_slice(bytes).map_err(|error| fail(format!("was truncated or edited: {error}")))?;
        if (&manifest.name, &manifest.version) != (name, version) {
            let Self { name, version, .. } = manifest;
            return Err(fail(format!("was swapped: it belongs to model `{name}` version `{version}`")));
        }
        match ModelFile::ALL.into_iter().find(|file| !manifest.files.contains_key(file)) {
            Some(missing) => Err(fail(format!("was edited: it does not name {}", missing.as_str()))),
            None => Ok(manifest),
        }
    }

    /// The manifest as people and programs are shown it: with a word on whether the version is in use.
    #[must_use]
    pub fn shown(&self, is_latest: bool) -> Value {
        let mut value = json!(self);
        value["latest"] = is_latest.into();
        value
    }

    pub(super) fn json(&self) -> Result<Vec<u8>, Error> {
        serde_json::to_vec_pretty(self).map_err(|error| Error::Card(error.to_string()))
    }

    pub(super) fn age(&self) -> Age {
        (self.created, self.version.clone())
    }

    /// Whether these are the bytes of the file.
    pub(super) fn agrees(&self, file: ModelFile, bytes: &[u8]) -> bool {
        self.files.get(&file) == Some(&FileSum::of(bytes))
    }

    /// The file that has these bytes.
    pub(super) fn file_with(&self, sum: &FileSum) -> Option<ModelFile> {
        self.files.iter().find(|(_, known)| *known == sum).map(|(file, _)| *file)
    }
}

/// Key of a version's manifest.
pub(super) fn key(name: &ModelName, version: &ModelVersion) -> String {
    format!("{ROOT}{name}/{version}/{KEY}")
}

/// Key of a file.
pub(super) fn file_key(name: &ModelName, version: &ModelVersion, file: ModelFile) -> String {
    format!("{ROOT}{name}/{version}/{}", file.as_str())
}
