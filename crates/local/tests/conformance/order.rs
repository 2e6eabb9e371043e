//! In which order a failing subscriber sees events.

use serde_json::json;

use crate::{
    measured,
    platform::{Platform, broker, trigger},
    rows,
    subscriber::{Subscriber, id},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_event_holds_up_the_next_only_when_ordered() {
    let measured = measured();
    let rows = rows(&measured, "order");
    assert_eq!(rows.len(), 2);
    for (order, expected) in rows {
        let expected: Vec<&str> = expected.as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
        let subscriber = Subscriber::start().await;
        let spec = json!({"broker": "order",
            "subscriber": {"uri": format!("http://{}/o/{order}", subscriber.address)},
            "delivery": {"retry": 3, "backoffPolicy": "linear", "backoffDelay": "PT0.5S"}});
        let platform = Platform::start(&[broker("order"), trigger("t", order, &spec)]).await;
        for number in 0..4 {
            let id = format!("{order}-{number}");
            platform.post("order", &[("id", &id), ("source", "/s"), ("type", "t")], "{}").await;
        }
        platform.dispatch(|_| {}).await;
        platform.committed("order", 4).await;
        let seen = subscriber.seen(&format!("/o/{order}"));
        let mut seen: Vec<&str> = seen.iter().map(|seen| id(&seen.request)).collect();
        if order == "ordered" {
            assert_eq!(seen, expected);
            continue;
        }
        // Which of several events in flight comes first is chance; that the two retries come last is not.
        assert_eq!(seen.len(), expected.len());
        let (first, retried) = seen.split_at_mut(4);
        first.sort_unstable();
        assert_eq!(first, ["unordered-0", "unordered-1", "unordered-2", "unordered-3"]);
        assert!(retried.iter().all(|id| first.contains(id)) && retried[0] != retried[1]);
    }
}
