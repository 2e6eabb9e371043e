//! The function through its router, with a real store and an ingress that records.

use std::{
    ops::{Deref, Range},
    sync::atomic::Ordering,
};

use futures::future::join_all;
use serde_json::{Value, json};
use streamforge_events::{Envelope, Event, EventType, QueueId, TimeRange, extension};
use streamforge_function::{
    axum::{Router, http::StatusCode},
    router,
    test_util::{Answer, post_event},
};

use super::*;
use crate::{
    document::Status,
    plan,
    reduce::PROGRESS_MILLIS,
    testing::{NOW, World},
};

/// The world and the function in it.
struct Hosted {
    world: World,
    router: Router,
}

impl Hosted {
    async fn new() -> Self {
        let world = World::new().await;
        let router = router(QueueManager::new(world.engine.clone()), world.ingress.context(QueueManager::NAME, NOW));
        Self { world, router }
    }

    async fn post(&self, event: &Event) -> Answer {
        post_event(&self.router, event).await
    }

    /// Another process over the same store.
    fn other(&self) -> Router {
        let publisher = Publisher::new(&self.ingress.config()).unwrap();
        let engine = Engine::new(Arc::clone(&self.store), publisher, Arc::new(|| NOW));
        router(QueueManager::new(engine), self.ingress.context(QueueManager::NAME, NOW))
    }

    async fn report(&self, id: &QueueId, report: Value) -> u16 {
        self.post(&reported(id, &report)).await.status
    }
}

impl Deref for Hosted {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

fn event(kind: EventType, id: &str, data: &Value) -> Event {
    let queue = data.get("queue_id").and_then(Value::as_str).unwrap_or("none").to_owned();
    Envelope {
        id: id.to_owned(),
        source: "/test".to_owned(),
        kind,
        subject: queue.clone(),
        time: NOW,
        extensions: vec![("partitionkey".to_owned(), queue.clone()), ("queueid".to_owned(), queue)],
    }
    .build(data)
    .unwrap()
}

fn reported(id: &QueueId, report: &Value) -> Event {
    let mut data = json!({
        "queue_id": id, "producer": "worker__a1b2c3", "symbol": "BTCUSDT", "type": "api_candles_15m",
        "message": "", "records_written": 0, "finished": false, "timestamp": 1.5, "attempt": 1,
    });
    data.as_object_mut().unwrap().extend(report.as_object().unwrap().clone());
    event(EventType::QueueReported, "report", &data)
}

fn body() -> Value {
    json!({
        "symbols": ["BTCUSDT", "ETHUSDT"], "time_range": "2024-01-01:2024-01-02",
        "requests": [
            {"target": "loader-producer", "type": "api_candles_15m"},
            {"target": "graph-builder", "type": "gnn_graph"},
        ],
    })
}

fn requested(id: &str, body: &Value) -> Event {
    event(EventType::WorkflowRequested, id, body)
}

fn id_of(id: &str, body: &Value) -> QueueId {
    let cause = Request { source: "/test".to_owned(), id: id.to_owned(), body: body.clone(), traceparent: None };
    plan::pending(&streamforge_events::WorkflowRequest::parse(body).unwrap(), &cause, NOW).id
}

#[tokio::test]
async fn a_workflow_runs_from_its_request_to_its_end() {
    let world = Hosted::new().await;
    let id = id_of("1", &body());
    assert_eq!(world.post(&requested("1", &body())).await.status, 204);
    let starts = world.published(EventType::ControlStart);
    let targets: Vec<_> = starts.iter().map(|event| extension(event, "target").unwrap()).collect();
    assert_eq!(targets, ["loader-api-candles", "loader-api-candles"]);
    let command: Value = data(&starts[0]).unwrap();
    assert_eq!(command["queue_id"], json!(id));
    assert_eq!(command["parameters"]["interval"], "15m");
    assert_eq!(command["parameters"]["from"], 1_704_067_200_000_i64);

    for task in ["load-api_candles_15m-btcusdt-0000", "load-api_candles_15m-ethusdt-0001"] {
        let extra = json!({"batches": [0], "complete_until": 1_704_240_000_000_i64, "rows": 192});
        let batch = json!({"status": "loading", "task": task, "batch": "0", "records_written": 192});
        assert_eq!(world.report(&id, batch.clone()).await, 204);
        assert_eq!(world.report(&id, batch).await, 204);
        let end = json!({"status": "finished", "task": task, "finished": true, "extra": extra});
        assert_eq!(world.report(&id, end).await, 204);
    }
    assert_eq!(world.workflow(&id).await.records_written, 384);
    let whole: TimeRange = "2024-01-01:2024-01-02".parse().unwrap();
    for series in world.engine.store().series().await.unwrap() {
        assert_eq!(world.store.loaded(&series).await.unwrap(), [whole]);
    }
    let graph = world.published(EventType::ControlStart).pop().unwrap();
    assert_eq!(extension(&graph, "target").unwrap(), "graph-builder");
    let end = json!({
        "status": "finished", "task": extension(&graph, "task").unwrap(), "finished": true, "extra": {"graph": "g"},
    });
    assert_eq!(world.report(&id, end).await, 204);
    let finished: Value = data(&world.published(EventType::WorkflowFinished)[0]).unwrap();
    assert_eq!((&finished["status"], &finished["records_written"]), (&json!("finished"), &json!(384)));

    let again = world.post(&requested("2", &body())).await;
    assert_eq!(again.status, 204);
    let second = world.workflow(&id_of("2", &body())).await;
    assert!(second.stages[0].tasks.is_empty(), "nothing is missing the second time");
}

#[tokio::test]
async fn a_training_and_a_prediction_are_told_what_was_made_before_them() {
    let world = Hosted::new().await;
    let body = json!({
        "symbols": ["BTCUSDT", "ETHUSDT"], "time_range": "2024-01-01:2024-01-02",
        "requests": [
            {"target": "graph-builder", "type": "gnn_graph", "interval": "15m"},
            {"target": "gnn-trainer", "type": "gnn_train", "model_output": "m"},
            {"target": "predictor", "type": "gnn_infer"},
        ],
    });
    let id = id_of("1", &body);
    assert_eq!(world.post(&requested("1", &body)).await.status, 204);
    let scores = json!({"volatility": {"network": {"mean": 0.5, "spread": 0.1, "windows": [0.4, 0.6]}}});
    let model = json!({"name": "m", "version": "v7"});
    for (target, extra) in [
        ("graph-builder", json!({"graph": "graph-15m"})),
        ("gnn-trainer", json!({"model": model, "scores": scores})),
        ("predictor", json!({"predictions": 2})),
    ] {
        let start = world.published(EventType::ControlStart).pop().unwrap();
        assert_eq!(extension(&start, "target").unwrap(), target);
        let told: Value = data::<Value>(&start).unwrap()["parameters"].clone();
        match target {
            "gnn-trainer" => assert_eq!((&told["graph"], &told["model"]), (&json!("graph-15m"), &json!("m"))),
            "predictor" => assert_eq!((&told["model"], &told["version"]), (&json!("m"), &json!("v7"))),
            _ => {}
        }
        let task = extension(&start, "task").unwrap();
        let end = json!({"status": "finished", "task": task, "attempt": 1, "finished": true, "extra": extra});
        assert_eq!(world.report(&id, end).await, 204);
    }
    let view = world.workflow(&id).await.view();
    assert_eq!((&view["status"], &view["model"], &view["scores"]), (&json!("finished"), &model, &scores));
    let finished: Value = data(&world.published(EventType::WorkflowFinished)[0]).unwrap();
    assert_eq!(finished["model"], model);
}

#[tokio::test]
async fn a_redelivered_request_changes_nothing() {
    let world = Hosted::new().await;
    for _ in 0..3 {
        assert_eq!(world.post(&requested("1", &body())).await.status, 204);
    }
    assert_eq!(world.published(EventType::ControlStart).len(), 2);
    let mut other = body();
    other["time_range"] = "2024-01-01:2024-01-03".into();
    let answer = world.post(&requested("1", &other)).await;
    assert_eq!(answer.status, 422);
    assert!(answer.body.contains("idempotency_conflict"), "{}", answer.body);
}

#[tokio::test]
async fn a_bad_request_becomes_a_dead_letter_that_names_code_and_field() {
    let world = Hosted::new().await;
    let mut unsupported = body();
    unsupported["requests"][1] = json!({"target": "simulator", "type": "monte_carlo"});
    for (body, word) in
        [(unsupported, "unsupported_target"), (json!({"symbol": "BTCUSDT"}), "requests"), (json!([]), "refused")]
    {
        let answer = world.post(&requested("1", &body)).await;
        assert_eq!(answer.status, 422, "{body}");
        assert!(answer.body.contains(word), "{}", answer.body);
    }
    assert_eq!(world.ingress.events(), []);
}

#[tokio::test]
async fn an_outbox_that_was_not_published_is_published_by_the_next_delivery() {
    let world = Hosted::new().await;
    world.ingress.answer_with(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(world.post(&requested("1", &body())).await.status, 503);
    let id = id_of("1", &body());
    assert_eq!(world.workflow(&id).await.outbox.len(), 2);
    world.ingress.answer_with(StatusCode::ACCEPTED);
    assert_eq!(world.post(&requested("1", &body())).await.status, 204);
    assert_eq!(world.published(EventType::ControlStart).len(), 2);
    assert_eq!(world.workflow(&id).await.outbox, []);
}

#[tokio::test]
async fn a_report_leaves_alone_what_another_handler_is_publishing() {
    let world = Hosted::new().await;
    let (id, request) = (id_of("1", &body()), requested("1", &body()));
    world.ingress.hold();
    let report = async {
        world.ingress.wait_for_arrivals(1).await;
        let started = json!({"status": "started", "task": "load-api_candles_15m-btcusdt-0000"});
        // The second one changes nothing, as if its handler had died before it published.
        let statuses = [world.report(&id, started.clone()).await, world.report(&id, started).await];
        world.ingress.release();
        statuses
    };
    let (answer, reported) = tokio::join!(world.post(&request), report);
    assert_eq!((answer.status, reported), (204, [204, 204]));
    assert_eq!(world.published(EventType::ControlStart).len(), 2);
    assert_eq!(world.workflow(&id).await.outbox, []);
}

#[tokio::test]
async fn silence_is_answered_when_the_clock_says_so() {
    let world = Hosted::new().await;
    world.post(&requested("1", &body())).await;
    let id = id_of("1", &body());
    world.now.store(NOW + PROGRESS_MILLIS, Ordering::SeqCst);
    let overdue = event(EventType::WorkflowOverdue, "1", &json!({"queue_id": id}));
    assert_eq!(world.post(&overdue).await.status, 204);
    assert_eq!(world.post(&overdue).await.status, 204);
    let attempts: Vec<_> =
        world.published(EventType::ControlStart).iter().map(|event| extension(event, "attempt").unwrap()).collect();
    assert_eq!(attempts, ["1", "1", "2", "2"]);
}

#[tokio::test]
async fn the_clock_reminds_of_what_is_due_and_brings_forgotten_requests() {
    let world = Hosted::new().await;
    let cause = Request { source: "/test".to_owned(), id: "1".to_owned(), body: body(), traceparent: None };
    let id = world.engine.accept(&cause).await.unwrap();
    world.now.store(NOW + PROGRESS_MILLIS, Ordering::SeqCst);
    let wait = async { drop(world.ingress.wait_for(1).await) };
    crate::clock::run(world.engine.clone(), std::time::Duration::from_millis(5), wait).await;
    let overdue = world.published(EventType::WorkflowOverdue);
    assert_eq!(world.post(&overdue[0]).await.status, 204);
    assert_eq!(world.workflow(&id).await.status, Status::Loading);
    assert_eq!(world.published(EventType::ControlStart).len(), 2);
}

#[tokio::test]
async fn reports_to_two_processes_race_and_all_count() {
    let world = Hosted::new().await;
    world.post(&requested("1", &body())).await;
    let id = id_of("1", &body());
    let other = world.other();
    // One after the other in each process: what arrives together would be written together.
    let tell = async |process: &Router, batches: Range<u32>| {
        for batch in batches {
            let task = "load-api_candles_15m-btcusdt-0000";
            let report = json!({"status": "loading", "task": task, "batch": batch.to_string(), "records_written": 10});
            assert_eq!(post_event(process, &reported(&id, &report)).await.status, 204);
        }
    };
    tokio::join!(tell(&world.router, 0..40), tell(&other, 40..80));
    assert_eq!(world.workflow(&id).await.records_written, 800);
}

#[tokio::test]
async fn a_final_error_stops_the_workers_with_the_exchange_s_words() {
    let world = Hosted::new().await;
    world.post(&requested("1", &body())).await;
    let id = id_of("1", &body());
    let report = json!({
        "status": "error", "task": "load-api_candles_15m-btcusdt-0000", "finished": true,
        "error_message": "-1121 Invalid symbol.",
    });
    assert_eq!(world.report(&id, report).await, 204);
    let workflow = world.workflow(&id).await;
    assert_eq!(workflow.status, Status::Error);
    assert!(workflow.error_message.unwrap().ends_with("-1121 Invalid symbol."));
    assert_eq!(world.published(EventType::ControlStop).len(), 1);
    let finished: Value = data(&world.published(EventType::WorkflowFinished)[0]).unwrap();
    assert_eq!(finished["status"], "error");
}

#[tokio::test]
async fn reports_of_others_are_taken_and_malformed_ones_refused() {
    let world = Hosted::new().await;
    let unknown: QueueId = "ping-test".parse().unwrap();
    assert_eq!(world.report(&unknown, json!({"status": "pong"})).await, 204);
    assert_eq!(world.report(&unknown, json!({"status": "loading", "task": "x"})).await, 204);
    assert_eq!(world.report(&unknown, json!({"status": "dancing"})).await, 400);
    assert_eq!(world.post(&event(EventType::ControlStart, "1", &json!({}))).await.status, 422);
}

#[tokio::test]
async fn reports_that_arrive_together_all_count_for_their_own_workflow() {
    let world = Hosted::new().await;
    let causes = ["1", "2"];
    for cause in causes {
        assert_eq!(world.post(&requested(cause, &body())).await.status, 204);
    }
    let ids = causes.map(|cause| id_of(cause, &body()));
    let stored = |batch: u32| {
        let task = "load-api_candles_15m-btcusdt-0000";
        let report = json!({"status": "loading", "task": task, "batch": batch.to_string(), "records_written": 10});
        // The second workflow has every fourth batch.
        world.report(&ids[usize::from(batch.is_multiple_of(4))], report)
    };
    let answers = join_all((0..40).chain(0..20).map(stored)).await;
    assert!(answers.iter().all(|status| *status == 204), "{answers:?}");
    for (id, records) in ids.iter().zip([300, 100]) {
        assert_eq!(world.workflow(id).await.records_written, records);
    }
}
