//! The content of a version and what its card has to say to the registry.

use serde::Deserialize;
use streamforge_events::{Millis, ModelName, ModelVersion};

use super::ModelFile;
use crate::Error;

/// The content of a version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelFiles {
    /// The network as ONNX, for prediction.
    pub onnx: Vec<u8>,
    /// The network's weights as safetensors, for training on.
    pub weights: Vec<u8>,
    /// The card, a JSON object; see [`ModelCard`] for what it must say.
    pub card: Vec<u8>,
}

/// What the registry reads of a card.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ModelCard {
    /// The model.
    pub name: ModelName,
    /// The version.
    pub version: ModelVersion,
    /// When it was made; of two versions the later one is the newer.
    pub created: Millis,
}

impl ModelFiles {
    /// The content of one file.
    #[must_use]
    pub fn get(&self, file: ModelFile) -> &[u8] {
        match file {
            ModelFile::Onnx => &self.onnx,
            ModelFile::Weights => &self.weights,
            ModelFile::Card => &self.card,
        }
    }

    /// Reads of the card what the registry has to know.
    ///
    /// # Errors
    /// [`Error::Card`] if it is no JSON object or lacks one of it.
    pub fn card(&self) -> Result<ModelCard, Error> {
        serde_json::from_slice(&self.card).map_err(|error| Error::Card(error.to_string()))
    }

    pub(super) fn set(&mut self, file: ModelFile, bytes: Vec<u8>) {
        match file {
            ModelFile::Onnx => self.onnx = bytes,
            ModelFile::Weights => self.weights = bytes,
            ModelFile::Card => self.card = bytes,
        }
    }
}
