//! Every metric of the host: name, labels, description, and the registry that serves them.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// One metric as it is scraped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricDescription {
    /// Full name.
    pub name: &'static str,
    /// Its labels besides `function`.
    pub labels: &'static [&'static str],
    /// What it says, with the unit.
    pub description: &'static str,
}

/// The metrics of every function; label values come from fixed sets.
pub const METRICS: &[MetricDescription] = &[EVENTS, DURATION, IN_FLIGHT, PUBLISHED, BUILD, START_TO_READY];

const EVENTS: MetricDescription = MetricDescription {
    name: "streamforge_events_total",
    labels: &["type", "outcome"],
    description: "Events answered, by type (`other` for unknown ones) and outcome (`DONE` or the reason code)",
};
const DURATION: MetricDescription = MetricDescription {
    name: "streamforge_handler_duration_seconds",
    labels: &["type"],
    description: "Time from the parsed event to its last acknowledged output",
};
const IN_FLIGHT: MetricDescription =
    MetricDescription { name: "streamforge_events_in_flight", labels: &[], description: "Events at work" };
const PUBLISHED: MetricDescription = MetricDescription {
    name: "streamforge_events_published_total",
    labels: &[],
    description: "Events acknowledged by the broker",
};
const BUILD: MetricDescription = MetricDescription {
    name: "streamforge_build_info",
    labels: &["version"],
    description: "1, with the version as a label",
};
const START_TO_READY: MetricDescription = MetricDescription {
    name: "streamforge_start_to_ready_seconds",
    labels: &[],
    description: "Time from the start of the process to its readiness",
};

type Labels<const N: usize> = [(&'static str, &'static str); N];

/// The host's metrics of one process.
pub(crate) struct Metrics {
    registry: Mutex<Registry>,
    events: Family<Labels<2>, Counter>,
    duration: Family<Labels<1>, Histogram>,
    in_flight: Gauge,
    published: Counter,
    start_to_ready: Gauge<f64, std::sync::atomic::AtomicU64>,
}

impl Metrics {
    pub(crate) fn new(function: &'static str) -> Self {
        let metrics = Self {
            registry: Mutex::default(),
            events: Family::default(),
            duration: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            in_flight: Gauge::default(),
            published: Counter::default(),
            start_to_ready: Gauge::default(),
        };
        let build: Family<Labels<1>, Gauge> = Family::default();
        build.get_or_create(&[("version", env!("CARGO_PKG_VERSION"))]).set(1);
        metrics.with_registry(|registry| {
            let registry = registry.sub_registry_with_label(("function".into(), function.into()));
            register(registry, EVENTS, metrics.events.clone());
            register(registry, DURATION, metrics.duration.clone());
            register(registry, IN_FLIGHT, metrics.in_flight.clone());
            register(registry, PUBLISHED, metrics.published.clone());
            register(registry, BUILD, build);
            register(registry, START_TO_READY, metrics.start_to_ready.clone());
        });
        metrics
    }

    pub(crate) fn with_registry<T>(&self, work: impl FnOnce(&mut Registry) -> T) -> T {
        work(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn answered(&self, event_type: &'static str, outcome: &'static str) {
        self.events.get_or_create(&[("type", event_type), ("outcome", outcome)]).inc();
    }

    pub(crate) fn handled(&self, event_type: &'static str, duration: Duration) {
        self.duration.get_or_create(&[("type", event_type)]).observe(duration.as_secs_f64());
    }

    pub(crate) fn published(&self, count: usize) {
        self.published.inc_by(count as u64);
    }

    pub(crate) fn ready_after(&self, duration: Duration) {
        self.start_to_ready.set(duration.as_secs_f64());
    }

    /// Counts one event as in flight until the guard goes, also when its request is given up.
    pub(crate) fn enter(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }

    /// The scrape in `OpenMetrics` text format.
    pub(crate) fn scrape(&self) -> String {
        let mut text = String::new();
        // Writing to a string fails only where a metric's own encoding does; what was written so far still stands.
        if self.with_registry(|registry| encode(&mut text, registry)).is_err() {
            tracing::warn!("metrics were encoded in part");
        }
        text
    }
}

/// One event in flight.
pub(crate) struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// `GET /metrics` and nothing else.
pub(crate) fn router(scrape: impl Fn() -> String + Clone + Send + Sync + 'static) -> Router {
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Router::new().route("/metrics", get(async move || ([(CONTENT_TYPE, content_type)], scrape()).into_response()))
}

/// From a probe's answer to the deadline, in seconds.
const BUCKETS: [f64; 12] = [0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 20.0, 60.0, 300.0];

/// The encoder writes the `_total` of a counter itself.
fn register(registry: &mut Registry, metric: MetricDescription, value: impl prometheus_client::registry::Metric) {
    registry.register(metric.name.trim_end_matches("_total"), metric.description, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_declared_metric_is_scraped_under_its_name() {
        let metrics = Metrics::new("echo");
        metrics.answered("other", "DONE");
        metrics.handled("other", Duration::from_millis(3));
        let scrape = metrics.scrape();
        for metric in METRICS {
            assert!(scrape.contains(&format!("\n{}", metric.name)), "{}: {scrape}", metric.name);
        }
        assert!(scrape.contains(r#"streamforge_events_total{function="echo",type="other",outcome="DONE"} 1"#));
    }

    #[test]
    fn an_event_in_flight_is_counted_until_its_guard_goes() {
        let metrics = Metrics::new("echo");
        let guard = metrics.enter();
        assert!(metrics.scrape().contains("in_flight{function=\"echo\"} 1"));
        drop(guard);
        assert!(metrics.scrape().contains("in_flight{function=\"echo\"} 0"));
    }
}
