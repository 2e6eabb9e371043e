//! What the platform itself counts, served by the ingress at `/metrics` in the `OpenMetrics` text format.
//!
//! # Source
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/#text-format>

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

use axum::{
    Router,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
    routing::get,
};
use streamforge_bus::{Bus, GroupOffset};
use tracing::warn;

/// Name of the counter of records that were gone before their group came to them.
pub const RECORDS_LOST: &str = "streamforge_records_lost_total";

/// Serves `GET /metrics` and nothing else.
pub(crate) fn router(bus: Arc<dyn Bus>) -> Router {
    Router::new().route("/metrics", get(move || scrape(Arc::clone(&bus))))
}

async fn scrape(bus: Arc<dyn Bus>) -> Response {
    match bus.groups().await {
        Ok(groups) => {
            let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(CONTENT_TYPE, content_type)], encode(&groups)).into_response()
        }
        Err(error) => {
            warn!(%error, "lost records could not be counted");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

fn encode(groups: &[GroupOffset]) -> String {
    let mut lost: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for offset in groups {
        *lost.entry((&offset.group, &offset.topic)).or_default() += offset.lost;
    }
    let family = RECORDS_LOST.trim_end_matches("_total");
    let help = "Records that were gone before their group came to them.";
    let mut text = format!("# HELP {family} {help}\n# TYPE {family} counter\n");
    for ((group, topic), count) in lost {
        // Writing to a string never fails.
        writeln!(text, "{RECORDS_LOST}{{group=\"{}\",topic=\"{}\"}} {count}", escaped(group), escaped(topic)).ok();
    }
    text + "# EOF\n"
}

fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use streamforge_bus::{SqliteBus, TopicConfig};

    use super::*;

    #[tokio::test]
    async fn lost_records_are_counted_over_all_partitions() {
        let folder = tempfile::tempdir().unwrap();
        let bus = Arc::new(SqliteBus::open(&folder.path().join("bus.db")).unwrap());
        bus.create_topic("t", &TopicConfig { partitions: 2, ..TopicConfig::default() }).await.unwrap();
        for (partition, lost) in [(0, 5), (1, 2)] {
            bus.commit("g\"", "t", partition, 0).await.unwrap();
            bus.record_loss("g\"", "t", partition, 0, lost).await.unwrap();
        }
        let answer = scrape(bus).await;
        let body = axum::body::to_bytes(answer.into_body(), 1000).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(text.contains("\nstreamforge_records_lost_total{group=\"g\\\"\",topic=\"t\"} 7\n# EOF\n"), "{text}");
    }
}
