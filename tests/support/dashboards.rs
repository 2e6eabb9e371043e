//! Every expression of `monitoring/`: those of the dashboards' panels and those of the alerts.

use std::{fs, path::Path};

use serde_json::Value;

/// An expression and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Expression {
    /// File and title or name, for a complaint.
    pub(crate) place: String,
    pub(crate) text: String,
}

/// The folder of the repository.
fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../monitoring")
}

/// The dashboards by file, ascending.
pub(crate) fn dashboards() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder().join("dashboards")).expect("the folder is there") {
        let path = entry.expect("the folder is readable").path();
        let name = path.file_name().expect("a file").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("dashboards are text");
        found.push((name, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))));
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// The documents of the manifests by file, without the kustomization.
pub(crate) fn manifests() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for name in ["alerts.yaml", "data-plane.yaml", "pods.yaml"] {
        let text = fs::read_to_string(folder().join(name)).expect("manifests are text");
        let documents: Vec<Value> =
            serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        found.extend(documents.into_iter().map(|document| (format!("monitoring/{name}"), document)));
    }
    found
}

/// The expressions of a dashboard's panels, with a minute for Grafana's interval.
pub(crate) fn panels((file, dashboard): &(String, Value)) -> Vec<Expression> {
    let mut found = Vec::new();
    for panel in list(&dashboard["panels"]) {
        for target in list(&panel["targets"]) {
            let place = format!("{file}: {}", text(&panel["title"]));
            found.push(Expression { place, text: text(&target["expr"]).replace("$__rate_interval", "1m") });
        }
    }
    found
}

/// The alerts of all rules.
pub(crate) fn alerts() -> Vec<Value> {
    let rules = manifests().into_iter().filter(|(_, document)| document["kind"] == "PrometheusRule");
    let groups = rules.flat_map(|(_, document)| list(&document["spec"]["groups"]).to_vec());
    groups.flat_map(|group| list(&group["rules"]).to_vec()).collect()
}

/// The expression of an alert.
pub(crate) fn expression(alert: &Value) -> Expression {
    Expression { place: text(&alert["alert"]).to_owned(), text: text(&alert["expr"]).to_owned() }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
