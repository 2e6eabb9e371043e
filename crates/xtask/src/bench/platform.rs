//! A platform with one function, as `streamforge up` runs it, and what it is told by manifests.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;

use super::binary;

/// The function that all of it is about; it also names its Broker, topic, Trigger and Service.
pub(super) const FUNCTION: &str = "dummy-service";

/// Broker, topic, Trigger, Service and Deployment of the function, and the Broker that it answers to.
const MANIFESTS: &str = "
apiVersion: kafka.strimzi.io/v1
kind: KafkaTopic
metadata: {name: dummy-service, namespace: bench, labels: {strimzi.io/cluster: bench}}
spec: {partitions: 4, replicas: 1}
---
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata:
  name: dummy-service
  namespace: bench
  annotations: {eventing.knative.dev/broker.class: Kafka, kafka.eventing.knative.dev/external.topic: dummy-service}
---
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata:
  name: queue-events
  namespace: bench
  annotations: {eventing.knative.dev/broker.class: Kafka, kafka.eventing.knative.dev/external.topic: queue-events}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: dummy-service, namespace: bench}
spec:
  broker: dummy-service
  filters: [{prefix: {type: io.streamforge.control.}}]
  delivery: {retry: 3, backoffPolicy: linear, backoffDelay: PT0.25S}
  subscriber: {ref: {apiVersion: v1, kind: Service, name: dummy-service}}
---
apiVersion: v1
kind: Service
metadata: {name: dummy-service, namespace: bench}
spec: {selector: {app: dummy-service}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: dummy-service, namespace: bench}
spec:
  replicas: 1
  template:
    metadata: {labels: {app: dummy-service}}
    spec: {containers: [{name: dummy-service, image: streamforge/dummy-service}]}
";

/// A running platform; it is told to stop when dropped.
pub(super) struct Platform {
    process: Child,
    /// Where events are posted to.
    pub(super) ingress: SocketAddr,
    _folder: TempDir,
}

impl Platform {
    /// Starts a platform in an empty folder with more manifests than the common ones.
    pub(super) fn start(more: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let manifests = folder.path().join("knative");
        fs::create_dir(&manifests)?;
        fs::write(manifests.join("bench.yaml"), format!("{MANIFESTS}{more}"))?;
        let mut process = Command::new(binary("streamforge")?)
            .args(["up", "--json", "--ingress", "127.0.0.1:0", "--api", "127.0.0.1:0", "--manifests"])
            .arg(folder.path())
            .arg("--data-dir")
            .arg(folder.path().join("data"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let output = process.stdout.take().context("the platform's output is no pipe")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let told: Value = serde_json::from_str(&line).context("the platform did not start")?;
        let ingress = told["ingress"].as_str().and_then(|url| url.strip_prefix("http://")).context("no ingress")?;
        Ok(Self { process, ingress: ingress.parse()?, _folder: folder })
    }

    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        // Its workers see the end of their standard input and go too.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Writes a command to the function, padded to a body of so many bytes, as the ingress takes it.
pub(super) fn write_command(number: u64, command: &str, body_bytes: usize, request: &mut Vec<u8>) {
    let parameters = r#"{"noop":true}"#;
    let start = format!(
        r#"{{"command":"{command}","queue_id":"wf-bench","target":"{FUNCTION}","type":"dummy","parameters":{parameters},"telemetry_id":""#
    );
    let padding = "x".repeat(body_bytes.saturating_sub(start.len() + 2));
    let body = format!("{start}{padding}\"}}");
    let length = body.len();
    let text = format!(
        "POST /bench/{FUNCTION} HTTP/1.1\r\nhost: 127.0.0.1\r\nce-specversion: 1.0\r\nce-id: {number}\r\n\
         ce-source: /bench\r\nce-type: io.streamforge.control.{command}.v1\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    );
    request.extend_from_slice(text.as_bytes());
}
