//! Payload of `model.trained`: a version of a model was published, and how well it did.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Interval, Millis, ModelName, ModelVersion, QueueId, Symbol};

/// A version of a model that was trained and published.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelTrained {
    /// The workflow that asked for it.
    pub queue_id: QueueId,
    /// The model.
    pub model: ModelName,
    /// Its version.
    pub version: ModelVersion,
    /// When it was made, as its card says.
    pub created: Millis,
    /// The symbols that it knows.
    pub symbols: Vec<Symbol>,
    /// Interval of the bars that it was trained on.
    pub interval: Interval,
    /// The graph that it was trained on.
    pub graph: String,
    /// How well it and the baselines did on bars that its training left out, as its card says.
    pub scores: Value,
}
