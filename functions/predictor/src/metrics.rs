//! What the function counts: predictions, the network's time, and versions that had to be passed over.

use prometheus_client::{
    metrics::{
        counter::Counter,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

/// The function's own metrics; cheap to clone.
#[derive(Clone)]
pub(crate) struct Metrics {
    /// Predictions that were stored.
    pub(crate) predictions: Counter,
    /// How long the network took for one batch of rows.
    pub(crate) inference: Histogram,
    /// Bars that an earlier version served.
    pub(crate) passed_over: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        // From a few rows of a small network to a batch of a large one.
        let inference = Histogram::new(exponential_buckets(0.000_05, 2.0, 14));
        Self { predictions: Counter::default(), inference, passed_over: Counter::default() }
    }
}

impl Metrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let help = "Predictions stored";
        registry.register("predictor_predictions", help, self.predictions.clone());
        let help = "Time that the network took for one batch of rows";
        registry.register_with_unit("predictor_inference_duration", help, Unit::Seconds, self.inference.clone());
        let help = "New bars served by an earlier version because the one in use could not be used";
        registry.register("predictor_versions_passed_over", help, self.passed_over.clone());
    }
}
