//! The events of a workflow, each with its cause before it.

use serde_json::{Value, json};
use streamforge_store::WorkflowDocument;

use crate::world::World;

const QUEUE: &str = "wf-btcusdt-api_trades-20240801-a1b2c3";

async fn event(world: &World, topic: &str, kind: &str, id: &str, task: Option<&str>) {
    event_with(world, topic, kind, id, task, "{}").await;
}

async fn event_with(world: &World, topic: &str, kind: &str, id: &str, task: Option<&str>, data: &str) {
    let kind = format!("io.streamforge.{kind}.v1");
    let mut headers = vec![("ce_type", kind.as_str()), ("ce_id", id), ("ce_queueid", QUEUE)];
    if let Some(task) = task {
        headers.extend([("ce_task", task), ("ce_attempt", "1")]);
    }
    world.publish_with(topic, &headers, data).await;
}

#[tokio::test]
async fn events_come_after_their_causes() {
    let world = World::new().await;
    let document = WorkflowDocument {
        id: QUEUE.parse().unwrap(),
        status: "finished".to_owned(),
        created_at: 0,
        next_deadline: None,
        json: json!({}),
    };
    world.store.create(&document).await.unwrap();
    event(&world, "workflows", "workflow.requested", "r", None).await;
    event(&world, "queue-control", "control.start", "s", Some("t")).await;
    let batch = format!("{QUEUE}/t/1/0");
    event(&world, "market-data", "klines.loaded", &batch, Some("t")).await;
    event(&world, "queue-events", "queue.reported", "begun", Some("t")).await;
    event_with(&world, "queue-events", "queue.reported", "stored", Some("t"), r#"{"batch":"0"}"#).await;
    event(&world, "queue-events", "workflow.finished", "f", None).await;
    world.publish("queue-events", "io.streamforge.queue.reported.v1", "wf-other", "{}").await;
    let (status, answer) = world.get(&format!("/views/lineage/{QUEUE}")).await;
    assert_eq!((status, &answer["data"]["is_complete"]), (200, &json!(true)), "{answer}");
    let events = answer["data"]["events"].as_array().unwrap();
    let mut causes: Vec<(&str, Option<&str>)> =
        events.iter().map(|event| (event["id"].as_str().unwrap(), event["cause"].as_str())).collect();
    for (index, (_, cause)) in causes.iter().enumerate() {
        let is_before = |cause: &str| causes[..index].iter().any(|(id, _)| *id == cause);
        assert!(cause.is_none_or(is_before), "{causes:?}");
    }
    causes.sort_unstable();
    let batch = batch.as_str();
    assert_eq!(
        causes,
        [
            ("begun", Some("s")),
            ("f", Some("stored")),
            ("r", None),
            ("s", Some("r")),
            ("stored", Some(batch)),
            (batch, Some("s")),
        ]
    );
    assert_eq!(events[0]["topic"], "workflows");
}

#[tokio::test]
async fn what_is_no_workflow_is_said() {
    let world = World::new().await;
    for id in ["wf-none", "%3Cimg%20src=x%20onerror=alert(1)%3E", "a%20b", "%00"] {
        let (status, answer) = world.get(&format!("/views/lineage/{id}")).await;
        assert_eq!((status, &answer["code"], &answer["data"]), (404, &json!("unknown_queue"), &Value::Null), "{id}");
    }
}
