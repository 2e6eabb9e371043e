//! Outputs: acknowledged before the answer, in order per key, with the same ids every time, in the caller's trace.

mod common;

use axum::http::StatusCode;
use common::{Probe, event, start};
use serde_json::json;
use streamforge_events::{AttributesReader, extension};
use streamforge_function::test_util::{TestIngress, config, post_event};
use streamforge_function::{Context, Function, axum, router};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[tokio::test]
async fn an_ingress_that_is_down_is_503_and_the_redelivery_publishes_everything() {
    let ingress = TestIngress::start().await;
    let router = router(Probe::default(), ingress.context(Probe::NAME, 0));
    ingress.answer_with(StatusCode::SERVICE_UNAVAILABLE);
    let answer = post_event(&router, &start("")).await;
    assert_eq!((answer.status, answer.reason.as_str()), (503, "PUBLISH_FAILED"));
    assert!(answer.body.contains(&format!("{}/streamforge/queue-events", ingress.url())), "{}", answer.body);
    assert!(ingress.refused() >= 2, "a refused output is tried again");
    assert_eq!(ingress.events(), Vec::new());

    ingress.answer_with(StatusCode::ACCEPTED);
    assert_eq!(post_event(&router, &start("")).await.status, 204);
    // A try that was given up may arrive as late as now, so that an output can be there twice, by the same id.
    let ids: std::collections::HashSet<String> = ingress.events().iter().map(|event| event.id().to_owned()).collect();
    assert_eq!(ids.len(), 6);
}

#[tokio::test]
async fn an_ingress_that_is_not_there_is_503_and_its_password_stays_secret() {
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://user:s3cret@{}", nobody.local_addr().unwrap());
    drop(nobody);
    let config = config(&[("STREAMFORGE_INGRESS_URL", &url), ("STREAMFORGE_PUBLISH_ATTEMPTS", "1")], &[]);
    let router = router(Probe::default(), Context::new(Probe::NAME, config).unwrap());
    let answer = post_event(&router, &start("")).await;
    assert_eq!((answer.status, answer.reason.as_str()), (503, "PUBLISH_FAILED"));
    assert!(!answer.body.contains("s3cret"), "{}", answer.body);
}

#[tokio::test]
async fn a_redelivered_event_yields_the_same_outputs_in_order_per_key() {
    let ingress = TestIngress::start().await;
    let router = router(Probe::default(), ingress.context(Probe::NAME, 0));
    let mut rounds = Vec::new();
    for round in 1..=2 {
        assert_eq!(post_event(&router, &start("")).await.status, 204);
        rounds.push(ingress.events().split_off(6 * (round - 1)));
    }
    for key in ["wf-0", "wf-1"] {
        let ids = |events: &[streamforge_function::Event]| -> Vec<String> {
            let of_key = events.iter().filter(|event| extension(event, "partitionkey").as_deref() == Some(key));
            of_key.map(|event| event.id().to_owned()).collect()
        };
        let number = &key[3..];
        let expected: Vec<String> =
            (0..6).map(|n| format!("out-{n}")).skip(number.parse().unwrap()).step_by(2).collect();
        assert_eq!(ids(&rounds[0]), expected);
        assert_eq!(ids(&rounds[1]), expected);
    }
}

#[tokio::test]
async fn outputs_go_to_the_broker_of_their_type_within_the_callers_trace() {
    let ingress = TestIngress::start().await;
    let router = router(Probe::default(), ingress.context(Probe::NAME, 0));
    let mut cause = start("progress");
    cause.set_extension("traceparent", PARENT);
    cause.set_extension("tracestate", "vendor=1");
    assert_eq!(post_event(&router, &cause).await.status, 204);
    let received = ingress.received();
    let mut spans = std::collections::HashSet::from([PARENT.to_owned()]);
    assert_eq!(received.len(), 2);
    for received in &received {
        assert_eq!(received.broker, "streamforge/queue-events");
        let parent = extension(&received.event, "traceparent").unwrap();
        assert_eq!(received.headers["traceparent"], parent.as_str());
        assert_eq!(parent[..36], PARENT[..36], "the trace id is carried on");
        assert_eq!(extension(&received.event, "tracestate").as_deref(), Some("vendor=1"));
        assert!(spans.insert(parent), "each output has a span of its own");
    }
}

#[tokio::test]
async fn a_broken_traceparent_begins_a_new_trace() {
    let ingress = TestIngress::start().await;
    let router = router(Probe::default(), ingress.context(Probe::NAME, 0));
    let mut cause = start("progress");
    cause.set_extension("traceparent", PARENT.to_uppercase());
    assert_eq!(post_event(&router, &cause).await.status, 204);
    let parents: Vec<String> = ingress.events().iter().map(|event| extension(event, "traceparent").unwrap()).collect();
    assert_ne!(parents[0][3..35], PARENT[3..35]);
    assert_eq!(parents[0][3..35], parents[1][3..35]);
}

#[tokio::test]
async fn a_ping_is_answered_by_the_host_and_a_stop_is_remembered() {
    let ingress = TestIngress::start().await;
    let context = ingress.context(Probe::NAME, 1_722_500_000_123);
    let router = router(Probe::default(), context.clone());
    let queue_id = "wf-btcusdt-api_candles_5m-20240801-a1b2c3";
    let command = |command: &str| {
        let kind = format!("io.streamforge.control.{command}.v1");
        event(&kind, command, queue_id, &common::command(command, queue_id))
    };
    for _ in 0..2 {
        assert_eq!(post_event(&router, &command("ping")).await.status, 204);
    }
    let pongs = ingress.events();
    assert_eq!(pongs[0].id(), pongs[1].id());
    let pong: serde_json::Value = streamforge_events::data(&pongs[0]).unwrap();
    assert_eq!((&pong["status"], &pong["queue_id"]), (&json!("pong"), &json!(queue_id)));
    assert_eq!(pong["producer"], "probe__a1b2c3");
    assert_eq!(pong["timestamp"], 1_722_500_000.123);

    let queue = queue_id.parse().unwrap();
    assert!(!context.is_stopped(&queue));
    assert_eq!(post_event(&router, &command("stop")).await.status, 204);
    assert!(context.is_stopped(&queue));
    assert_eq!(ingress.events().len(), 2);
}
