//! Every call and every way to be refused, through the router.

use serde_json::{Value, json};
use streamforge_bus::{Record, SqliteBus, TopicConfig};
use streamforge_events::{EventType, QueueId, extension};
use streamforge_function::axum::{
    self,
    body::{Body, to_bytes},
    http::Request,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tower::ServiceExt;

use super::*;
use crate::{document::Status, testing::World};

struct Api {
    world: World,
    router: Router,
}

impl Api {
    async fn new() -> Self {
        let world = World::new().await;
        let router = router(ApiState::new(world.engine.clone(), None, "test"));
        Self { world, router }
    }

    async fn send(&self, request: Request<Body>) -> (u16, Value) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or_else(|_| String::from_utf8_lossy(&body).into()))
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send(post(path, &[], body)).await
    }

    async fn start(&self, day: u32) -> QueueId {
        let body = json!({
            "symbol": "BTCUSDT", "type": "api_candles_15m", "time_range": format!("2024-01-01:2024-01-{day:02}"),
        });
        let (status, answer) = self.post("/queues/start", &body).await;
        assert_eq!(status, 202, "{answer}");
        answer["data"]["queue_id"].as_str().unwrap().parse().unwrap()
    }
}

fn post(path: &str, headers: &[(&str, &str)], body: &Value) -> Request<Body> {
    let request = Request::post(path).header("content-type", "application/json");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(Body::from(body.to_string())).unwrap()
}

fn full() -> Value {
    json!({
        "symbol": "BTCUSDT", "time_range": "2024-01-01:2024-01-03",
        "requests": [{"target": "loader-producer", "type": "api_candles_15m"}],
    })
}

#[tokio::test]
async fn a_start_is_written_down_published_and_shown_at_once() {
    let api = Api::new().await;
    for (path, body) in [
        ("/queues/start-pipeline", full()),
        ("/queues/start", json!({"symbol": "BTCUSDT", "type": "api_trades", "time_range": "2024-01-01:2024-01-01"})),
        ("/queues/start-test-flow", json!({"flow": "default_trade_flow"})),
    ] {
        let (status, answer) = api.post(path, &body).await;
        assert_eq!((status, &answer["status"]), (202, &json!("success")), "{path}: {answer}");
        let id = answer["data"]["queue_id"].as_str().unwrap();
        let (status, shown) = api.get(&format!("/queues/{id}")).await;
        assert_eq!((status, &shown["data"]["status"]), (200, &json!("pending")), "{shown}");
        assert!(shown["data"].get("outbox").is_none());
    }
    let events = api.world.published(EventType::WorkflowRequested);
    assert_eq!(events.len(), 3);
    assert!(extension(&events[0], "traceparent").is_some());
}

#[tokio::test]
async fn an_idempotency_key_makes_one_workflow_of_many_calls() {
    let api = Api::new().await;
    let key = [("idempotency-key", "k1")];
    let (_, first) = api.send(post("/queues/start-pipeline", &key, &full())).await;
    let (status, second) = api.send(post("/queues/start-pipeline", &key, &full())).await;
    assert_eq!((status, &second["data"]), (202, &first["data"]));
    let (_, other) = api.post("/queues/start-pipeline", &full()).await;
    assert_ne!(other["data"], first["data"]);
    let (_, another) = api.post("/queues/start-pipeline", &full()).await;
    assert_ne!(another["data"], other["data"]);
    let mut changed = full();
    changed["symbol"] = "ETHUSDT".into();
    let (status, answer) = api.send(post("/queues/start-pipeline", &key, &changed)).await;
    assert_eq!((status, &answer["code"]), (422, &json!("idempotency_conflict")));
}

#[tokio::test]
async fn a_bad_request_is_answered_with_code_and_field() {
    let api = Api::new().await;
    let simulator = json!({
        "symbol": "BTCUSDT", "time_range": "2024-01-01:2024-01-03",
        "requests": [{"target": "simulator", "type": "monte_carlo"}],
    });
    let mut future = full();
    future["time_range"] = "2999-01-01:2999-01-02".into();
    let queue = json!({"queue_id": "q", "command": "dance"});
    let cases = [
        ("/queues/start-pipeline", simulator, "unsupported_target", "requests[0].target"),
        ("/queues/start-pipeline", future, "range_in_future", "time_range"),
        ("/queues/start", json!({"type": "api_trades", "image": "x"}), "unknown_field", "image"),
        ("/queues/start", json!({"symbol": "BTCUSDT"}), "missing_field", "type"),
        ("/queues/start", json!({"type": 1}), "invalid_field", "type"),
        ("/queues/start-test-flow", json!({"flow": "other"}), "unknown_flow", "flow"),
        ("/queues/stop", json!({}), "missing_field", "queue_id"),
        ("/queues/stop?id=1", json!({}), "unknown_field", "id"),
        ("/queues/stop?queue_id=a", json!({"queue_id": "b"}), "contradiction", "queue_id"),
        ("/queues/stop?queue_id=a", json!({"other": "b"}), "unknown_field", "other"),
        ("/queues/control", queue, "unknown_command", "command"),
        ("/queues/control", json!({"queue_id": "q", "command": "ping", "target": "x"}), "unsupported_target", "target"),
    ];
    for (path, body, code, field) in cases {
        let (status, answer) = api.post(path, &body).await;
        let expected = json!({"status": 422, "code": code, "field": field});
        assert_eq!(json!({"status": status, "code": answer["code"], "field": answer["field"]}), expected, "{answer}");
    }
    for (path, field) in
        [("limit=0", "limit"), ("limit=x", "limit"), ("status=odd", "status"), ("cursor=%00", "cursor")]
    {
        let (status, answer) = api.get(&format!("/queues?{path}")).await;
        assert_eq!((status, &answer["field"]), (422, &json!(field)), "{answer}");
    }
    assert_eq!(api.world.ingress.events(), []);
}

#[tokio::test]
async fn whatever_is_wrong_the_answer_is_an_envelope() {
    let api = Api::new().await;
    let long = "x".repeat(streamforge_function::api::BODY_LIMIT + 1);
    let cases = [
        (Request::get("/nowhere").body(Body::empty()), 404, "unknown_path"),
        (Request::delete("/queues").body(Body::empty()), 405, "method_not_allowed"),
        (Request::get("/queues/wf-unknown").body(Body::empty()), 404, "unknown_queue"),
        (Request::get("/queues/a%20b").body(Body::empty()), 404, "unknown_queue"),
        (Request::get("/queues/wf-unknown/events").body(Body::empty()), 404, "unknown_queue"),
        (Request::post("/queues/stop?queue_id=wf-unknown").body(Body::empty()), 404, "unknown_queue"),
        (Request::get("/ws/topic/workflows").body(Body::empty()), 404, "unknown_topic"),
        (Request::get("/ws/topic/market-data").body(Body::empty()), 503, "no_live_messages"),
        (Request::post("/queues/start").body(Body::from("{}")), 415, "unsupported_media_type"),
        (
            Request::post("/queues/start").header("content-type", "application/json").body("{".into()),
            400,
            "invalid_json",
        ),
        (Request::post("/queues/start").header("content-type", "application/json").body(long.into()), 413, "too_large"),
        (
            Request::get("/queues").header("origin", "http://evil.test").header("host", "a").body(Body::empty()),
            403,
            "foreign_origin",
        ),
    ];
    for (request, status, code) in cases {
        let (answered, answer) = api.send(request.unwrap()).await;
        assert_eq!((answered, &answer["code"], &answer["status"]), (status, &json!(code), &json!("error")), "{answer}");
    }
    let own = Request::get("/queues").header("origin", "http://localhost:8080").header("host", "localhost:8080");
    assert_eq!(api.send(own.body(Body::empty()).unwrap()).await.0, 200);
}

#[tokio::test]
async fn lists_are_paged_newest_first_and_filtered() {
    let api = Api::new().await;
    let mut ids = Vec::new();
    for day in 1..=3 {
        ids.push(json!(api.start(day).await));
        api.world.now.fetch_add(1, Ordering::SeqCst);
    }
    let (_, first) = api.get("/queues?limit=2").await;
    let cursor = first["data"]["next_cursor"].as_str().unwrap();
    let (_, second) = api.get(&format!("/queues/list?limit=2&cursor={cursor}")).await;
    let listed = [&first, &second].map(|page| page["data"]["queues"].as_array().unwrap().clone()).concat();
    let listed: Vec<&Value> = listed.iter().map(|queue| &queue["id"]).collect();
    assert_eq!(listed, ids.iter().rev().collect::<Vec<_>>());
    assert_eq!(second["data"]["next_cursor"], Value::Null);
    let (_, none) = api.get("/queues?status=finished").await;
    assert_eq!(none["data"]["queues"], json!([]));
}

#[tokio::test]
async fn a_stop_ends_the_workflow_once() {
    let api = Api::new().await;
    let id = api.start(1).await;
    api.world.engine.attend(&id).await.unwrap();
    let path = format!("/queues/stop?queue_id={id}");
    for _ in 0..2 {
        let (status, answer) = api.send(Request::post(&path).body(Body::empty()).unwrap()).await;
        assert_eq!((status, &answer["data"]["status"]), (200, &json!("stopped")), "{answer}");
    }
    let (status, _) = api.post("/queues/stop", &json!({"queue_id": id})).await;
    assert_eq!(status, 200);
    assert_eq!(api.world.published(EventType::ControlStop).len(), 1);
    assert_eq!(api.world.published(EventType::WorkflowFinished).len(), 1);
    // A request that is delivered after the stop starts nothing.
    api.world.engine.attend(&id).await.unwrap();
    assert_eq!(api.world.workflow(&id).await.status, Status::Stopped);
}

#[tokio::test]
async fn an_ended_workflow_is_started_again_as_another_one() {
    let api = Api::new().await;
    let id = api.start(1).await;
    let retry = json!({"queue_id": id});
    let (status, answer) = api.post("/queues/retry", &retry).await;
    assert_eq!((status, &answer["code"]), (409, &json!("not_ended")), "{answer}");
    api.world.engine.attend(&id).await.unwrap();
    api.world.engine.apply(&id, crate::reduce::Input::Stop).await.unwrap();
    let mut ids = vec![json!(id)];
    for _ in 0..2 {
        let (status, answer) = api.post("/queues/retry", &retry).await;
        assert_eq!(status, 202, "{answer}");
        assert!(!ids.contains(&answer["data"]["queue_id"]), "{answer}");
        ids.push(answer["data"]["queue_id"].clone());
    }
    let again: QueueId = ids[1].as_str().unwrap().parse().unwrap();
    let (before, after) = (api.world.workflow(&id).await, api.world.workflow(&again).await);
    assert_eq!((after.status, after.request), (Status::Pending, before.request));
    // The same key is the same workflow here, too.
    let key = [("idempotency-key", "k")];
    let (_, first) = api.send(post("/queues/retry", &key, &retry)).await;
    let (_, second) = api.send(post("/queues/retry", &key, &retry)).await;
    assert_eq!(first["data"], second["data"]);
    for (body, status, code) in [
        (json!({"queue_id": "wf-none"}), 404, "unknown_queue"),
        (json!({"queue_id": "<img src=x onerror=alert(1)>"}), 404, "unknown_queue"),
        (json!({}), 422, "missing_field"),
        (json!({"queue_id": 1}), 422, "invalid_field"),
        (json!({"queue_id": id, "x": 1}), 422, "unknown_field"),
    ] {
        let (answered, answer) = api.post("/queues/retry", &body).await;
        assert_eq!((answered, &answer["code"]), (status, &json!(code)), "{answer}");
    }
}

#[tokio::test]
async fn control_reaches_the_functions_of_a_workflow_or_the_dummy() {
    let api = Api::new().await;
    let id = api.start(1).await;
    api.world.engine.attend(&id).await.unwrap();
    let (status, answer) = api.post("/queues/control", &json!({"queue_id": id, "command": "ping"})).await;
    assert_eq!(status, 202);
    assert_eq!(answer["data"]["targets"], json!(["loader-api-candles"]));
    let (_, answer) = api.post("/queues/control", &json!({"queue_id": "try-out", "command": "ping"})).await;
    assert_eq!(answer["data"]["targets"], json!(["dummy-service"]));
    assert_eq!(api.world.published(EventType::ControlPing).len(), 2);
    let (_, answer) = api.post("/queues/control", &json!({"queue_id": id, "command": "stop"})).await;
    assert_eq!(answer["data"]["status"], "stopped");
}

#[tokio::test]
async fn progress_is_told_until_the_end() {
    let api = Api::new().await;
    let id = api.start(1).await;
    let request = Request::get(format!("/queues/{id}/events")).body(Body::empty()).unwrap();
    let response = api.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let reading = tokio::spawn(to_bytes(response.into_body(), usize::MAX));
    api.world.engine.attend(&id).await.unwrap();
    api.world.engine.apply(&id, crate::reduce::Input::Stop).await.unwrap();
    let text = String::from_utf8(reading.await.unwrap().unwrap().to_vec()).unwrap();
    assert!(text.starts_with("event: progress\ndata: {"), "{text}");
    let last = text.lines().filter_map(|line| line.strip_prefix("data: ")).next_back().unwrap();
    assert_eq!(serde_json::from_str::<Value>(last).unwrap()["status"], "stopped");
}

#[tokio::test]
async fn live_messages_arrive_over_a_web_socket() {
    let world = World::new().await;
    let bus = Arc::new(SqliteBus::open(&world.folder.path().join("bus.db")).unwrap());
    bus.create_topic("queue-events", &TopicConfig::default()).await.unwrap();
    let router = router(ApiState::new(world.engine.clone(), Some(bus.clone()), "test"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async { axum::serve(listener, router).await });

    let mut socket = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET /ws/topic/queue-events HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    let headers = vec![("ce_id".to_owned(), b"1".to_vec())];
    let record = Record { key: None, headers, value: b"{\"a\":1}".to_vec(), timestamp: 0 };
    bus.publish("queue-events", record).await.unwrap();
    // A text frame of less than 126 bytes, unmasked: RFC 6455, section 5.2.
    assert_eq!(socket.read_u8().await.unwrap(), 0x81);
    let mut text = vec![0; usize::from(socket.read_u8().await.unwrap())];
    socket.read_exact(&mut text).await.unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&text).unwrap(), json!({"id": "1", "data": {"a": 1}}));

    // A masked ping without data is answered; a message that announces a megabyte ends the connection before it comes.
    socket.write_all(&[0x89, 0x80, 0, 0, 0, 0]).await.unwrap();
    assert_eq!((socket.read_u8().await.unwrap(), socket.read_u8().await.unwrap()), (0x8A, 0));
    socket.write_all(&[0x82, 0xFF, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0]).await.unwrap();
    let ended = tokio::time::timeout(std::time::Duration::from_mins(1), socket.read_to_end(&mut Vec::new())).await;
    assert!(ended.is_ok(), "the connection stays open");
    server.abort();
}

#[tokio::test]
async fn the_probes_answer() {
    let api = Api::new().await;
    for probe in ["live", "ready", "startup"] {
        assert_eq!(api.get(&format!("/health/{probe}")).await.0, 200);
    }
}

#[tokio::test]
async fn every_documented_call_is_served_and_every_schema_exists() {
    let api = Api::new().await;
    let (status, document) = api.get("/openapi.json").await;
    assert_eq!((status, &document["openapi"]), (200, &json!("3.1.0")));
    let documented: usize =
        document["paths"].as_object().unwrap().values().map(|path| path.as_object().unwrap().len()).sum();
    assert_eq!(documented, routes::documented().len());
    for route in routes::documented() {
        assert!(document["paths"][route.path][route.method].is_object(), "{}", route.path);
        let request =
            Request::builder().method(route.method.to_uppercase().as_str()).uri(route.path.replace(['{', '}'], ""));
        let (_, answer) = api.send(request.body(Body::empty()).unwrap()).await;
        let code = answer["code"].as_str().unwrap_or_default();
        assert!(!["unknown_path", "method_not_allowed"].contains(&code), "{}", route.path);
    }
    let text = document.to_string();
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(document["components"]["schemas"][name].is_object(), "{name}");
    }
    let (_, page) = api.get("/docs").await;
    assert!(page.as_str().unwrap().contains("/queues/start-pipeline"));
}
