//! Predictions of models: versioned batches in, pages in the order of their identity out.

use async_trait::async_trait;
use streamforge_events::{Interval, ModelName, ModelVersion, Prediction, Split, Symbol, TimeRange};

use crate::{BatchReport, Error, Versioned, series::values};

/// Which predictions to read; what is not given matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PredictionQuery {
    /// Only those of this model.
    pub model: Option<ModelName>,
    /// Only those of this version.
    pub version: Option<ModelVersion>,
    /// Only those for this symbol.
    pub symbol: Option<Symbol>,
    /// Only those for bars of this interval.
    pub interval: Option<Interval>,
    /// Only those made for this.
    pub split: Option<Split>,
    /// Only those whose bar opens in this range.
    pub range: Option<TimeRange>,
}

/// Predictions, each under its model, version, symbol, interval, open time, horizon and split.
#[async_trait]
pub trait PredictionStore: Send + Sync {
    /// Stores predictions and answers once they are on the disk.
    ///
    /// One that [`Prediction::check`] refuses is rejected, the others are stored.
    ///
    /// # Errors
    /// Only what befell the whole batch.
    async fn upsert_predictions(&self, rows: &[Versioned<Prediction>]) -> Result<BatchReport, Error>;

    /// Reads at most `max` predictions after the one given, ascending by model, version, split, symbol, interval,
    /// horizon and open time; names in the order of their bytes.
    ///
    /// Fewer than `max` means that there are no more.
    ///
    /// # Errors
    /// A failure of the store.
    async fn read_versioned_predictions(
        &self,
        query: &PredictionQuery,
        after: Option<&Prediction>,
        max: usize,
    ) -> Result<Vec<Versioned<Prediction>>, Error>;

    /// Reads predictions as [`Self::read_versioned_predictions`] does, without the versions they are stored under.
    ///
    /// # Errors
    /// As [`Self::read_versioned_predictions`].
    async fn read_predictions(
        &self,
        query: &PredictionQuery,
        after: Option<&Prediction>,
        max: usize,
    ) -> Result<Vec<Prediction>, Error> {
        Ok(values(self.read_versioned_predictions(query, after, max).await?))
    }
}
