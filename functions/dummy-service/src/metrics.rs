//! The dummy's own metrics, under the names that its users know.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

type Labels = [(&'static str, &'static str); 1];

/// Counters of what came in and what was said.
#[derive(Default)]
pub(crate) struct Metrics {
    events: Family<Labels, Counter>,
    pings: Counter,
    pongs: Counter,
    last_status: Family<Labels, Gauge>,
}

impl Metrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register("dummy_events", "Commands received, by command", self.events.clone());
        registry.register("dummy_pings", "Pings received", self.pings.clone());
        registry.register("dummy_pongs", "Pongs sent", self.pongs.clone());
        let help = "1 for the status reported last, else 0";
        registry.register("dummy_status_last", help, self.last_status.clone());
    }

    /// Counts a command.
    pub(crate) fn event(&self, command: &'static str) {
        self.events.get_or_create(&[("event", command)]).inc();
        if command == "ping" {
            self.pings.inc();
        }
    }

    pub(crate) fn pong(&self) {
        self.pongs.inc();
    }

    /// Notes the status reported last.
    pub(crate) fn status(&self, status: &'static str) {
        for other in ["started", "loading", "finished", "interrupted", "error", "pong"] {
            self.last_status.get_or_create(&[("status", other)]).set(i64::from(other == status));
        }
    }
}
