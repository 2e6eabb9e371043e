//! What the function counts: reports of trainings, and predictions of which it became known what came.

use prometheus_client::{metrics::counter::Counter, registry::Registry};

/// The function's own metrics; cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Metrics {
    /// Reports of trainings.
    pub(crate) reports: Counter,
    /// Predictions that were written.
    pub(crate) predictions: Counter,
    /// Those of them of which it is known what came.
    pub(crate) closed: Counter,
}

impl Metrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let help = "Reports of trainings written into the ledger";
        registry.register("bookkeeper_experiment_reports", help, self.reports.clone());
        let help = "Rows of predictions written into the ledger";
        registry.register("bookkeeper_predictions_written", help, self.predictions.clone());
        let help = "Rows of predictions written with what came";
        registry.register("bookkeeper_predictions_closed", help, self.closed.clone());
    }
}
