//! Bad requests get an answer with code and field, bad events become dead letters that can be replayed.

use serde_json::{Value, json};

use crate::{
    subscriber::{REASON, Subscriber},
    support::{Answer, Folder, Running, until},
};

/// Starts a platform and returns it with its ingress and its API.
fn up(folder: &Folder, manifests: &[&str]) -> (Running, String, String) {
    let ports = ["up", "--exchange", "synthetic:42", "--ingress", "127.0.0.1:0", "--api", "127.0.0.1:0"];
    let mut platform = folder.start(&[&ports, manifests].concat());
    let started = platform.first_json();
    let url = |name: &str| started[name].as_str().unwrap().to_owned();
    (platform, url("ingress"), url("api"))
}

fn letters(folder: &Folder, count: usize) -> Vec<Value> {
    until("dead letters", || Some(folder.dead_letters()).filter(|letters| letters.len() >= count))
}

#[test]
fn what_is_wrong_is_answered_by_the_api_and_written_down_for_events() {
    let folder = Folder::new();
    let (platform, ingress, api) = up(&folder, &[]);
    let good = json!({
        "symbol": "BTCUSDT", "time_range": "2026-03-01:2026-03-01",
        "requests": [{"target": "loader-producer", "type": "api_candles_15m"}],
    });
    let cases = [
        ("/colour", json!(1), "unknown_field", "colour"),
        ("/time_range", json!("yesterday"), "invalid_time_range", "time_range"),
        ("/symbol", json!("BTC USDT"), "invalid_symbol", "symbol"),
        ("/requests/0/type", json!("api_candles_7m"), "invalid_type", "requests[0].type"),
        ("/requests/0/target", json!("moon"), "unsupported_target", "requests[0].target"),
    ];
    for (pointer, value, code, field) in cases {
        let mut body = good.clone();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        body.pointer_mut(parent).unwrap()[name] = value;
        let answer = Answer::post(&format!("{api}/queues/start-pipeline"), &[], &body.to_string());
        assert_eq!(answer.status, 422, "{answer:?}");
        let found = [&answer.body["status"], &answer.body["code"], &answer.body["field"]];
        assert_eq!(found, ["error", code, field], "{answer:?}");
    }
    let answer = Answer::post(&format!("{api}/queues/start-pipeline"), &[], "{");
    assert_eq!((answer.status, &answer.body["code"]), (400, &json!("invalid_json")));

    let publish = |broker: &str, kind: &str, data: &str| {
        folder.json(&["publish", "--broker", broker, "--type", kind, "--data", data])
    };
    publish("workflows", "io.streamforge.workflow.requested.v1", r#"{"symbol":"BTCUSDT","colour":1}"#);
    publish("market-data", "io.streamforge.klines.loaded.v1", r#"{"symbol":"BTCUSDT"}"#);
    let headers = [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/tests")];
    let answer = Answer::post(&format!("{ingress}/streamforge/workflows"), &headers, "{}");
    assert_eq!(answer.status, 400, "without a type it is no event");
    let letters = letters(&folder, 2);
    let reason = |kind: &str| {
        let letter = letters.iter().find(|letter| letter["type"] == kind).unwrap();
        (letter["code"].as_str().unwrap(), letter["answer"].as_str().unwrap())
    };
    let (code, answer) = reason("io.streamforge.workflow.requested.v1");
    assert!(code == "422" && answer.contains("colour"), "{code} {answer}");
    let (code, answer) = reason("io.streamforge.klines.loaded.v1");
    assert!(code == "400" && answer.contains("interval"), "{code} {answer}");
    assert_eq!((letters.len(), folder.workflows().len()), (2, 0));
    assert_eq!(platform.stop().code, Some(0));
}

#[test]
fn a_dead_letter_is_replayed_once_its_subscriber_is_mended() {
    let folder = Folder::new();
    let subscriber = Subscriber::start();
    let url = &subscriber.url;
    folder.write(
        "manifests/triggers/orders.yaml",
        format!(
            "
{{apiVersion: eventing.knative.dev/v1, kind: Broker, metadata: {{name: orders, namespace: shop}}}}
---
{{apiVersion: eventing.knative.dev/v1alpha1, kind: KafkaSink, metadata: {{name: letters, namespace: shop}},
 spec: {{topic: dead-letters}}}}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {{name: orders, namespace: shop}}
spec:
  broker: orders
  subscriber: {{uri: '{url}'}}
  delivery: {{retry: 2, backoffDelay: PT0.1S, deadLetterSink: {{ref: {{kind: KafkaSink, name: letters}}}}}}
"
        ),
    );
    let manifests = folder.path("manifests").display().to_string();
    let (platform, ..) = up(&folder, &["--manifests", &manifests]);
    let target = ["--broker", "orders", "--namespace", "shop"];
    let publish = ["publish", "--type", "shop.order.placed", "--id", "order-1", "--data", r#"{"order":1}"#];
    folder.json(&[&publish[..], &target].concat());
    let letters = letters(&folder, 1);
    let letter = &letters[0];
    let found = [&letter["code"], &letter["answer"], &letter["id"], &letter["replayed"]];
    assert_eq!(found, [&json!("422"), &json!(REASON), &json!("order-1"), &json!(false)]);
    assert_eq!(letter["destination"].as_str().map(|text| text.trim_end_matches('/')), Some(url.trim_end_matches('/')));
    assert_eq!(subscriber.refused().len(), 1, "a refusal for good is not tried again");

    subscriber.mend();
    let replay = ["dead-letters", "replay", letter["letter"].as_str().unwrap()];
    folder.json(&[&replay[..], &target].concat());
    until("the replayed event", || (!subscriber.taken().is_empty()).then_some(()));
    assert_eq!(subscriber.taken(), subscriber.refused(), "the event is what it was");
    let again = folder.command(&[&replay[..], &target].concat());
    assert!(again.code == Some(1) && again.stderr.contains("--again"), "{again:?}");
    let [letter] = &folder.dead_letters()[..] else { panic!("one letter") };
    assert_eq!(letter["replayed"], true);
    assert_eq!(platform.stop().code, Some(0));
}
