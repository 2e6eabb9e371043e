//! A platform of the diagnostic function alone, commands for it, and which of them were reported as finished.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Answer, Folder, Running};

const MANIFESTS: &str = "
{apiVersion: eventing.knative.dev/v1, kind: Broker, metadata: {name: burst, namespace: streamforge}}
---
{apiVersion: eventing.knative.dev/v1, kind: Broker, metadata: {name: queue-events, namespace: streamforge}}
---
{apiVersion: v1, kind: Service, metadata: {name: dummy-service, namespace: streamforge},
 spec: {selector: {app: dummy}, ports: [{port: 80, targetPort: 8080}]}}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: burst, namespace: streamforge}
spec:
  broker: burst
  subscriber: {ref: {apiVersion: v1, kind: Service, name: dummy-service}}
  delivery: {retry: 60, backoffPolicy: linear, backoffDelay: PT0.1S, timeout: PT60S}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: dummy-service, namespace: streamforge}
spec:
  selector: {matchLabels: {app: dummy}}
  template:
    metadata: {labels: {app: dummy}}
    spec: {containers: [{name: dummy-service, image: streamforge/dummy-service}]}
";

/// How many workers there are.
pub(crate) enum Workers<'a> {
    Always(u32),
    /// As a `ScaledObject` says.
    Scaled(&'a str),
}

/// Starts the platform, and returns it with the URL that takes commands.
pub(crate) fn start(folder: &Folder, workers: &Workers) -> (Running, String) {
    // The Deployment comes last, so that its `spec` goes on here.
    let more = match workers {
        Workers::Always(number) => format!("  replicas: {number}\n"),
        Workers::Scaled(scaled_object) => format!("---{scaled_object}"),
    };
    folder.write("manifests/knative/dummy.yaml", [MANIFESTS, &more].concat());
    let manifests = folder.path("manifests").display().to_string();
    let any = "127.0.0.1:0";
    let mut platform =
        folder.start(&["up", "--manifests", &manifests, "--exchange", "synthetic:42", "--ingress", any, "--api", any]);
    let ingress = platform.first_json()["ingress"].as_str().expect("an address").to_owned();
    (platform, format!("{ingress}/streamforge/burst"))
}

/// Posts the command of a task, which takes a while, to `http://ADDRESS/PATH`; none without an answer.
pub(crate) fn post(url: &str, task: &str, millis: u64) -> Option<u16> {
    let headers = [
        ("ce-specversion", "1.0"),
        ("ce-id", task),
        ("ce-source", "/tests"),
        ("ce-type", "io.streamforge.control.start.v1"),
    ];
    let command = json!({
        "command": "start", "queue_id": "wf-btcusdt-dummy-20240801-a1b2c3", "target": "dummy-service",
        "symbol": "BTCUSDT", "type": "dummy", "task": task, "attempt": 1,
        "parameters": {"simulate_loading": {"steps": 1, "step_ms": millis}},
    });
    Answer::try_post(url, &headers, &command.to_string()).ok().map(|answer| answer.status)
}

/// Tasks that these reports say are finished.
pub(crate) fn finished(reports: impl Iterator<Item = Value>) -> BTreeSet<String> {
    let finished = reports.filter(|report| report["status"] == "finished");
    finished.filter_map(|report| report["task"].as_str().map(str::to_owned)).collect()
}
