//! Models in a store of objects: versions that are there whole or not at all, and the latest of each model.
//!
//! A version is the objects `models/<name>/<version>/` `model.onnx`, `weights.safetensors`, `card.json` and
//! `manifest.json`. The manifest holds the checksums of the others and is written last: it is what makes the version
//! exist. `models/<name>/latest` says which version is in use.

mod files;
mod keeping;
mod latest;
mod manifest;
mod publishing;

use std::{cmp::Reverse, collections::BTreeSet, num::NonZeroUsize, sync::Arc};

use streamforge_events::{ModelName, ModelVersion};

use crate::{Error, ObjectStore};
pub use files::{ModelCard, ModelFiles};
use latest::Latest;
pub use manifest::{FileSum, ModelFile, ModelManifest};
pub use publishing::Published;

/// Where all models lie.
const ROOT: &str = "models/";

/// How many versions older than the latest are kept.
const KEPT: NonZeroUsize = NonZeroUsize::new(10).unwrap();

/// The models of a store of objects; several processes may publish and read at once.
#[derive(Clone)]
pub struct ModelRegistry {
    objects: Arc<dyn ObjectStore>,
    kept: NonZeroUsize,
}

/// A version of a model, read and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// What the registry knows of it.
    pub manifest: ModelManifest,
    /// Its content.
    pub files: ModelFiles,
}

impl ModelRegistry {
    /// Takes the models of a store of objects.
    #[must_use]
    pub fn new(objects: Arc<dyn ObjectStore>) -> Self {
        Self { objects, kept: KEPT }
    }

    /// Keeps this many versions older than the latest of each model, instead of ten.
    #[must_use]
    pub fn keeping(self, kept: NonZeroUsize) -> Self {
        Self { kept, ..self }
    }

    /// The models that have a version, ascending.
    ///
    /// # Errors
    /// A failure of the store of objects.
    pub async fn names(&self) -> Result<Vec<ModelName>, Error> {
        let mut names = BTreeSet::new();
        for key in self.objects.list(ROOT).await? {
            let parts: Vec<&str> = key.split('/').collect();
            if let [_, name, version, manifest::KEY] = parts[..]
                && version.parse::<ModelVersion>().is_ok()
            {
                names.extend(name.parse::<ModelName>());
            }
        }
        Ok(names.into_iter().collect())
    }

    /// The versions of a model that were published, ascending by name, be they damaged or not.
    ///
    /// # Errors
    /// A failure of the store of objects.
    pub async fn published(&self, name: &ModelName) -> Result<Vec<ModelVersion>, Error> {
        let folder = format!("{ROOT}{name}/");
        let version = |key: String| {
            let version = key.strip_prefix(&folder)?.strip_suffix(manifest::KEY)?.strip_suffix('/')?;
            version.parse().ok()
        };
        Ok(self.objects.list(&folder).await?.into_iter().filter_map(version).collect())
    }

    /// The versions of a model, the newest by its card's time first; one with a damaged manifest is only logged.
    ///
    /// # Errors
    /// A failure of the store of objects.
    pub async fn versions(&self, name: &ModelName) -> Result<Vec<ModelManifest>, Error> {
        let mut found = Vec::new();
        for version in self.published(name).await? {
            match self.manifest(name, &version).await {
                // One that is gone by now was dropped by another process.
                Ok(manifest) => found.extend(manifest),
                Err(error @ Error::Model { .. }) => tracing::warn!("{error}"),
                Err(error) => return Err(error),
            }
        }
        found.sort_by_key(|manifest| Reverse(manifest.age()));
        Ok(found)
    }

    /// What the registry knows of one version; none if it is not there whole.
    ///
    /// # Errors
    /// [`Error::Model`] if its manifest is damaged, or a failure of the store of objects.
    pub async fn manifest(&self, name: &ModelName, version: &ModelVersion) -> Result<Option<ModelManifest>, Error> {
        let bytes = self.objects.get(&manifest::key(name, version)).await?;
        bytes.map(|bytes| ModelManifest::read(name, version, &bytes)).transpose()
    }

    /// The version in use; none if nothing was published whole.
    ///
    /// # Errors
    /// [`Error::Model`] if the note of it is damaged, or a failure of the store of objects.
    pub async fn latest(&self, name: &ModelName) -> Result<Option<ModelVersion>, Error> {
        let stored = self.read_latest(name).await?;
        Ok(stored.map(|stored| stored.latest).transpose()?.map(|latest| latest.version))
    }

    /// Reads a version, without one the latest, and checks every byte against its manifest.
    ///
    /// # Errors
    /// [`Error::NoModel`] if there is no such version, [`Error::Model`] with the file that is missing, truncated,
    /// swapped or edited, or a failure of the store of objects.
    pub async fn load(&self, name: &ModelName, version: Option<&ModelVersion>) -> Result<Model, Error> {
        loop {
            let asked = match version {
                Some(version) => version.clone(),
                None => self.latest(name).await?.ok_or_else(|| no_model(name, None))?,
            };
            let found = match self.manifest(name, &asked).await? {
                Some(manifest) => self.read_files(&manifest).await?.map(|files| Model { manifest, files }),
                None => None,
            };
            match found {
                Some(model) => return Ok(model),
                // It was dropped while it was read; `latest` has moved on before that.
                None if version.is_none() && self.latest(name).await?.as_ref() != Some(&asked) => {}
                None => return Err(no_model(name, Some(&asked))),
            }
        }
    }

    /// The card of a version alone, checked against its manifest; none if there is no such version.
    ///
    /// # Errors
    /// [`Error::Model`] if it is missing or was changed, or a failure of the store of objects.
    pub async fn card(&self, manifest: &ModelManifest) -> Result<Option<Vec<u8>>, Error> {
        self.read_file(manifest, ModelFile::Card).await
    }

    /// Whether a version is in use; where the note of that is damaged, none is.
    pub async fn is_latest(&self, manifest: &ModelManifest) -> bool {
        self.latest(&manifest.name).await.is_ok_and(|latest| latest.as_ref() == Some(&manifest.version))
    }

    /// Puts a version into use, be it older or newer than the present one.
    ///
    /// Only a model that is newer than all that are there now will take its place by itself.
    ///
    /// # Errors
    /// [`Error::NoModel`] if there is no such version, [`Error::Model`] if it is damaged, or a failure of the store of
    /// objects.
    pub async fn promote(&self, name: &ModelName, version: &ModelVersion) -> Result<(), Error> {
        self.load(name, Some(version)).await?;
        loop {
            let stored = self.read_latest(name).await?;
            // A damaged note is replaced; what it said is lost.
            let current = stored.as_ref().and_then(|stored| stored.latest.clone().ok());
            let dropped = current.as_ref().map(|latest| latest.dropped.clone()).unwrap_or_default();
            let manifest = self.manifest(name, version).await?.filter(|_| !dropped.contains(version));
            let Some(manifest) = manifest else { return Err(no_model(name, Some(version))) };
            let others = self.versions(name).await?.into_iter().map(|other| other.age());
            let newest = others.chain(current.map(|latest| latest.newest)).fold(manifest.age(), Ord::max);
            let next = Latest { version: version.clone(), newest, dropped, writes: 0 };
            if self.swap_latest(name, stored.as_ref(), &next).await? {
                return Ok(());
            }
        }
    }
}

fn no_model(name: &ModelName, version: Option<&ModelVersion>) -> Error {
    Error::NoModel { name: name.clone(), version: version.cloned() }
}

#[cfg(test)]
mod tests;
