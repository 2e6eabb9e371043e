//! The dummy through the router: each behaviour, its reports and its metrics.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{QUEUE_ID, command};
use dummy_service::{Behaviour, Dummy};
use serde_json::{Value, json};
use streamforge_events::AttributesReader;
use streamforge_function::test_util::{TestIngress, post_event};
use streamforge_function::{Function, router};

const NOW: i64 = 1_722_500_125_456;

async fn reports(ingress: &TestIngress, expected: usize) -> Vec<Value> {
    let events = ingress.wait_for(expected).await;
    assert_eq!(events.len(), expected);
    events.iter().map(|event| streamforge_events::data(event).unwrap()).collect()
}

fn statuses(reports: &[Value]) -> Vec<&str> {
    reports.iter().map(|report| report["status"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn it_loads_step_by_step_as_the_parameters_say() {
    let cases = [
        (json!({}), vec!["started", "finished"]),
        (json!({"simulate_loading": {"steps": 2, "step_ms": 0}}), vec!["started", "loading", "loading", "finished"]),
        (json!({"simulate_loading": {"steps": 2, "step_ms": 0}, "fail_after": 1}), vec!["started", "loading", "error"]),
        (json!({"noop": true}), vec![]),
    ];
    for (parameters, expected) in cases {
        let ingress = TestIngress::start().await;
        let router = router(Dummy::new(Behaviour::default()), ingress.context(Dummy::NAME, NOW));
        let answer = post_event(&router, &command("start", "dummy", &parameters)).await;
        assert_eq!(answer.status, 204, "{}", answer.body);
        let reports = reports(&ingress, expected.len()).await;
        assert_eq!(statuses(&reports), expected, "{parameters}");
        for report in &reports {
            let ends = ["finished", "error"].contains(&report["status"].as_str().unwrap());
            assert_eq!(report["finished"], json!(ends), "{report}");
            assert_eq!((&report["queue_id"], &report["task"]), (&json!(QUEUE_ID), &json!("task-1")));
            assert_eq!((&report["attempt"], &report["timestamp"]), (&json!(1), &json!(1_722_500_125.456)));
            assert_eq!(report["producer"], "dummy-service__a1b2c3");
        }
    }
}

#[tokio::test]
async fn a_command_delivered_twice_is_reported_with_the_same_ids() {
    let ingress = TestIngress::start().await;
    let router = router(Dummy::new(Behaviour::default()), ingress.context(Dummy::NAME, NOW));
    let start = command("start", "dummy", &json!({"simulate_loading": {"steps": 2, "step_ms": 0}}));
    for _ in 0..2 {
        assert_eq!(post_event(&router, &start).await.status, 204);
    }
    let ids: Vec<String> = ingress.events().iter().map(|event| event.id().to_owned()).collect();
    assert_eq!(ids.len(), 8);
    assert_eq!(ids[..4], ids[4..]);
    assert_eq!(ids[..4].iter().collect::<std::collections::HashSet<_>>().len(), 4);
}

#[tokio::test]
async fn a_bad_version_refuses_as_often_as_it_was_built_to() {
    let ingress = TestIngress::start().await;
    let behaviour = serde_json::from_value(json!({"refuse_every": 3})).unwrap();
    let router = router(Dummy::new(behaviour), ingress.context(Dummy::NAME, NOW));
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(post_event(&router, &command("start", "dummy", &json!({"noop": true}))).await.status);
    }
    assert_eq!(statuses, [204, 204, 503, 204, 204, 503]);
}

#[tokio::test]
async fn a_stop_interrupts_the_load() {
    let ingress = TestIngress::start().await;
    let router = router(Dummy::new(Behaviour::default()), ingress.context(Dummy::NAME, NOW));
    let start = command("start", "dummy", &json!({"simulate_loading": {"steps": 10_000, "step_ms": 1}}));
    let loading = tokio::spawn({
        let router = router.clone();
        async move { post_event(&router, &start).await }
    });
    ingress.wait_for(2).await;
    assert_eq!(post_event(&router, &command("stop", "dummy", &json!({}))).await.status, 204);
    assert_eq!(loading.await.unwrap().status, 204);
    let reports: Vec<Value> = ingress.events().iter().map(|event| streamforge_events::data(event).unwrap()).collect();
    assert_eq!(reports.last().unwrap()["status"], "interrupted");
    assert_eq!(statuses(&reports).iter().filter(|status| **status == "finished").count(), 0);
}

#[tokio::test]
async fn what_it_cannot_do_is_refused() {
    let ingress = TestIngress::start().await;
    let router = router(Dummy::new(Behaviour::default()), ingress.context(Dummy::NAME, NOW));
    let foreign = command("start", "api_candles_5m", &json!({}));
    assert_eq!(post_event(&router, &foreign).await.status, 422);
    let unknown = command("start", "dummy", &json!({"fail": 1}));
    assert_eq!(post_event(&router, &unknown).await.status, 400);
    assert_eq!(ingress.events(), Vec::new());
}

#[tokio::test]
async fn it_exits_where_it_is_told_to() {
    let ingress = TestIngress::start().await;
    let exits = Arc::new(AtomicUsize::new(0));
    let dummy = |behaviour: Value| {
        let exits = Arc::clone(&exits);
        let behaviour: Behaviour = serde_json::from_value(behaviour).unwrap();
        Dummy::with_exit(behaviour, move || {
            exits.fetch_add(1, Ordering::SeqCst);
        })
    };
    let after_a_step = router(
        dummy(json!({"simulate_loading": {"steps": 3, "step_ms": 0}, "exit_after": 1})),
        ingress.context(Dummy::NAME, NOW),
    );
    assert_eq!(post_event(&after_a_step, &command("start", "dummy", &json!({}))).await.status, 503);
    assert_eq!(statuses(&reports(&ingress, 2).await), ["started", "loading"]);
    let on_ping = router(dummy(json!({"exit_on_ping": true})), ingress.context(Dummy::NAME, NOW));
    assert_eq!(post_event(&on_ping, &command("ping", "dummy", &json!({}))).await.status, 204);
    assert_eq!(exits.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_ping_is_answered_with_the_time_and_counted() {
    let ingress = TestIngress::start().await;
    let dummy = Dummy::new(Behaviour::default());
    let mut registry = streamforge_function::prometheus_client::registry::Registry::default();
    dummy.register_metrics(&mut registry);
    let router = router(dummy, ingress.context(Dummy::NAME, NOW));
    assert_eq!(post_event(&router, &command("ping", "dummy", &json!({}))).await.status, 204);
    let reports = reports(&ingress, 1).await;
    assert_eq!((&reports[0]["status"], &reports[0]["timestamp"]), (&json!("pong"), &json!(1_722_500_125.456)));
    let mut scrape = String::new();
    streamforge_function::prometheus_client::encoding::text::encode(&mut scrape, &registry).unwrap();
    for line in [
        r#"dummy_events_total{event="ping"} 1"#,
        "dummy_pings_total 1",
        "dummy_pongs_total 1",
        r#"dummy_status_last{status="pong"} 1"#,
        r#"dummy_status_last{status="finished"} 0"#,
    ] {
        assert!(scrape.contains(line), "{line} is not in\n{scrape}");
    }
}
