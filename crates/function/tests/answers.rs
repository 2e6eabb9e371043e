//! The answer table: what a broker is told for every way that an event can go.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod common;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Request};
use cloudevents::AttributesWriter;
use common::{Probe, start};
use streamforge_function::test_util::{Answer, TestIngress, config, post_event, post_raw, send};
use streamforge_function::{Context, Function, axum, router, wire};

fn with(ingress: &TestIngress, changes: &[(&str, &str)]) -> Context {
    let mut variables = vec![("STREAMFORGE_INGRESS_URL", ingress.url()), ("STREAMFORGE_PUBLISH_ATTEMPTS", "2")];
    variables.extend(changes);
    Context::new(Probe::NAME, config(&variables, &[])).unwrap()
}

fn assert_refusal(answer: &Answer, status: u16, reason: &str) {
    assert_eq!((answer.status, answer.reason.as_str()), (status, reason), "{}", answer.body);
    assert!(!answer.body.is_empty() && answer.body.len() <= 1024, "{} bytes", answer.body.len());
}

#[tokio::test]
async fn done_is_204_and_empty_after_every_output_was_acknowledged() {
    let ingress = TestIngress::start().await;
    let answer = post_event(&router(Probe::default(), with(&ingress, &[])), &start("")).await;
    assert_eq!(answer, Answer { status: 204, reason: String::new(), body: String::new() });
    assert_eq!(ingress.events().len(), 6);
}

#[tokio::test]
async fn every_way_to_fail_has_its_status_and_reason() {
    let ingress = TestIngress::start().await;
    let router = router(Probe::default(), with(&ingress, &[]));
    let cases = [
        ("invalid", 400, "INVALID_EVENT"),
        ("unprocessable", 422, "UNPROCESSABLE"),
        ("conflict", 409, "CONFLICT"),
        ("busy", 429, "BUSY"),
        ("unavailable", 503, "UNAVAILABLE"),
        ("internal", 500, "INTERNAL"),
        ("panic", 500, "INTERNAL"),
        ("too large", 422, "OUTPUT_REFUSED"),
        ("unknown output", 422, "OUTPUT_REFUSED"),
    ];
    for (what, status, reason) in cases {
        assert_refusal(&post_event(&router, &start(what)).await, status, reason);
    }
    assert!(!post_event(&router, &start("panic")).await.body.contains("told so"));
    assert_eq!(ingress.events(), Vec::new());
    assert_eq!(post_event(&router, &start("")).await.status, 204, "a panic leaves the function at work");
}

#[tokio::test]
async fn an_unknown_type_is_unprocessable() {
    let ingress = TestIngress::start().await;
    let router = router(Probe::default(), with(&ingress, &[]));
    for kind in ["com.example.other", "io.streamforge.workflow.requested.v1"] {
        let mut event = start("");
        event.set_type(kind);
        assert_refusal(&post_event(&router, &event).await, 422, "UNKNOWN_TYPE");
    }
}

#[tokio::test]
async fn a_malformed_event_is_refused_before_the_function_sees_it() {
    let ingress = TestIngress::start().await;
    let router = router(Probe::default(), with(&ingress, &[]));
    let (headers, _) = wire::encode(&start("panic")).unwrap();
    assert_refusal(&post_raw(&router, headers.clone(), Body::from("{")).await, 400, "INVALID_JSON");
    let mut empty_id = headers.clone();
    empty_id.insert("ce-id", HeaderValue::from_static(""));
    assert_refusal(&post_raw(&router, empty_id, Body::from("{}")).await, 400, "EMPTY_ATTRIBUTE");
    let mut batch = HeaderMap::new();
    batch.insert("content-type", HeaderValue::from_static("application/cloudevents-batch+json"));
    assert_refusal(&post_raw(&router, batch, Body::from("[]")).await, 415, "BATCH_MODE");
    assert_refusal(&post_raw(&router, HeaderMap::new(), Body::empty()).await, 400, "NOT_A_CLOUDEVENT");
}

#[tokio::test]
async fn structured_mode_is_accepted() {
    let ingress = TestIngress::start().await;
    let router = router(Probe::default(), with(&ingress, &[]));
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/cloudevents+json"));
    let body = serde_json::to_vec(&start("")).unwrap();
    assert_eq!(post_raw(&router, headers, body.into()).await.status, 204);
}

#[tokio::test]
async fn an_oversized_body_is_413_with_and_without_a_length() {
    let ingress = TestIngress::start().await;
    let router = router(Probe::default(), with(&ingress, &[("STREAMFORGE_BODY_LIMIT", "1000")]));
    let (headers, _) = wire::encode(&start("")).unwrap();
    let sized = Body::from(vec![b' '; 1001]);
    assert_refusal(&post_raw(&router, headers.clone(), sized).await, 413, "TOO_LARGE");
    let chunks = (0..1_000).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 100])));
    let chunked = Body::from_stream(futures::stream::iter(chunks));
    assert_refusal(&post_raw(&router, headers.clone(), chunked).await, 413, "TOO_LARGE");
    let mut fitting = br#"{"do":""}"#.to_vec();
    fitting.resize(1000, b' ');
    assert_eq!(post_raw(&router, headers, fitting.into()).await.status, 204);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_400() {
    let ingress = TestIngress::start().await;
    let router = router(Probe::default(), with(&ingress, &[]));
    let (headers, _) = wire::encode(&start("")).unwrap();
    let broken = Body::from_stream(futures::stream::iter([
        Ok(Bytes::from_static(b"{")),
        Err(std::io::Error::other("the caller hung up")),
    ]));
    assert_refusal(&post_raw(&router, headers, broken).await, 400, "UNREADABLE_BODY");
}

#[tokio::test]
async fn over_the_deadline_is_503() {
    let ingress = TestIngress::start().await;
    let router = router(Probe::default(), with(&ingress, &[("STREAMFORGE_DEADLINE", "5ms")]));
    assert_refusal(&post_event(&router, &start("never end")).await, 503, "DEADLINE");
}

#[tokio::test]
async fn a_body_that_never_ends_is_503_at_the_deadline() {
    let ingress = TestIngress::start().await;
    let router = router(Probe::default(), with(&ingress, &[("STREAMFORGE_DEADLINE", "5ms")]));
    let (headers, _) = wire::encode(&start("")).unwrap();
    let endless = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
    assert_refusal(&post_raw(&router, headers, endless).await, 503, "DEADLINE");
}

#[tokio::test]
async fn too_many_at_once_is_429_until_one_ends() {
    let ingress = TestIngress::start().await;
    let probe = Probe::default();
    let router = router(probe.clone(), with(&ingress, &[("STREAMFORGE_MAX_IN_FLIGHT", "1")]));
    let first = tokio::spawn({
        let router = router.clone();
        async move { post_event(&router, &start("wait")).await }
    });
    probe.begun.notified().await;
    assert_refusal(&post_event(&router, &start("")).await, 429, "BUSY");
    probe.gate.add_permits(1);
    assert_eq!(first.await.unwrap().status, 204);
    assert_eq!(post_event(&router, &start("")).await.status, 204);
}

#[tokio::test]
async fn only_events_probes_and_the_api_have_a_path() {
    let ingress = TestIngress::start().await;
    let router = router(Probe::default(), with(&ingress, &[]));
    let cases = [
        ("GET", "/health/live", 200),
        ("GET", "/health/startup", 503),
        ("GET", "/health/ready", 503),
        ("POST", "/health/live", 405),
        ("GET", "/", 405),
        ("GET", "/metrics", 404),
        ("GET", "/name", 200),
        ("POST", "/echo", 200),
    ];
    for (method, path, status) in cases {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        assert_eq!(send(&router, request).await.status, status, "{method} {path}");
    }
}

#[tokio::test]
async fn the_functions_own_routes_share_the_body_limit() {
    let ingress = TestIngress::start().await;
    let router = router(Probe::default(), with(&ingress, &[("STREAMFORGE_BODY_LIMIT", "1000")]));
    for (size, status) in [(1000, 200), (1001, 413)] {
        let body = Body::from(vec![b' '; size]);
        let request = Request::post("/echo").body(body).unwrap();
        assert_eq!(send(&router, request).await.status, status, "{size} bytes");
    }
}
