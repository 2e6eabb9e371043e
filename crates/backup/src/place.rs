//! Where backups lie: manifests and chunks in a store of objects.

use std::{collections::HashMap, sync::Arc};

use streamforge_store::{ObjectStore, ObjectSwap};

use crate::{
    BackupName, Chunk, Contents, Error, Manifest, Rows,
    chunk::{fault, size_fault},
};

const MANIFESTS: &str = "backups/manifests/";
const SUFFIX: &str = ".json";
const CHUNKS: &str = "backups/chunks/";

/// Backups in a store of objects; several processes may write and read at once.
#[derive(Clone)]
pub struct Place {
    objects: Arc<dyn ObjectStore>,
}

/// How many objects, and how many bytes they have together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Number of objects.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Tally {
    fn add(&mut self, bytes: u64) {
        self.objects += 1;
        self.bytes += bytes;
    }
}

impl Place {
    /// Takes the backups of a store of objects.
    #[must_use]
    pub fn new(objects: Arc<dyn ObjectStore>) -> Self {
        Self { objects }
    }

    /// The names of all backups, ascending.
    ///
    /// # Errors
    /// A failure of the store of objects.
    pub async fn names(&self) -> Result<Vec<BackupName>, Error> {
        let keys = self.objects.list(MANIFESTS).await?;
        let name = |key: &String| key.strip_prefix(MANIFESTS)?.strip_suffix(SUFFIX)?.parse().ok();
        Ok(keys.iter().filter_map(name).collect())
    }

    /// Reads what a backup is made of.
    ///
    /// # Errors
    /// [`Error::Missing`] if there is no such backup, what [`Manifest::read`] refuses, or a failure of the store of
    /// objects.
    pub async fn manifest(&self, name: &BackupName) -> Result<Manifest, Error> {
        let key = manifest_key(name);
        let bytes = self.objects.get(&key).await?.ok_or_else(|| Error::Missing(name.clone()))?;
        Manifest::read(&key, name, &bytes)
    }

    /// Whether there is a backup of this name.
    pub(crate) async fn has(&self, name: &BackupName) -> Result<bool, Error> {
        Ok(self.objects.get(&manifest_key(name)).await?.is_some())
    }

    /// Makes a backup exist.
    pub(crate) async fn seal(&self, manifest: &Manifest) -> Result<(), Error> {
        let pack = |error: serde_json::Error| Error::Pack { what: "the manifest".to_owned(), source: error.into() };
        let bytes = manifest.seal().map_err(pack)?;
        match self.objects.compare_and_set(&manifest_key(&manifest.name), None, bytes).await? {
            ObjectSwap::Won => Ok(()),
            ObjectSwap::Lost(_) => Err(Error::Exists(manifest.name.clone())),
        }
    }

    /// Begins to write objects that may be there already.
    pub(crate) async fn write(&self) -> Result<Writing<'_>, Error> {
        Ok(Writing { place: self, there: self.sizes().await?, written: Tally::default(), kept: Tally::default() })
    }

    /// Checks that every object of a backup is there in its size.
    pub(crate) async fn check_presence(&self, manifest: &Manifest) -> Result<(), Error> {
        let there = self.sizes().await?;
        for (sha256, bytes) in manifest.objects() {
            let reason = match there.get(sha256) {
                Some(found) => size_fault(*found, bytes),
                None => Some("is missing".to_owned()),
            };
            if let Some(reason) = reason {
                return Err(Error::Chunk { key: chunk_key(sha256), reason });
            }
        }
        Ok(())
    }

    /// Reads an object and checks it.
    pub(crate) async fn fetch(&self, sha256: &str, bytes: u64) -> Result<Vec<u8>, Error> {
        let key = chunk_key(sha256);
        let found = self.objects.get(&key).await?;
        let reason = match &found {
            Some(found) => fault(found, bytes, sha256),
            None => Some("is missing".to_owned()),
        };
        match (found, reason) {
            (Some(found), None) => Ok(found),
            (_, reason) => Err(Error::Chunk { key, reason: reason.unwrap_or_default() }),
        }
    }

    /// Reads the rows of a chunk and checks that they are what the manifest says.
    pub(crate) async fn fetch_rows(&self, chunk: &Chunk, contents: &Contents) -> Result<Rows, Error> {
        let bytes = self.fetch(&chunk.sha256, chunk.bytes).await?;
        let fail = |reason| Error::Chunk { key: chunk_key(&chunk.sha256), reason };
        let rows = Rows::unpack(&bytes, chunk.unpacked).map_err(fail)?;
        if rows.contents() != *contents {
            return Err(fail(format!("was swapped: it holds {}, not {contents}", rows.contents())));
        }
        if rows.count() != chunk.rows {
            return Err(fail(format!("holds {} rows, not {}", rows.count(), chunk.rows)));
        }
        Ok(rows)
    }

    async fn sizes(&self) -> Result<HashMap<String, u64>, Error> {
        let found = self.objects.sizes(CHUNKS).await?;
        let named = |(key, size): (String, u64)| Some((key.strip_prefix(CHUNKS)?.to_owned(), size));
        Ok(found.into_iter().filter_map(named).collect())
    }
}

/// Writes objects under their checksums, except those that are there.
pub(crate) struct Writing<'a> {
    place: &'a Place,
    there: HashMap<String, u64>,
    pub(crate) written: Tally,
    pub(crate) kept: Tally,
}

impl Writing<'_> {
    /// Puts an object in place, unless it is there with just these bytes.
    pub(crate) async fn put(&mut self, sha256: &str, bytes: Vec<u8>) -> Result<(), Error> {
        let (key, size) = (chunk_key(sha256), bytes.len() as u64);
        // Of the right size is not enough: a backup that is told complete must not rest on a damaged object.
        let is_there = self.there.get(sha256) == Some(&size)
            && self.place.objects.get(&key).await?.is_some_and(|found| found == bytes);
        if is_there {
            self.kept.add(size);
        } else {
            self.place.objects.put(&key, bytes).await?;
            self.there.insert(sha256.to_owned(), size);
            self.written.add(size);
        }
        Ok(())
    }
}

fn manifest_key(name: &BackupName) -> String {
    format!("{MANIFESTS}{name}{SUFFIX}")
}

fn chunk_key(sha256: &str) -> String {
    format!("{CHUNKS}{sha256}")
}

#[cfg(test)]
mod tests {
    use streamforge_events::{Interval, SeriesId, SeriesKind};
    use streamforge_store::{FolderObjects, GraphDocument};

    use super::*;
    use crate::{packing::Packing, period::Period};

    fn series(symbol: &str) -> Contents {
        Contents::Series(SeriesId { symbol: symbol.parse().unwrap(), kind: SeriesKind::Klines(Interval::M1) })
    }

    /// An edited manifest may have a checksum of its own; what a chunk says of itself still tells.
    #[tokio::test]
    async fn a_chunk_that_is_named_for_another_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::new(Arc::new(FolderObjects::open(folder.path()).await.unwrap()));
        let mut packing = Packing::new(Contents::Graphs, Period::Whole);
        let graph = serde_json::json!({
            "id": "g", "version": 1, "interval": "1m", "range": {"from": 0, "to": 1}, "parameters": null,
            "nodes": [], "edges": [],
        });
        let graph: GraphDocument = serde_json::from_value(graph).unwrap();
        packing.add(&graph).unwrap();
        let (chunk, bytes) = packing.cut().unwrap().unwrap();
        place.write().await.unwrap().put(&chunk.sha256, bytes).await.unwrap();
        assert_eq!(place.fetch_rows(&chunk, &Contents::Graphs).await.unwrap(), Rows::Graphs(vec![graph]));
        let other = Chunk { rows: 2, ..chunk.clone() };
        for (chunk, contents, words) in [
            (&chunk, series("BTCUSDT"), "was swapped: it holds graphs, not binance-spot-BTCUSDT-1m"),
            (&other, Contents::Graphs, "holds 1 rows, not 2"),
        ] {
            let error = place.fetch_rows(chunk, &contents).await.unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
