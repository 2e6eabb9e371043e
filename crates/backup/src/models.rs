//! Models of a registry as objects of a backup, and back.

use std::{collections::HashSet, num::NonZeroUsize};

use streamforge_events::{ModelName, ModelVersion};
use streamforge_store::{Error as StoreError, ModelFile, ModelFiles, ModelManifest, ModelRegistry, Published};

use crate::{Error, ModelPart, Place, place::Writing};

/// Copies all models; what is damaged is left out and told.
pub(crate) async fn copy(
    registry: &ModelRegistry,
    writing: &mut Writing<'_>,
    left_out: &mut Vec<String>,
) -> Result<Vec<ModelPart>, Error> {
    let mut parts = Vec::new();
    for name in registry.names().await? {
        parts.push(copy_one(registry, name, writing, left_out).await?);
    }
    Ok(parts)
}

/// The version in use is asked for first, and again if it has gone until its turn came.
async fn copy_one(
    registry: &ModelRegistry,
    name: ModelName,
    writing: &mut Writing<'_>,
    left_out: &mut Vec<String>,
) -> Result<ModelPart, Error> {
    loop {
        let mut damaged = Vec::new();
        let latest = match registry.latest(&name).await {
            Ok(latest) => latest,
            Err(error @ StoreError::Model { .. }) => {
                damaged.push(error.to_string());
                None
            }
            Err(error) => return Err(error.into()),
        };
        let mut versions: Vec<ModelManifest> = Vec::new();
        for version in registry.published(&name).await? {
            match registry.load(&name, Some(&version)).await {
                Ok(model) => {
                    for file in ModelFile::ALL {
                        let sum = model.manifest.files.get(&file);
                        let sha256 = sum.map(|sum| sum.sha256.as_str()).unwrap_or_default();
                        writing.put(sha256, model.files.get(file).to_vec()).await?;
                    }
                    versions.push(model.manifest);
                }
                Err(error @ StoreError::Model { .. }) => damaged.push(error.to_string()),
                // It was dropped meanwhile.
                Err(StoreError::NoModel { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let is_there = |latest: &ModelVersion| versions.iter().any(|manifest| manifest.version == *latest);
        let has_moved = latest.as_ref().is_some_and(|latest| !is_there(latest)) && damaged.is_empty();
        if !has_moved || registry.latest(&name).await? == latest {
            let latest = latest.filter(is_there);
            left_out.extend(damaged);
            return Ok(ModelPart { name, latest, versions });
        }
    }
}

/// What became of the models of a backup.
#[derive(Debug, Default)]
pub(crate) struct Restored {
    pub(crate) new: u64,
    pub(crate) unchanged: u64,
    pub(crate) conflicts: Vec<String>,
}

/// Publishes all versions; a version that is there with other content stays and is told.
///
/// Where no version is but those of the backup, the one in use becomes that of the backup, too: also after a restore that
/// was interrupted just before.
pub(crate) async fn restore(place: &Place, registry: &ModelRegistry, parts: &[ModelPart]) -> Result<Restored, Error> {
    // The registry's own rule would drop versions that the backup's choice of the latest still keeps.
    let registry = registry.clone().keeping(NonZeroUsize::MAX);
    let mut restored = Restored::default();
    for ModelPart { name, latest, versions } in parts {
        let conflicts = restored.conflicts.len();
        for manifest in versions {
            match registry.publish(&fetch(place, manifest).await?).await {
                Ok(Published::New) => restored.new += 1,
                Ok(Published::Unchanged) => restored.unchanged += 1,
                Err(error @ (StoreError::ModelExists { .. } | StoreError::Model { .. })) => {
                    restored.conflicts.push(error.to_string());
                }
                Err(error) => return Err(error.into()),
            }
        }
        let known: HashSet<&ModelVersion> = versions.iter().map(|manifest| &manifest.version).collect();
        let is_same = restored.conflicts.len() == conflicts
            && registry.published(name).await?.iter().all(|version| known.contains(version));
        if let Some(latest) = latest.as_ref().filter(|_| is_same)
            && registry.latest(name).await.ok().flatten().as_ref() != Some(latest)
        {
            match registry.promote(name, latest).await {
                Ok(()) => {}
                Err(error @ StoreError::Model { .. }) => restored.conflicts.push(error.to_string()),
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(restored)
}

async fn fetch(place: &Place, manifest: &ModelManifest) -> Result<ModelFiles, Error> {
    let mut files = ModelFiles::default();
    for (file, sum) in &manifest.files {
        let bytes = place.fetch(&sum.sha256, sum.bytes).await?;
        match file {
            ModelFile::Onnx => files.onnx = bytes,
            ModelFile::Weights => files.weights = bytes,
            ModelFile::Card => files.card = bytes,
        }
    }
    Ok(files)
}
