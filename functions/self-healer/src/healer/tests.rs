//! The loop against a real store, an ingress that records, and an API server that answers as it is told.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use http::{Method, Request, Response, StatusCode};
use kube::{Client, client::Body};
use serde_json::{Value, json};
use streamforge_events::data;
use streamforge_function::{lease_key, test_util::TestIngress};
use streamforge_store::{LeaseOutcome, WorkflowDocument};

use super::*;

const QUEUE: &str = "wf-multi-gnn_train-20250101-a1b2c3";

/// 2025-01-01T01:00:00Z, the time of all tests.
fn now() -> Millis {
    1_735_693_200_000
}

/// What the API server is asked, and what it answers to a deletion.
#[derive(Clone)]
struct Api {
    asked: Arc<Mutex<Vec<String>>>,
    pods: Value,
    deletion: StatusCode,
}

impl Api {
    fn new(pods: Value, deletion: StatusCode) -> Self {
        Self { asked: Arc::default(), pods, deletion }
    }

    fn client(&self) -> Client {
        let api = self.clone();
        let answer = move |request: Request<Body>| {
            let api = api.clone();
            async move { Ok::<_, Infallible>(api.answer(&request)) }
        };
        Client::new(tower::service_fn(answer), "streamforge")
    }

    fn answer(&self, request: &Request<Body>) -> Response<Body> {
        let path = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        let list = |items: Value| json!({"metadata": {"resourceVersion": "1"}, "items": items});
        let (status, body) = match (request.method(), path.as_str()) {
            (&Method::GET, "pods") => (StatusCode::OK, list(self.pods.clone())),
            (&Method::GET, "jobs") => (StatusCode::OK, list(json!([job()]))),
            (&Method::GET, _) => (StatusCode::NOT_FOUND, json!({})),
            (&Method::DELETE, _) => (self.deletion, job()),
            _ => (StatusCode::CREATED, json!({"metadata": {}, "eventTime": null})),
        };
        if request.method() != Method::GET {
            self.asked.lock().unwrap().push(format!("{} {path}", request.method()));
        }
        let refusal = || json!({"status": "Failure", "message": "no", "reason": "R", "code": status.as_u16()});
        let body = if status.is_success() { body } else { refusal() };
        Response::builder().status(status).body(Body::from(body.to_string().into_bytes())).unwrap()
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

fn job() -> Value {
    json!({"metadata": {
        "name": "gnn-trainer-x7k2p", "uid": "job-1", "creationTimestamp": "2025-01-01T00:00:00Z",
        "labels": {"scaledjob.keda.sh/name": "gnn-trainer"},
    }})
}

fn pod(status: &Value) -> Value {
    json!([{
        "metadata": {
            "name": "gnn-trainer-x7k2p-9qz4d", "uid": "pod-1", "creationTimestamp": "2025-01-01T00:00:00Z",
            "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": "gnn-trainer-x7k2p", "uid": "job-1"}],
        },
        "status": status,
    }])
}

fn running() -> Value {
    let container = json!({"name": "c", "image": "i", "imageID": "", "ready": true, "restartCount": 0,
        "state": {"running": {"startedAt": "2025-01-01T00:00:05Z"}}});
    let scheduled = json!([{"type": "PodScheduled", "status": "True", "lastTransitionTime": "2025-01-01T00:00:01Z"}]);
    pod(&json!({"phase": "Running", "conditions": scheduled, "containerStatuses": [container]}))
}

/// A healer of a training at its second attempt, which the first still holds.
struct World {
    healer: Healer,
    ingress: TestIngress,
    memory: Memory,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new(client: &Client, holder: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = streamforge_store::open(&format!("sqlite://{}/store.db", folder.path().display())).await.unwrap();
        let task = json!({"id": "train-0", "symbol": "BTCUSDT", "state": "sent", "attempt": 2,
            "heard_at": "2025-01-01T00:59:59Z"});
        let stage = json!({"function": "gnn-trainer", "type": "gnn_train", "work": "job", "tasks": [task]});
        let document = WorkflowDocument {
            id: QUEUE.parse().unwrap(),
            status: "loading".to_owned(),
            created_at: 0,
            next_deadline: None,
            json: json!({"stages": [stage]}),
        };
        store.create(&document).await.unwrap();
        let taken = store.acquire(&key(), holder, now() - 20_000, now() - 10_000).await.unwrap();
        assert!(matches!(taken, LeaseOutcome::Acquired(_)));
        let ingress = TestIngress::start().await;
        let healer = Healer {
            cluster: Cluster::new(client, "self-healer"),
            store,
            publisher: Publisher::new(&ingress.config()).unwrap(),
            deadlines: Deadlines { start: 120_000, pending: 1_800_000 },
            metrics: Metrics::default(),
            clock: now,
        };
        Self { healer, ingress, memory: Memory::default(), _folder: folder }
    }

    async fn look(&mut self) -> Result<(), Error> {
        self.healer.look(&mut self.memory).await
    }

    async fn holder(&self) -> Option<String> {
        self.healer.store.lease(&key()).await.unwrap().map(|lease| lease.holder)
    }
}

fn key() -> String {
    lease_key(&QUEUE.parse().unwrap(), "train-0")
}

#[tokio::test]
async fn a_stuck_trainer_is_fenced_its_job_deleted_and_the_reason_said_once() {
    for deletion in [StatusCode::OK, StatusCode::NOT_FOUND, StatusCode::CONFLICT] {
        let api = Api::new(running(), deletion);
        let mut world = World::new(&api.client(), "gnn-trainer-x7k2p-9qz4d#1").await;
        world.look().await.unwrap();
        assert_eq!(world.holder().await, None);
        assert_eq!(api.asked(), ["DELETE gnn-trainer-x7k2p", "POST events"]);
        world.look().await.unwrap();
        assert_eq!(api.asked(), [""; 0]);
        assert!(world.ingress.events().is_empty(), "the workflow knows already");
    }
}

#[tokio::test]
async fn what_could_not_be_done_is_done_with_the_next_look() {
    let api = Api::new(running(), StatusCode::INTERNAL_SERVER_ERROR);
    let mut world = World::new(&api.client(), "gnn-trainer-x7k2p-9qz4d#1").await;
    assert!(matches!(world.look().await, Err(Error::Cluster("delete a Job", _))));
    assert_eq!((world.holder().await, api.asked()), (None, vec!["DELETE gnn-trainer-x7k2p".to_owned()]));

    let nowhere = Client::try_from(kube::Config::new("http://127.0.0.1:9".parse().unwrap())).unwrap();
    world.healer.cluster = Cluster::new(&nowhere, "self-healer");
    assert!(matches!(world.look().await, Err(Error::Cluster("list pods", _))));

    let back = Api::new(running(), StatusCode::OK);
    world.healer.cluster = Cluster::new(&back.client(), "self-healer");
    world.look().await.unwrap();
    assert_eq!(back.asked(), ["DELETE gnn-trainer-x7k2p", "POST events"]);
}

#[tokio::test]
async fn a_trainer_that_died_is_reported_in_its_place_once() {
    let killed = json!({"name": "c", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
        "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}});
    let api = Api::new(pod(&json!({"phase": "Failed", "containerStatuses": [killed]})), StatusCode::OK);
    let mut world = World::new(&api.client(), "gnn-trainer-x7k2p-9qz4d#2").await;
    world.look().await.unwrap();
    world.look().await.unwrap();
    assert_eq!((world.holder().await, api.asked()), (None, vec!["POST events".to_owned()]));
    let events = world.ingress.events();
    assert_eq!(events.len(), 1);
    let report: Value = data(&events[0]).unwrap();
    let expected = [("status", json!("error")), ("attempt", json!(2)), ("finished", json!(false))];
    for (field, value) in expected {
        assert_eq!(report[field], value);
    }
    let words = report["error_message"].as_str().unwrap();
    assert!(words.contains("it ended with exit code 137, OOMKilled"), "{words}");
}
