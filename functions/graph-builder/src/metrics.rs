//! What the function counts: live correlations that were not those of their window.

use prometheus_client::{metrics::counter::Counter, registry::Registry};

/// The function's own metrics; clones share them.
#[derive(Clone, Default)]
pub(crate) struct Metrics {
    /// Times that the correlations of a live graph were others than those that were computed anew.
    pub(crate) mismatches: Counter,
}

impl Metrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let help = "Live graphs whose correlations were not those of their window, and were built anew";
        registry.register("graph_builder_live_graph_mismatches", help, self.mismatches.clone());
    }
}
