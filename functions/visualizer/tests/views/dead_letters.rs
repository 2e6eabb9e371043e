//! Dead letters listed newest first, and sent on their way again.

use serde_json::{Value, json};
use streamforge_events::AttributesReader;
use streamforge_function::axum::{
    body::Body,
    http::{Request, StatusCode},
};
use streamforge_message::Replays;

use crate::world::World;

const LOADED: &str = "io.streamforge.klines.loaded.v1";

async fn letter(world: &World, kind: &str, id: &str) {
    let headers = [
        ("ce_id", id),
        ("ce_type", kind),
        ("ce_subject", "<img src=x onerror=alert(1)>"),
        ("ce_knativeerrorcode", "422"),
        ("ce_knativeerrordata", "bm8gc3VjaCBpbnRlcnZhbA=="),
        ("ce_knativeerrordest", "http://arango-connector.streamforge.svc.cluster.local"),
    ];
    world.publish_with("dead-letters", &headers, "{\"a\":1}").await;
}

fn replay(body: &Value) -> Request<Body> {
    let request = Request::post("/views/dead-letters/replay").header("content-type", "application/json");
    request.body(Body::from(body.to_string())).unwrap()
}

async fn listed(world: &World, query: &str) -> (Vec<Value>, Value) {
    let (status, answer) = world.get(&format!("/views/dead-letters{query}")).await;
    assert_eq!(status, 200, "{answer}");
    (answer["data"]["letters"].as_array().unwrap().clone(), answer["data"]["next_cursor"].clone())
}

#[tokio::test]
async fn letters_come_newest_first_with_their_reason() {
    let world = World::new().await;
    for id in ["1", "2", "3"] {
        letter(&world, LOADED, id).await;
    }
    let (first, cursor) = listed(&world, "?limit=2").await;
    let (second, end) = listed(&world, &format!("?limit=2&cursor={}", cursor.as_str().unwrap())).await;
    let ids: Vec<&Value> = first.iter().chain(&second).map(|letter| &letter["id"]).collect();
    assert_eq!(
        (ids, end),
        (vec!["3", "2", "1"].into_iter().map(|id| json!(id)).collect::<Vec<_>>().iter().collect(), Value::Null)
    );
    let newest = &first[0];
    assert_eq!(newest["reason"], "422 no such interval");
    assert_eq!(
        (&newest["topic"], &newest["code"], &newest["replayed"]),
        (&json!("dead-letters"), &json!("422"), &json!(false))
    );
    assert_eq!(
        (&newest["event"]["data"], &newest["event"]["subject"]),
        (&json!({"a": 1}), &json!("<img src=x onerror=alert(1)>"))
    );
    for query in ["?cursor=x", "?limit=0", "?colour=1"] {
        assert_eq!(world.get(&format!("/views/dead-letters{query}")).await.0, 422, "{query}");
    }
}

#[tokio::test]
async fn a_letter_goes_again_where_it_came_from_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let replays = Replays::new(folder.path().join("replayed"));
    let world = World::with(|sources| sources.replays = Some(replays)).await;
    letter(&world, LOADED, "7").await;
    let (letters, _) = listed(&world, "").await;
    let mut place =
        json!({"topic": "dead-letters", "partition": letters[0]["partition"], "offset": letters[0]["offset"]});
    let (status, answer) = world.send(replay(&place)).await;
    assert_eq!((status, &answer["data"]["broker"]), (202, &json!("market-data")), "{answer}");
    let received = world.ingress.received();
    assert_eq!(
        (received.len(), received[0].broker.as_str(), received[0].event.id()),
        (1, "streamforge/market-data", "7")
    );
    assert!(received[0].headers.keys().all(|name| !name.as_str().contains("knative")), "{:?}", received[0].headers);
    assert_eq!(listed(&world, "").await.0[0]["replayed"], true);
    let (status, answer) = world.send(replay(&place)).await;
    assert_eq!((status, &answer["code"]), (409, &json!("replayed_before")));
    place["again"] = json!(true);
    assert_eq!(world.send(replay(&place)).await.0, 202);
    assert_eq!(world.ingress.received().len(), 2);
}

#[tokio::test]
async fn a_letter_that_cannot_go_again_says_why() {
    let world = World::new().await;
    letter(&world, "org.example.other", "1").await;
    let (letters, _) = listed(&world, "").await;
    let place = json!({"partition": letters[0]["partition"], "offset": letters[0]["offset"]});
    for (body, status, code) in [
        (place, 422, "unknown_type"),
        (json!({"partition": 0, "offset": 99}), 404, "unknown_letter"),
        (json!({"partition": 99, "offset": 0}), 404, "unknown_letter"),
        (json!({"topic": "workflows", "partition": 0, "offset": 0}), 422, "unknown_topic"),
        (json!({"partition": 0}), 422, "missing_field"),
        (json!({"partition": -1, "offset": 0}), 422, "invalid_field"),
        (json!({"partition": 0, "offset": 1.5}), 422, "invalid_field"),
        (json!({"partition": 0, "offset": u64::MAX}), 422, "invalid_field"),
    ] {
        let (answered, answer) = world.send(replay(&body)).await;
        assert_eq!((answered, &answer["code"]), (status, &json!(code)), "{body}: {answer}");
    }
    letter(&world, LOADED, "2").await;
    world.ingress.answer_with(StatusCode::BAD_REQUEST);
    let (letters, _) = listed(&world, "").await;
    let place = json!({"partition": letters[0]["partition"], "offset": letters[0]["offset"]});
    assert_eq!(world.send(replay(&place)).await.0, 503);
}
