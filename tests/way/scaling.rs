//! Idle is zero workers, a burst starts as many as allowed, and they go after the cooldown.

use serde_json::{Value, json};

use crate::support::{Answer, Folder, until};

const EVENTS: usize = 24;
const MOST: u64 = 3;

const MANIFESTS: &str = "
{apiVersion: eventing.knative.dev/v1, kind: Broker, metadata: {name: burst, namespace: streamforge}}
---
{apiVersion: eventing.knative.dev/v1, kind: Broker, metadata: {name: queue-events, namespace: streamforge}}
---
{apiVersion: v1, kind: Service, metadata: {name: dummy-service, namespace: streamforge},
 spec: {selector: {app: dummy}, ports: [{port: 80, targetPort: 8080}]}}
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

const TRIGGER: &str = "
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: burst, namespace: streamforge}
spec:
  broker: burst
  subscriber: {ref: {apiVersion: v1, kind: Service, name: dummy-service}}
  delivery: {retry: 60, backoffPolicy: linear, backoffDelay: PT0.1S, timeout: PT60S}
";

const SCALED_OBJECT: &str = r#"
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: dummy-service, namespace: streamforge}
spec:
  scaleTargetRef: {name: dummy-service}
  pollingInterval: 1
  cooldownPeriod: 2
  maxReplicaCount: 3
  advanced: {horizontalPodAutoscalerConfig: {behavior: {scaleDown: {stabilizationWindowSeconds: 0}}}}
  triggers:
    - type: kafka
      metadata:
        consumerGroup: knative-trigger-streamforge-burst
        topic: knative-broker-streamforge-burst
        lagThreshold: "2"
        allowIdleConsumers: "true"
"#;

/// How many workers `status` shows, each once: those that start, are ready, or leave.
fn workers(folder: &Folder) -> (u64, u64) {
    let workers = &folder.json(&["status"])["workers"]["dummy-service"];
    let count = |name: &str| workers[name].as_u64().unwrap();
    (count("ready"), count("starting") + count("ready") + count("stopping"))
}

fn finished(folder: &Folder) -> Value {
    let status = folder.json(&["status"]);
    let topics = status["topics"].as_array().unwrap();
    topics.iter().find(|topic| topic["name"].as_str().unwrap().ends_with("queue-events")).unwrap()["records"].clone()
}

#[test]
fn workers_come_with_a_burst_and_go_after_it() {
    let folder = Folder::new();
    folder.write("manifests/knative/dummy.yaml", MANIFESTS);
    folder.write("manifests/triggers/burst.yaml", TRIGGER);
    folder.write("manifests/scaledobjects/dummy.yaml", SCALED_OBJECT);
    let manifests = folder.path("manifests").display().to_string();
    let any = "127.0.0.1:0";
    let arguments = ["up", "--manifests", &manifests, "--exchange", "synthetic:42", "--ingress", any, "--api", any];
    let mut platform = folder.start(&arguments);
    let ingress = platform.first_json()["ingress"].as_str().unwrap().to_owned();
    assert_eq!(workers(&folder), (0, 0), "nothing to do, nobody there");
    assert!(platform.workers().is_empty());

    for number in 0..EVENTS {
        let id = number.to_string();
        let headers = [
            ("ce-specversion", "1.0"),
            ("ce-id", &id),
            ("ce-source", "/tests"),
            ("ce-type", "io.streamforge.control.start.v1"),
        ];
        let command = json!({
            "command": "start", "queue_id": "wf-btcusdt-dummy-20240801-a1b2c3", "target": "dummy-service",
            "symbol": "BTCUSDT", "type": "dummy", "task": format!("task-{number}"), "attempt": 1,
            "parameters": {"simulate_loading": {"steps": 1, "step_ms": 1500}},
        });
        let answer = Answer::post(&format!("{ingress}/streamforge/burst"), &headers, &command.to_string());
        assert_eq!(answer.status, 202);
    }
    let mut most = 0;
    until("a burst of workers", || {
        let (ready, there) = workers(&folder);
        most = most.max(there);
        (ready == MOST).then_some(())
    });
    until("nobody after the cooldown", || {
        let (_, there) = workers(&folder);
        most = most.max(there);
        (there == 0).then_some(())
    });
    assert_eq!(most, MOST, "never more than maxReplicaCount");
    assert!(platform.workers().is_empty());
    assert_eq!(finished(&folder), 3 * EVENTS, "each command was reported as started, loading and finished");
    let status = folder.json(&["status"]);
    assert!(status["groups"].as_array().unwrap().iter().all(|group| group["lag"] == 0), "{status}");
    assert_eq!(platform.stop().code, Some(0));
}
