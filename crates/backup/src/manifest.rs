//! The manifest of a backup: which chunks it is made of, under a checksum of its own.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use streamforge_events::{Millis, ModelName, ModelVersion, SeriesId, Symbol, TimeRange};
use streamforge_store::ModelManifest;

use crate::{BackupName, Chunk, Error, chunk::checksum};

/// The format of backups that this program writes and reads.
pub const FORMAT: u64 = 1;

/// All that makes a backup.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The format, [`FORMAT`].
    pub format: u64,
    /// The backup's name.
    pub name: BackupName,
    /// Version of the program that made it.
    pub program: String,
    /// When it was begun: what was acknowledged before is in it, what was acknowledged later may be absent.
    pub created: Millis,
    /// What was asked for.
    pub limits: Limits,
    /// Klines and trades.
    pub series: Vec<SeriesPart>,
    /// Workflow documents.
    pub workflows: Vec<Chunk>,
    /// Graphs, each in a chunk of its own.
    pub graphs: Vec<Chunk>,
    /// Predictions.
    pub predictions: Vec<Chunk>,
    /// What was told of gaps; backups of before have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Chunk>,
    /// Models.
    pub models: Vec<ModelPart>,
    /// What is damaged where it was to be copied from, in words.
    pub left_out: Vec<String>,
}

/// What of a store a backup holds; one with limits holds series and predictions alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Only these symbols; none for all.
    pub symbols: Vec<Symbol>,
    /// Only rows of this time.
    pub range: Option<TimeRange>,
}

/// A series.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeriesPart {
    /// The series.
    pub series: SeriesId,
    /// Ranges of which it holds all that the exchange had.
    pub loaded: Vec<TimeRange>,
    /// Its rows, ascending in time.
    pub chunks: Vec<Chunk>,
}

/// A model; each file is a chunk as it is, under the checksum that the registry knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelPart {
    /// The model.
    pub name: ModelName,
    /// The version in use.
    pub latest: Option<ModelVersion>,
    /// Its versions, ascending by name.
    pub versions: Vec<ModelManifest>,
}

/// The object: a manifest and the checksum of its text.
#[derive(Serialize, Deserialize)]
struct Sealed<'a> {
    sha256: String,
    #[serde(borrow)]
    manifest: &'a RawValue,
}

impl Limits {
    /// Whether all is asked for.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.symbols.is_empty() && self.range.is_none()
    }

    /// Whether rows of this symbol are asked for.
    pub(crate) fn admit(&self, symbol: &Symbol) -> bool {
        self.symbols.is_empty() || self.symbols.contains(symbol)
    }
}

impl SeriesPart {
    /// How many rows it has.
    #[must_use]
    pub fn rows(&self) -> u64 {
        sum(self.chunks.iter().map(|chunk| chunk.rows))
    }
}

impl Manifest {
    /// Chunks of rows.
    pub fn chunks(&self) -> impl Iterator<Item = &Chunk> {
        let of_series = self.series.iter().flat_map(|part| &part.chunks);
        of_series.chain(&self.predictions).chain(&self.gaps).chain(&self.graphs).chain(&self.workflows)
    }

    /// Checksum and size of every object, each as often as it is named.
    pub fn objects(&self) -> impl Iterator<Item = (&str, u64)> {
        let files = self.models.iter().flat_map(|model| &model.versions).flat_map(|version| version.files.values());
        let chunks = self.chunks().map(|chunk| (chunk.sha256.as_str(), chunk.bytes));
        chunks.chain(files.map(|file| (file.sha256.as_str(), file.bytes)))
    }

    /// How many rows its series have.
    #[must_use]
    pub fn rows(&self) -> u64 {
        sum(self.series.iter().map(SeriesPart::rows))
    }

    /// What it holds beside its series, each by its name in words.
    #[must_use]
    pub fn others(&self) -> [(&'static str, u64); 5] {
        let rows = |chunks: &[Chunk]| sum(chunks.iter().map(|chunk| chunk.rows));
        let models = sum(self.models.iter().map(|model| model.versions.len() as u64));
        [
            ("workflows", rows(&self.workflows)),
            ("graphs", rows(&self.graphs)),
            ("predictions", rows(&self.predictions)),
            ("gaps", rows(&self.gaps)),
            ("models", models),
        ]
    }

    /// How many bytes its objects have; one that is named twice counts once.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let mut objects: Vec<(&str, u64)> = self.objects().collect();
        objects.sort_unstable();
        objects.dedup();
        sum(objects.into_iter().map(|(_, bytes)| bytes))
    }

    /// Time of the earliest and of the latest row of a series; none without rows.
    #[must_use]
    pub fn span(&self) -> Option<(Millis, Millis)> {
        let chunks = || self.series.iter().flat_map(|part| &part.chunks);
        chunks().map(|chunk| chunk.first).min().zip(chunks().map(|chunk| chunk.last).max())
    }

    /// The bytes of the object.
    ///
    /// # Errors
    /// A failure to write JSON.
    pub(crate) fn seal(&self) -> serde_json::Result<Vec<u8>> {
        let text = serde_json::value::to_raw_value(self)?;
        let mut bytes = serde_json::to_vec(&Sealed { sha256: checksum(text.get().as_bytes()), manifest: &text })?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads the bytes of the object with this key, which is to be the manifest of the backup with this name.
    ///
    /// # Errors
    /// [`Error::Manifest`] if it was truncated, edited or swapped, [`Error::Format`] if another version of the program
    /// wrote it.
    pub fn read(key: &str, name: &BackupName, bytes: &[u8]) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Head {
            format: u64,
        }
        let fail = |reason| Error::Manifest { key: key.to_owned(), reason };
        let unread = |error: serde_json::Error| fail(format!("was truncated or edited: {error}"));
        let Sealed { sha256, manifest } = serde_json::from_slice(bytes).map_err(unread)?;
        if checksum(manifest.get().as_bytes()) != sha256 {
            return Err(fail("was edited: it does not have the SHA-256 that it states".to_owned()));
        }
        let Head { format } = serde_json::from_str(manifest.get()).map_err(unread)?;
        if format != FORMAT {
            return Err(Error::Format { key: key.to_owned(), found: format });
        }
        let manifest: Self = serde_json::from_str(manifest.get()).map_err(unread)?;
        if manifest.name != *name {
            return Err(fail(format!("was swapped: it is the manifest of backup `{}`", manifest.name)));
        }
        Ok(manifest)
    }
}

/// Anybody may have written the numbers of a manifest.
fn sum(numbers: impl Iterator<Item = u64>) -> u64 {
    numbers.fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            format: FORMAT,
            name: "nightly".parse().unwrap(),
            program: "0.1.0".to_owned(),
            created: 1_722_470_400_000,
            limits: Limits { symbols: vec!["币安人生USDT".parse().unwrap()], range: TimeRange::new(0, 9).ok() },
            series: Vec::new(),
            workflows: Vec::new(),
            graphs: Vec::new(),
            predictions: Vec::new(),
            gaps: vec![],
            models: Vec::new(),
            left_out: vec!["a \"quoted\" word".to_owned()],
        }
    }

    fn read(bytes: &[u8]) -> Result<Manifest, Error> {
        Manifest::read("key", &manifest().name, bytes)
    }

    #[test]
    fn every_edit_of_a_byte_and_every_truncation_is_refused() {
        let bytes = manifest().seal().unwrap();
        assert_eq!(read(&bytes).unwrap(), manifest());
        for length in 0..bytes.len() - 1 {
            assert!(matches!(read(&bytes[..length]), Err(Error::Manifest { .. })), "{length} bytes");
        }
        for place in 0..bytes.len() - 1 {
            let mut edited = bytes.clone();
            edited[place] ^= 1;
            let outcome = read(&edited);
            assert!(matches!(outcome, Err(Error::Manifest { .. })), "byte {place}: {outcome:?}");
        }
    }

    #[test]
    fn another_format_and_another_name_are_told() {
        let newer = Manifest { format: FORMAT + 1, ..manifest() }.seal().unwrap();
        assert!(matches!(read(&newer), Err(Error::Format { found, .. }) if found == FORMAT + 1));
        let other = Manifest { name: "other".parse().unwrap(), ..manifest() }.seal().unwrap();
        let Err(Error::Manifest { reason, .. }) = read(&other) else { panic!("it was taken for another backup") };
        assert!(reason.contains("`other`"), "{reason}");
    }
}
