//! Idle is zero workers, a burst starts as many as allowed, and they go after the cooldown.

use serde_json::Value;

use crate::support::{
    Folder,
    dummy::{self, Workers},
    until,
};

const EVENTS: usize = 24;
const MOST: u64 = 3;

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
    let (platform, url) = dummy::start(&folder, &Workers::Scaled(SCALED_OBJECT));
    assert_eq!(workers(&folder), (0, 0), "nothing to do, nobody there");
    assert!(platform.workers().is_empty());

    for number in 0..EVENTS {
        assert_eq!(dummy::post(&url, &format!("task-{number}"), 1500), Some(202));
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
