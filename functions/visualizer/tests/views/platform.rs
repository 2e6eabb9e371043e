//! The platform's samples, and their stream without a hole.

use futures::StreamExt;
use serde_json::{Value, json};
use streamforge_function::axum::{
    body::{Body, BodyDataStream},
    http::Request,
};
use tower::ServiceExt;
use visualizer::{FunctionState, Kind, Samples};

use crate::world::World;

fn function(replicas: u32, lag: u64) -> Vec<FunctionState> {
    let replicas = Some(replicas);
    let name = "graph-builder".to_owned();
    vec![FunctionState {
        name,
        kind: Kind::Function,
        replicas,
        wanted: Some(2),
        lag,
        max: Some(8),
        cold_starts: Some(Vec::new()),
    }]
}

async fn world() -> (World, Samples) {
    let samples = Samples::default();
    let kept = samples.clone();
    (World::with(|sources| sources.samples = Some(kept)).await, samples)
}

/// Opens the stream of samples.
async fn open(world: &World, id: Option<&str>) -> BodyDataStream {
    let request = Request::get("/views/platform/events");
    let request = id.into_iter().fold(request, |request, id| request.header("last-event-id", id));
    let response = world.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    response.into_body().into_data_stream()
}

/// The ids of the next samples, and the last one itself.
async fn read(mut body: BodyDataStream, count: usize) -> (Vec<String>, Value) {
    let mut text = String::new();
    while text.matches("\n\n").count() < count {
        text += std::str::from_utf8(&body.next().await.unwrap().unwrap()).unwrap();
    }
    assert!(text.starts_with("event: sample\n"), "{text}");
    let ids = text.lines().filter_map(|line| line.strip_prefix("id: ")).map(str::to_owned).collect();
    let last = text.lines().filter_map(|line| line.strip_prefix("data: ")).next_back().unwrap();
    (ids, serde_json::from_str(last).unwrap())
}

#[tokio::test]
async fn functions_and_samples_are_shown() {
    let (world, samples) = world().await;
    samples.add(1000, function(0, 9));
    samples.add(2000, function(1, 5));
    let (_, answer) = world.get("/views/platform").await;
    let expected = json!({
        "functions": [{
            "name": "graph-builder", "kind": "function", "replicas": 1, "wanted": 2, "lag": 5, "max": 8, "cold_starts": [],
        }],
        "samples": [
            {"at": 1000, "functions": {"graph-builder": [0, 9]}}, {"at": 2000, "functions": {"graph-builder": [1, 5]}},
        ],
    });
    assert_eq!(answer["data"], expected);
}

#[tokio::test]
async fn whoever_comes_back_gets_the_samples_between() {
    let (world, samples) = world().await;
    for second in 1..=5 {
        samples.add(second * 1000, function(1, 5));
    }
    let (ids, last) = read(open(&world, Some("2000")).await, 3).await;
    assert_eq!((ids, &last["at"]), (vec!["3000".to_owned(), "4000".to_owned(), "5000".to_owned()], &json!(5000)));
    let from_now_on = open(&world, None).await;
    samples.add(6000, function(1, 5));
    assert_eq!(read(from_now_on, 1).await.0, ["6000"]);
    let request = Request::get("/views/platform/events").header("last-event-id", "soon").body(Body::empty()).unwrap();
    assert_eq!(world.send(request).await.0, 422);
}

#[tokio::test]
async fn where_no_samples_are_taken_it_is_said_where_to_look() {
    let world = World::new().await;
    for path in ["/views/platform", "/views/platform/events"] {
        let (status, answer) = world.get(path).await;
        assert_eq!((status, &answer["code"]), (501, &json!("no_samples_here")));
        assert!(answer["message"].as_str().unwrap().contains("kubectl"), "{answer}");
    }
    let (status, answer) = world.get("/views/logs?task=x").await;
    assert_eq!((status, &answer["code"]), (501, &json!("no_logs_here")));
    assert_eq!(world.get("/views/logs").await.0, 422);
}
