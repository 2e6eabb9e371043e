//! Prometheus beside the cluster: it finds the pods by the API server and asks each for its metrics.
//!
//! # Source
//! <https://prometheus.io/docs/prometheus/latest/configuration/configuration/#kubernetes_sd_config>

use anyhow::Result;
use serde_json::{Value, json};

use crate::{
    component::{Component, Ready, write},
    layout::{HOST, Layout, OPEN_PORTS},
};

/// Where it answers, for the host and for pods.
pub(crate) const ADDRESS: &str = "10.244.0.1:19090";

/// How often metrics are asked for: pods live for seconds here.
const INTERVAL: &str = "2s";

pub(crate) fn prometheus(layout: &Layout) -> Result<Component> {
    let [_, rollouts, ..] = OPEN_PORTS;
    let settings = json!({
        "global": {"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL, "evaluation_interval": INTERVAL},
        "scrape_configs": [
            {
                "job_name": "pods",
                "kubernetes_sd_configs": [{"role": "pod", "kubeconfig_file": layout.kubeconfig()}],
                "relabel_configs": pods(),
            },
            {"job_name": "keda-operator", "static_configs": [{"targets": ["127.0.0.1:18080"]}]},
            {"job_name": "argo-rollouts", "static_configs": [{"targets": [format!("{HOST}:{rollouts}")]}]},
        ],
    });
    // What is JSON is YAML.
    let path = write(layout, "prometheus.json", &settings.to_string())?;
    let arguments = [
        layout.program("prometheus/prometheus"),
        format!("--config.file={path}"),
        format!("--storage.tsdb.path={}", layout.text("prometheus")),
        format!("--web.listen-address={ADDRESS}"),
    ];
    Ok(Component { name: "prometheus", arguments: arguments.to_vec(), ready: Ready::Listens(ADDRESS) })
}

/// Which pods are asked, and what of them becomes labels: as the pod monitors of `monitoring/` say it.
fn pods() -> Value {
    let pod = "__meta_kubernetes_pod";
    let label = |from: &str, to: &str| json!({"source_labels": [format!("{pod}_{from}")], "target_label": to});
    json!([
        {"source_labels": [format!("{pod}_container_port_name")], "regex": "metrics", "action": "keep"},
        {"source_labels": [format!("{pod}_phase")], "regex": "Pending|Succeeded|Failed|Unknown", "action": "drop"},
        {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
        label("name", "pod"),
        label("container_name", "container"),
        label("label_app_kubernetes_io_name", "app_kubernetes_io_name"),
        label("label_rollouts_pod_template_hash", "rollouts_pod_template_hash"),
    ])
}
