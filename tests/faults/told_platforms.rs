//! SIGTERM to a platform under a stream of events: it exits with 0, and the next one does what it accepted.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use fastrand::Rng;
use serde_json::Value;

use crate::{
    dummy,
    outcome::{records, until_delivered},
    support::{Folder, Running},
};

const PLATFORMS: usize = 20;
/// Events under way at once.
const SENDERS: usize = 2;

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
  replicas: 2
  selector: {matchLabels: {app: dummy}}
  template:
    metadata: {labels: {app: dummy}}
    spec: {containers: [{name: dummy-service, image: streamforge/dummy-service}]}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: burst, namespace: streamforge}
spec:
  broker: burst
  subscriber: {ref: {apiVersion: v1, kind: Service, name: dummy-service}}
  delivery: {retry: 60, backoffPolicy: linear, backoffDelay: PT0.1S, timeout: PT60S}
";

#[test]
fn platforms_that_are_told_to_go_lose_nothing() {
    let seed = fastrand::u64(..1 << 32);
    eprintln!("seed {seed}");
    let mut random = Rng::with_seed(seed);
    let folder = Folder::new();
    folder.write("manifests/knative/dummy.yaml", MANIFESTS);
    let manifests = folder.path("manifests").display().to_string();
    let any = "127.0.0.1:0";
    let arguments = ["up", "--manifests", &manifests, "--exchange", "synthetic:42", "--ingress", any, "--api", any];
    let (next, accepted) = (AtomicUsize::new(0), Mutex::new(BTreeSet::new()));
    for _ in 0..PLATFORMS {
        let mut platform = folder.start(&arguments);
        let url = broker(&mut platform);
        let is_gone = AtomicBool::new(false);
        thread::scope(|scope| {
            let publish = || {
                while !is_gone.load(Ordering::SeqCst) {
                    let event = format!("event-{}", next.fetch_add(1, Ordering::SeqCst));
                    if dummy::post(&url, &event, 10) == Some(202) {
                        accepted.lock().unwrap().insert(event);
                    }
                    thread::sleep(Duration::from_millis(10));
                }
            };
            for _ in 0..SENDERS {
                scope.spawn(publish);
            }
            thread::sleep(Duration::from_millis(random.u64(..700)));
            let ended = platform.stop();
            is_gone.store(true, Ordering::SeqCst);
            assert_eq!(ended.code, Some(0), "{ended:?}");
        });
    }
    let mut platform = folder.start(&arguments);
    broker(&mut platform);
    until_delivered(&folder);
    assert_eq!(platform.stop().code, Some(0));
    let topic = "knative-broker-streamforge-queue-events";
    let reports = records(&folder.path("data/bus.db"), topic);
    let reports = reports.into_iter().filter_map(|record| serde_json::from_slice::<Value>(&record.value).ok());
    let finished = dummy::finished(reports);
    let accepted = accepted.into_inner().unwrap();
    assert!(accepted.len() > 10 * PLATFORMS, "only {} events were accepted", accepted.len());
    let lost: Vec<&String> = accepted.difference(&finished).collect();
    assert!(lost.is_empty(), "accepted and not done: {lost:?}");
}

fn broker(platform: &mut Running) -> String {
    let ingress = platform.first_json()["ingress"].as_str().unwrap().to_owned();
    format!("{ingress}/streamforge/burst")
}
