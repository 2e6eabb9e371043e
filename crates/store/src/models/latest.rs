//! The note of the version in use: moved by compare-and-set, so that of two publishers the newer one wins.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use streamforge_events::{ModelName, ModelVersion};

use super::{ModelManifest, ModelRegistry, ROOT, manifest::Age};
use crate::{Error, ObjectSwap};

const KEY: &str = "latest";

/// The note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Latest {
    /// The version in use.
    pub(super) version: ModelVersion,
    /// Only a version that is newer takes its place by itself: a choice made on purpose stands until then.
    pub(super) newest: Age,
    /// Versions that are being deleted, and so cannot be chosen any more.
    pub(super) dropped: BTreeSet<ModelVersion>,
    /// How often the note was written, so that no two notes are alike: whoever has read one must not take a later one
    /// for it when versions have been noted, deleted and forgotten in between.
    #[serde(default)]
    pub(super) writes: u64,
}

/// The note as it lies in the store, for whoever wants to write another in its place.
pub(super) struct Stored {
    pub(super) latest: Result<Latest, Error>,
    bytes: Vec<u8>,
}

impl ModelRegistry {
    /// Reads the note.
    pub(super) async fn read_latest(&self, name: &ModelName) -> Result<Option<Stored>, Error> {
        let Some(bytes) = self.objects.get(&key(name)).await? else { return Ok(None) };
        let latest = serde_json::from_slice(&bytes).map_err(|error| Error::Model {
            name: name.clone(),
            version: None,
            file: KEY,
            reason: format!("was truncated or edited: {error}; promote a version to write it anew"),
        });
        Ok(Some(Stored { latest, bytes }))
    }

    /// Writes the note if nobody has written it since it was read.
    pub(super) async fn swap_latest(
        &self,
        name: &ModelName,
        expected: Option<&Stored>,
        next: &Latest,
    ) -> Result<bool, Error> {
        let writes = expected.and_then(|stored| stored.latest.as_ref().ok()).map_or(0, |latest| latest.writes);
        let next = Latest { writes: writes.wrapping_add(1), ..next.clone() };
        let bytes = serde_json::to_vec(&next).map_err(|error| Error::Card(error.to_string()))?;
        let expected = expected.map(|stored| &stored.bytes[..]);
        Ok(self.objects.compare_and_set(&key(name), expected, bytes).await? == ObjectSwap::Won)
    }

    /// Puts a version into use if it is newer than all that were.
    pub(super) async fn move_latest(&self, manifest: &ModelManifest) -> Result<(), Error> {
        loop {
            let stored = self.read_latest(&manifest.name).await?;
            let current = stored.as_ref().map(|stored| stored.latest.clone()).transpose()?;
            if current.as_ref().is_some_and(|latest| latest.newest >= manifest.age()) {
                return Ok(());
            }
            let dropped = current.map(|latest| latest.dropped).unwrap_or_default();
            let next = Latest { version: manifest.version.clone(), newest: manifest.age(), dropped, writes: 0 };
            if self.swap_latest(&manifest.name, stored.as_ref(), &next).await? {
                return Ok(());
            }
        }
    }
}

fn key(name: &ModelName) -> String {
    format!("{ROOT}{name}/{KEY}")
}
