//! What was found and done, counted by fixed reasons; a healer that cannot look counts that.

use prometheus_client::{
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

use crate::{
    plan::{Finding, Remedy},
    reason::Reason,
};

type Labels<const N: usize> = [(&'static str, &'static str); N];

/// What is done, as a label.
const ACTIONS: [&str; 4] = ["noticed", "replaced", "repeated", "gave_up"];

/// The healer's metrics; cheap to clone.
#[derive(Clone)]
pub(crate) struct Metrics {
    findings: Family<Labels<2>, Counter>,
    looks: Family<Labels<1>, Counter>,
}

impl Default for Metrics {
    /// All series are there from the start, so that the first of each is an increase.
    fn default() -> Self {
        let metrics = Self { findings: Family::default(), looks: Family::default() };
        for reason in Reason::ALL {
            for action in ACTIONS {
                drop(metrics.findings.get_or_create(&[("reason", reason.as_str()), ("action", action)]));
            }
        }
        for outcome in ["done", "failed"] {
            drop(metrics.looks.get_or_create(&[("outcome", outcome)]));
        }
        metrics
    }
}

impl Metrics {
    pub(crate) fn found(&self, finding: &Finding) {
        let action = match finding.remedy {
            Remedy::Say => ACTIONS[0],
            Remedy::Replace { .. } => ACTIONS[1],
            Remedy::Repeat { .. } => ACTIONS[2],
            Remedy::GiveUp { .. } => ACTIONS[3],
        };
        self.findings.get_or_create(&[("reason", finding.reason.as_str()), ("action", action)]).inc();
    }

    pub(crate) fn looked(&self, is_done: bool) {
        self.looks.get_or_create(&[("outcome", if is_done { "done" } else { "failed" })]).inc();
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "self_healer_findings",
            "Stuck things found and dealt with, by reason and action",
            self.findings.clone(),
        );
        registry.register("self_healer_looks", "Looks at the cluster, by outcome", self.looks.clone());
    }
}
