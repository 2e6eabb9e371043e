//! Trains graph neural networks on stored series: network, training, checkpoints, ONNX.
//!
//! This is the only crate that knows libtorch. What it learns from comes as plain arrays from `streamforge-dataset`;
//! what it makes leaves as bytes, so that nobody who serves a model needs libtorch.

pub mod accelerator;
mod architecture;
mod checkpoint;
mod experiment;
mod fits;
pub mod job;
mod network;
mod onnx;
mod optimiser;
mod plan;
mod relations;
mod samples;
mod training;
mod weights;

pub use architecture::{Aggregation, Architecture, Temporal};
pub use checkpoint::{Checkpoint, CheckpointError};
pub use experiment::{Journal, Progress, TrainError, Trained, train};
pub use network::{Network, Outputs};
pub use onnx::{Export, model_bytes};
pub use plan::Plan;
pub use samples::{Direction, Samples, SamplesError};
pub use training::{Decision, Epoch, Fit, Predicted, Rows, Settings, Stopped, Watch, predict};
pub use weights::{Weights, WeightsError};
