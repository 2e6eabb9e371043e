//! What the platform itself counts: events taken and delivered, and how its consumer groups stand.
//!
//! The ingress serves it at `/metrics` in the `OpenMetrics` text format. Label values are names of objects and words of
//! fixed sets, so that no event can make the number of series grow.
//!
//! # Source
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/#text-format>

mod groups;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    http::header::CONTENT_TYPE,
    response::{IntoResponse as _, Response},
    routing::get,
};
use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Metric, Registry},
};
use streamforge_bus::Bus;
use streamforge_function::MetricDescription;
use tracing::warn;

use self::groups::Groups;
use crate::manifest::ObjectName;

/// The metrics of the platform, as they are scraped.
pub const METRICS: &[MetricDescription] = &[TAKEN, DELIVERIES, RETRIES, COLD_START, groups::LAG, groups::LOST];

const TAKEN: MetricDescription = MetricDescription {
    name: "streamforge_ingress_events_total",
    labels: &["broker", "outcome"],
    description: "Events posted, by Broker (`unknown` for none) and outcome: `accepted`, `refused`, `failed`",
};
const DELIVERIES: MetricDescription = MetricDescription {
    name: "streamforge_deliveries_total",
    labels: &["trigger", "outcome"],
    description: "Events brought to their end, by Trigger and outcome: `delivered`, `dead_lettered`, `dropped`",
};
const RETRIES: MetricDescription = MetricDescription {
    name: "streamforge_delivery_retries_total",
    labels: &["trigger"],
    description: "Deliveries that failed and are tried again",
};
const COLD_START: MetricDescription = MetricDescription {
    name: "streamforge_cold_start_seconds",
    labels: &["trigger"],
    description: "Time from a delivery that found no worker to the first answer of one",
};

/// From the start of a process on a laptop to the last retries of a Trigger, in seconds.
const BUCKETS: [f64; 13] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 6.0, 8.0, 12.0, 20.0, 60.0, 300.0];

type Labels<const N: usize> = [(&'static str, String); N];

/// What one process counts; clones share it.
#[derive(Clone, Debug)]
pub struct Metrics {
    taken: Family<Labels<2>, Counter>,
    deliveries: Family<Labels<2>, Counter>,
    retries: Family<Labels<1>, Counter>,
    cold_start: Family<Labels<1>, Histogram>,
}

/// What became of a posted event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// The log has it.
    Accepted,
    /// It is no event, or its Broker is not known.
    Refused,
    /// The log did not take it.
    Failed,
}

/// The part of the metrics that is one Trigger's.
#[derive(Clone, Debug)]
pub(crate) struct TriggerMetrics {
    pub(crate) delivered: Counter,
    pub(crate) dead_lettered: Counter,
    pub(crate) dropped: Counter,
    pub(crate) retries: Counter,
    cold_start: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            taken: Family::default(),
            deliveries: Family::default(),
            retries: Family::default(),
            cold_start: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
        }
    }
}

impl Metrics {
    /// Counts a posted event; `broker` is none where there is no such Broker.
    pub(crate) fn taken(&self, broker: Option<&str>, outcome: Taken) {
        let outcome = match outcome {
            Taken::Accepted => "accepted",
            Taken::Refused => "refused",
            Taken::Failed => "failed",
        };
        let broker = broker.unwrap_or("unknown");
        self.taken.get_or_create(&[("broker", broker.to_owned()), ("outcome", outcome.to_owned())]).inc();
    }

    /// What is counted for a Trigger; it is scraped as zero from now on, so that its first event is an increase.
    pub(crate) fn of_trigger(&self, trigger: &ObjectName) -> TriggerMetrics {
        let trigger = [("trigger", trigger.to_string())];
        let deliveries = |outcome: &str| {
            let labels = [trigger[0].clone(), ("outcome", outcome.to_owned())];
            self.deliveries.get_or_create(&labels).clone()
        };
        TriggerMetrics {
            delivered: deliveries("delivered"),
            dead_lettered: deliveries("dead_lettered"),
            dropped: deliveries("dropped"),
            retries: self.retries.get_or_create(&trigger).clone(),
            cold_start: self.cold_start.get_or_create(&trigger).clone(),
        }
    }

    fn register(&self, registry: &mut Registry) {
        register(registry, TAKEN, self.taken.clone());
        register(registry, DELIVERIES, self.deliveries.clone());
        register(registry, RETRIES, self.retries.clone());
        register(registry, COLD_START, self.cold_start.clone());
    }
}

impl TriggerMetrics {
    /// Notes how long a worker was waited for that was not there.
    pub(crate) fn cold_start(&self, waited: Duration) {
        self.cold_start.observe(waited.as_secs_f64());
    }
}

/// Serves `GET /metrics` and nothing else.
pub fn router(bus: Arc<dyn Bus>, metrics: Metrics) -> Router {
    let groups = Arc::new(Groups::new(bus));
    Router::new().route("/metrics", get(async move || scrape(&groups, &metrics).await))
}

/// Everything that is known; without the groups while the log does not answer.
async fn scrape(groups: &Arc<Groups>, metrics: &Metrics) -> Response {
    let mut registry = Registry::default();
    metrics.register(&mut registry);
    groups.register(&mut registry).await;
    let mut text = String::new();
    // Writing to a string fails only where a metric's own encoding does; what was written so far still stands.
    if encode(&mut text, &registry).is_err() {
        warn!("metrics were encoded in part");
    }
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, content_type)], text).into_response()
}

/// The encoder writes the `_total` of a counter itself.
fn register(registry: &mut Registry, metric: MetricDescription, value: impl Metric) {
    registry.register(metric.name.trim_end_matches("_total"), metric.description, value);
}

#[cfg(test)]
mod tests {
    use streamforge_bus::{Record, SqliteBus, TopicConfig};

    use super::*;

    async fn text(bus: Arc<dyn Bus>, metrics: &Metrics) -> String {
        let answer = scrape(&Arc::new(Groups::new(bus)), metrics).await;
        let body = axum::body::to_bytes(answer.into_body(), 100_000).await.unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_trigger_is_scraped_before_its_first_event() {
        let folder = tempfile::tempdir().unwrap();
        let bus: Arc<dyn Bus> = Arc::new(SqliteBus::open(&folder.path().join("bus.db")).unwrap());
        let metrics = Metrics::default();
        let trigger = metrics.of_trigger(&ObjectName::new("n", "t"));
        let before = text(Arc::clone(&bus), &metrics).await;
        for outcome in ["delivered", "dead_lettered", "dropped"] {
            let series = format!("\nstreamforge_deliveries_total{{trigger=\"n/t\",outcome=\"{outcome}\"}} 0\n");
            assert!(before.contains(&series), "{before}");
        }
        trigger.delivered.inc();
        trigger.cold_start(Duration::from_secs(3));
        metrics.taken(Some("n/b"), Taken::Accepted);
        metrics.taken(None, Taken::Refused);
        let after = text(Arc::clone(&bus), &metrics).await;
        for series in [
            "streamforge_deliveries_total{trigger=\"n/t\",outcome=\"delivered\"} 1",
            "streamforge_cold_start_seconds_bucket{le=\"4.0\",trigger=\"n/t\"} 1",
            "streamforge_cold_start_seconds_bucket{le=\"2.0\",trigger=\"n/t\"} 0",
            "streamforge_ingress_events_total{broker=\"n/b\",outcome=\"accepted\"} 1",
            "streamforge_ingress_events_total{broker=\"unknown\",outcome=\"refused\"} 1",
        ] {
            assert!(after.contains(&format!("\n{series}\n")), "{series}: {after}");
        }
        assert!(after.ends_with("# EOF\n"), "{after}");
    }

    #[tokio::test]
    async fn groups_are_told_over_all_partitions() {
        let folder = tempfile::tempdir().unwrap();
        let bus: Arc<dyn Bus> = Arc::new(SqliteBus::open(&folder.path().join("bus.db")).unwrap());
        bus.create_topic("t", &TopicConfig { partitions: 2, ..TopicConfig::default() }).await.unwrap();
        for key in 0..20 {
            let record = Record { key: Some(format!("key {key}").into_bytes()), ..Record::default() };
            bus.publish("t", record).await.unwrap();
        }
        for (partition, lost) in [(0, 5), (1, 2)] {
            bus.commit("g\"", "t", partition, 1).await.unwrap();
            bus.record_loss("g\"", "t", partition, 0, lost).await.unwrap();
        }
        let text = text(bus, &Metrics::default()).await;
        for series in [
            "streamforge_consumer_group_lag{group=\"g\\\"\",topic=\"t\"} 18",
            "streamforge_records_lost_total{group=\"g\\\"\",topic=\"t\"} 7",
        ] {
            assert!(text.contains(&format!("\n{series}\n")), "{series}: {text}");
        }
    }
}
