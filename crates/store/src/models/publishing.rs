//! Publishing a version and reading its files back: a manifest never lies beside files that it does not describe.

use streamforge_events::{ModelName, ModelVersion};

use super::{
    ModelFile, ModelFiles, ModelManifest, ModelRegistry,
    manifest::{self, FileSum, file_key},
};
use crate::{Error, ObjectSwap};

/// What became of [`ModelRegistry::publish`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// The version is new.
    New,
    /// The same version with the same content was there.
    Unchanged,
}

impl ModelRegistry {
    /// Publishes a version under the name and version of its card, and puts it into use if it is newer than all that
    /// were; drops versions that are too many and older than the one in use.
    ///
    /// The same version with the same content again changes nothing but what a publisher that died, or another hand,
    /// has left wrong.
    ///
    /// # Errors
    /// [`Error::Card`] for a card that says too little, [`Error::ModelExists`] if the version has other content,
    /// [`Error::Model`] if its manifest is damaged, or a failure of the store of objects.
    pub async fn publish(&self, files: &ModelFiles) -> Result<Published, Error> {
        let manifest = ModelManifest::of(files)?;
        let published = match self.manifest(&manifest.name, &manifest.version).await? {
            Some(stored) => same(&manifest, &stored)?,
            None => self.write(&manifest, files).await?,
        };
        for file in ModelFile::ALL {
            self.mend(&manifest, file, files.get(file)).await?;
        }
        self.move_latest(&manifest).await?;
        if let Err(error) = self.drop_old(&manifest.name).await {
            // The version is published; the next one drops what this one could not.
            tracing::warn!(model = %manifest.name, %error, "old versions were not dropped");
        }
        Ok(published)
    }

    /// Writes the files and then the manifest.
    async fn write(&self, manifest: &ModelManifest, files: &ModelFiles) -> Result<Published, Error> {
        let mut replaced = Vec::new();
        for file in ModelFile::ALL {
            let before = self.place(manifest, file, files.get(file)).await?;
            replaced.extend(before.map(|bytes| (file, bytes)));
        }
        let key = manifest::key(&manifest.name, &manifest.version);
        match self.objects.compare_and_set(&key, None, manifest.json()?).await? {
            ObjectSwap::Won => Ok(Published::New),
            ObjectSwap::Lost(None) => Err(super::no_model(&manifest.name, Some(&manifest.version))),
            ObjectSwap::Lost(Some(bytes)) => {
                let stored = ModelManifest::read(&manifest.name, &manifest.version, &bytes)?;
                let outcome = same(manifest, &stored);
                if outcome.is_err() {
                    // Another publisher of this version won; what was taken for remains of a dead one may be its files.
                    for (file, bytes) in replaced {
                        self.mend(&stored, file, &bytes).await?;
                    }
                }
                outcome
            }
        }
    }

    /// Puts a file in its place as long as the version does not exist, and answers what it has replaced.
    async fn place(&self, manifest: &ModelManifest, file: ModelFile, bytes: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let key = file_key(&manifest.name, &manifest.version, file);
        loop {
            let current = self.objects.get(&key).await?;
            let exists = self.manifest(&manifest.name, &manifest.version).await?.is_some();
            if exists || current.as_deref() == Some(bytes) {
                return Ok(None);
            }
            if self.objects.compare_and_set(&key, current.as_deref(), bytes.to_vec()).await? == ObjectSwap::Won {
                return Ok(current);
            }
        }
    }

    /// Puts a file of a version that exists in order, if these are its bytes.
    async fn mend(&self, manifest: &ModelManifest, file: ModelFile, bytes: &[u8]) -> Result<(), Error> {
        let key = file_key(&manifest.name, &manifest.version, file);
        while manifest.agrees(file, bytes) {
            let current = self.objects.get(&key).await?;
            if current.as_deref() == Some(bytes)
                || self.objects.compare_and_set(&key, current.as_deref(), bytes.to_vec()).await? == ObjectSwap::Won
            {
                break;
            }
        }
        Ok(())
    }

    /// Reads and checks the files of a version; none if it has been dropped meanwhile.
    pub(super) async fn read_files(&self, manifest: &ModelManifest) -> Result<Option<ModelFiles>, Error> {
        let mut files = ModelFiles::default();
        for file in ModelFile::ALL {
            match self.read_file(manifest, file).await? {
                Some(bytes) => files.set(file, bytes),
                None => return Ok(None),
            }
        }
        Ok(Some(files))
    }

    /// Reads and checks one file of a version; none if the version has been dropped meanwhile.
    pub(super) async fn read_file(&self, manifest: &ModelManifest, file: ModelFile) -> Result<Option<Vec<u8>>, Error> {
        let ModelManifest { name, version, .. } = manifest;
        let bytes = self.objects.get(&file_key(name, version, file)).await?;
        let reason = match bytes {
            Some(bytes) if manifest.agrees(file, &bytes) => return Ok(Some(bytes)),
            None if self.manifest(name, version).await?.is_none() => return Ok(None),
            None => "is missing".to_owned(),
            Some(bytes) => self.fault(manifest, file, &bytes).await?,
        };
        Err(Error::Model { name: name.clone(), version: Some(version.clone()), file: file.as_str(), reason })
    }

    /// What has happened to a file whose bytes are not its own.
    async fn fault(&self, manifest: &ModelManifest, file: ModelFile, bytes: &[u8]) -> Result<String, Error> {
        let ModelManifest { name, version, .. } = manifest;
        let found = FileSum::of(bytes);
        if let Some(other) = manifest.file_with(&found) {
            return Ok(format!("was swapped: it holds {}", other.as_str()));
        }
        for other in self.versions(name).await?.iter().filter(|other| other.version != *version) {
            if let Some(file) = other.file_with(&found) {
                return Ok(format!("was swapped: it holds {} of version `{}`", file.as_str(), other.version));
            }
        }
        let wanted = manifest.files.get(&file).map_or(0, |sum| sum.bytes);
        if found.bytes < wanted {
            return Ok(format!("was truncated: it has {} of {wanted} bytes", found.bytes));
        }
        Ok(format!("was edited: its {} bytes do not have the SHA-256 that the manifest states", found.bytes))
    }
}

fn same(manifest: &ModelManifest, stored: &ModelManifest) -> Result<Published, Error> {
    if manifest == stored {
        return Ok(Published::Unchanged);
    }
    let (name, version): (ModelName, ModelVersion) = (manifest.name.clone(), manifest.version.clone());
    Err(Error::ModelExists { name, version })
}
