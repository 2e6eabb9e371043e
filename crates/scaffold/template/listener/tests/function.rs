//! The function through the router, over a recording ingress.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use sample_listener::SampleListener;
use serde_json::{Value, json};
use streamforge_events::{Event, EventType, Millis};
use streamforge_function::{
    Function,
    axum::Router,
    router,
    test_util::{TestIngress, post_event},
};

const NOW: Millis = 1_722_500_125_456;

fn event(kind: EventType, payload: &Value) -> Event {
    let event = json!({
        "specversion": "1.0", "id": "1", "source": "/streamforge/test", "type": kind.as_str(), "subject": "BTCUSDT",
        "partitionkey": "BTCUSDT", "datacontenttype": "application/json", "data": payload,
    });
    serde_json::from_value(event).unwrap()
}

fn function(ingress: &TestIngress) -> Router {
    let context = ingress.context(SampleListener::NAME, NOW);
    router(SampleListener, context)
}

#[tokio::test]
async fn what_it_accepts_is_heard_as_often_as_it_comes_and_causes_nothing() {
    let ingress = TestIngress::start().await;
    let function = function(&ingress);
    for kind in SampleListener.accepts().iter().cycle().take(2) {
        assert_eq!(post_event(&function, &event(*kind, &json!({}))).await.status, 204);
    }
    assert!(ingress.events().is_empty());
}

#[tokio::test]
async fn what_it_does_not_accept_is_refused() {
    let ingress = TestIngress::start().await;
    let function = function(&ingress);
    for kind in EventType::ALL.iter().filter(|kind| !SampleListener.accepts().contains(kind)) {
        let is_hosts = [EventType::ControlPing, EventType::ControlStop].contains(kind);
        if !is_hosts {
            assert_eq!(post_event(&function, &event(*kind, &json!({}))).await.status, 422, "{kind}");
        }
    }
}
