//! The state of a fit between two epochs, as bytes that tell when they are damaged.

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::weights::Weights;

/// All that a fit needs to go on as if it had never been interrupted.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    pub(crate) weights: Vec<f32>,
    pub(crate) best: Vec<f32>,
    pub(crate) first: Vec<f32>,
    pub(crate) second: Vec<f32>,
    pub(crate) steps: i32,
    pub(crate) best_loss: f64,
    pub(crate) epochs_since_best: usize,
    pub(crate) next_epoch: usize,
}

/// Why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The bytes are not those that were written.
    #[error("the checkpoint is damaged: {0}")]
    Damaged(String),
    /// It was written by another fit.
    #[error("the checkpoint belongs to another fit: {0}")]
    Other(String),
}

/// The numbers beside the vectors.
#[derive(Serialize, Deserialize)]
struct Numbers {
    /// What the fit was of; two fits that differ in anything differ in it.
    fit: String,
    steps: i32,
    /// Bits of the loss, since JSON knows no infinity.
    best_loss: u64,
    epochs_since_best: usize,
    next_epoch: usize,
}

const NUMBERS: &str = "numbers";

impl Checkpoint {
    /// The epochs that it covers.
    #[must_use]
    pub fn epochs(&self) -> usize {
        self.next_epoch
    }

    /// Writes it down; `fit` says what was fitted on what.
    ///
    /// # Errors
    /// [`CheckpointError::Damaged`] if it cannot be written.
    pub fn to_bytes(&self, fit: &str) -> Result<Vec<u8>, CheckpointError> {
        let damaged = |error: &dyn std::fmt::Display| CheckpointError::Damaged(error.to_string());
        let numbers = Numbers {
            fit: fit.to_owned(),
            steps: self.steps,
            best_loss: self.best_loss.to_bits(),
            epochs_since_best: self.epochs_since_best,
            next_epoch: self.next_epoch,
        };
        let numbers = serde_json::to_vec(&numbers).map_err(|error| damaged(&error))?;
        let vectors =
            [("weights", &self.weights), ("best", &self.best), ("first", &self.first), ("second", &self.second)];
        let vectors = vectors.map(|(name, values)| {
            (name, values.len(), values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
        });
        let mut views = Vec::new();
        for (name, length, bytes) in &vectors {
            views.push((*name, TensorView::new(Dtype::F32, vec![*length], bytes).map_err(|error| damaged(&error))?));
        }
        let view = TensorView::new(Dtype::U8, vec![numbers.len()], &numbers).map_err(|error| damaged(&error))?;
        views.push((NUMBERS, view));
        let mut bytes = safetensors::serialize(views, &None).map_err(|error| damaged(&error))?;
        let checksum = Sha256::digest(&bytes);
        bytes.extend_from_slice(&checksum);
        Ok(bytes)
    }

    /// Reads what [`Self::to_bytes`] wrote of the same fit.
    ///
    /// # Errors
    /// [`CheckpointError`] if the bytes are damaged or of another fit.
    pub fn from_bytes(bytes: &[u8], fit: &str) -> Result<Self, CheckpointError> {
        let damaged = |error: &dyn std::fmt::Display| CheckpointError::Damaged(error.to_string());
        let (bytes, checksum) = bytes.split_last_chunk::<32>().ok_or_else(|| damaged(&"it is too short"))?;
        if Sha256::digest(bytes)[..] != checksum[..] {
            return Err(damaged(&"its checksum does not fit"));
        }
        let file = SafeTensors::deserialize(bytes).map_err(|error| damaged(&error))?;
        let vector = |name: &str| {
            let view = file.tensor(name).map_err(|error| damaged(&error))?;
            Ok(view.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
        };
        let numbers = file.tensor(NUMBERS).map_err(|error| damaged(&error))?;
        let numbers: Numbers = serde_json::from_slice(numbers.data()).map_err(|error| damaged(&error))?;
        if numbers.fit != fit {
            return Err(CheckpointError::Other(format!("`{}`, not `{fit}`", numbers.fit)));
        }
        Ok(Self {
            weights: vector("weights")?,
            best: vector("best")?,
            first: vector("first")?,
            second: vector("second")?,
            steps: numbers.steps,
            best_loss: f64::from_bits(numbers.best_loss),
            epochs_since_best: numbers.epochs_since_best,
            next_epoch: numbers.next_epoch,
        })
    }

    pub(crate) fn check_fits(&self, weights: &Weights) -> Result<(), CheckpointError> {
        let wanted = weights.flat.numel();
        match [&self.weights, &self.best, &self.first, &self.second].iter().find(|vector| vector.len() != wanted) {
            None => Ok(()),
            Some(vector) => Err(CheckpointError::Other(format!("{} weights, not {wanted}", vector.len()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        let vector = |first: f32| vec![first, 2.0, f32::MIN_POSITIVE];
        let (weights, best, first, second) = (vector(0.1), vector(0.2), vector(-0.0), vector(1e-38));
        let best_loss = f64::INFINITY;
        Checkpoint { weights, best, first, second, steps: 7, best_loss, epochs_since_best: 1, next_epoch: 3 }
    }

    #[test]
    fn a_checkpoint_comes_back_to_the_bit() {
        let bytes = checkpoint().to_bytes("a").unwrap();
        assert_eq!(Checkpoint::from_bytes(&bytes, "a").unwrap(), checkpoint());
        assert!(matches!(Checkpoint::from_bytes(&bytes, "b"), Err(CheckpointError::Other(_))));
    }

    #[test]
    fn damage_is_noticed_wherever_it_is() {
        let bytes = checkpoint().to_bytes("a").unwrap();
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 0x10;
            assert!(Checkpoint::from_bytes(&damaged, "a").is_err(), "byte {place}");
            assert!(Checkpoint::from_bytes(&bytes[..place], "a").is_err(), "{place} bytes");
        }
    }
}
