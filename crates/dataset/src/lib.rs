//! From bars to what a model learns from and is judged by: features, targets, splits, baselines, scores.
//!
//! Trainer and predictor take the same path: [`Panel`] aligns the bars of all symbols, [`Features`] and [`Targets`]
//! are computed from it, [`Dataset`] joins them, [`walk_forward`] cuts it in time. What a model must beat stands in
//! [`baseline`], what came out in [`Scores`], and what has to be known to use a model in [`Card`].
//!
//! Everything here is pure. A value of a bar reads that bar and earlier ones, in an order of additions that depends on
//! nothing else, so that the features of the last bar alone are bit for bit those of the whole series.

pub mod baseline;
mod card;
mod dataset;
mod definition;
mod error;
mod features;
#[cfg(test)]
mod leakage;
mod normalisation;
mod panel;
mod realised;
mod returns;
mod scores;
mod split;
#[cfg(test)]
mod synthetic;
mod targets;
mod window;

pub use card::{Card, CardFold, OnnxTensor, TrainingSettings};
pub use dataset::{Cell, Dataset};
pub use definition::{Definition, Windows};
pub use error::Error;
pub use features::{Feature, Features, volatility_of_logarithm};
pub use normalisation::{Normalisation, Scale};
pub use panel::{Panel, SymbolBars};
pub use realised::Realised;
pub use returns::LARGEST_RETURN;
pub use scores::{DirectionLoss, Forecast, Score, Scores, Verdict, VolatilityLoss};
pub use split::{FRACTIONS, Fold, walk_forward};
pub use targets::{Direction, Targets};
