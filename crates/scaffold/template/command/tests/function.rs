//! The function through the router, over a recording ingress.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use sample_function::SampleFunction;
use serde_json::{Value, json};
use streamforge_events::{AttributesReader, Event, Millis, data};
use streamforge_function::{
    Function,
    axum::Router,
    router,
    test_util::{TestIngress, post_event},
};

const NOW: Millis = 1_722_500_125_456;
const QUEUE_ID: &str = "wf-btcusdt-task-20240801-a1b2c3";

fn event(kind: &str, payload: &Value) -> Event {
    let event = json!({
        "specversion": "1.0", "id": format!("{kind}-1"), "source": "/streamforge/queue-manager",
        "type": format!("io.streamforge.{kind}.v1"), "partitionkey": QUEUE_ID, "queueid": QUEUE_ID,
        "datacontenttype": "application/json", "data": payload,
    });
    serde_json::from_value(event).unwrap()
}

fn command(kind: &str) -> Event {
    let name = SampleFunction::NAME;
    let payload = json!({
        "command": kind, "queue_id": QUEUE_ID, "target": name, "symbol": "BTCUSDT", "type": "task",
        "telemetry_id": format!("{name}__a1b2c3"), "timestamp": 1_722_500_000.123, "task": "task-1", "attempt": 1,
        "parameters": {},
    });
    event(&format!("control.{kind}"), &payload)
}

fn function(ingress: &TestIngress) -> Router {
    let context = ingress.context(SampleFunction::NAME, NOW);
    router(SampleFunction, context)
}

fn statuses(ingress: &TestIngress) -> Vec<String> {
    let status = |event: &Event| data::<Value>(event).unwrap()["status"].as_str().unwrap().to_owned();
    ingress.events().iter().map(status).collect()
}

#[tokio::test]
async fn a_task_is_begun_and_done() {
    let ingress = TestIngress::start().await;
    assert_eq!(post_event(&function(&ingress), &command("start")).await.status, 204);
    assert_eq!(statuses(&ingress), ["started", "finished"]);
}

#[tokio::test]
async fn a_task_that_was_called_off_is_not_done() {
    let ingress = TestIngress::start().await;
    let function = function(&ingress);
    assert_eq!(post_event(&function, &command("stop")).await.status, 204);
    assert_eq!(post_event(&function, &command("start")).await.status, 204);
    assert_eq!(statuses(&ingress), ["started", "interrupted"]);
}

#[tokio::test]
async fn a_command_that_comes_again_causes_the_same_events() {
    let ingress = TestIngress::start().await;
    let function = function(&ingress);
    for _ in 0..2 {
        assert_eq!(post_event(&function, &command("start")).await.status, 204);
    }
    let ids: Vec<String> = ingress.events().iter().map(|event| event.id().to_owned()).collect();
    assert_eq!((ids.len(), &ids[..2]), (4, &ids[2..]));
}

#[tokio::test]
async fn what_is_no_command_is_refused() {
    let ingress = TestIngress::start().await;
    let function = function(&ingress);
    assert_eq!(post_event(&function, &event("control.start", &json!({}))).await.status, 400);
    assert_eq!(post_event(&function, &event("workflow.overdue", &json!({}))).await.status, 422);
    assert!(ingress.events().is_empty());
}
