//! Streams of a topic: resumed without gap or repetition, filtered, refused.

use std::collections::BTreeSet;

use futures::StreamExt;
use serde_json::{Value, json};
use streamforge_function::axum::{body::Body, http::Request};
use tower::ServiceExt;

use crate::world::World;

const REPORTED: &str = "io.streamforge.queue.reported.v1";
const ENDED: &str = "io.streamforge.workflow.finished.v1";

/// A client of a stream: what it was told, and the id that it would come back with.
struct Client {
    body: futures::stream::BoxStream<'static, String>,
    rest: String,
    id: String,
}

impl Client {
    async fn open(world: &World, query: &str, id: Option<&str>) -> Self {
        let request = Request::get(format!("/views/topics/queue-events/events{query}"));
        let request = id.into_iter().fold(request, |request, id| request.header("last-event-id", id));
        let response = world.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let chunks = response.into_body().into_data_stream();
        let body = chunks.map(|chunk| String::from_utf8(chunk.unwrap().to_vec()).unwrap()).boxed();
        let mut client = Self { body, rest: String::new(), id: String::new() };
        assert!(client.block().await.is_none(), "the first has an id alone");
        client
    }

    /// The next block: its data if it has any.
    async fn block(&mut self) -> Option<Value> {
        let block = loop {
            if let Some(end) = self.rest.find("\n\n") {
                let block = self.rest[..end].to_owned();
                self.rest.drain(..end + 2);
                break block;
            }
            self.rest += &self.body.next().await.expect("the stream has no end");
        };
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        if let Some(id) = field("id: ") {
            self.id = id;
        }
        field("data: ").map(|data| serde_json::from_str(&data).unwrap())
    }

    /// The number in the next event.
    async fn number(&mut self) -> u64 {
        loop {
            if let Some(message) = self.block().await {
                return message["event"]["data"]["number"].as_u64().unwrap();
            }
        }
    }
}

async fn publish(world: &World, kind: &str, subject: &str, numbers: std::ops::Range<u64>) {
    for number in numbers {
        world.publish("queue-events", kind, subject, &json!({"number": number}).to_string()).await;
    }
}

#[tokio::test]
async fn whoever_comes_back_misses_nothing_and_gets_nothing_twice() {
    let world = World::new().await;
    publish(&world, REPORTED, "before", 100..105).await;
    let mut client = Client::open(&world, "", None).await;
    let mut seen = BTreeSet::new();
    let mut id = client.id.clone();
    // Broken off before the first event, in the middle, and twice at the same place.
    for (round, read) in [0, 7, 0, 0, 3, 10].into_iter().enumerate() {
        let round = round as u64 * 10;
        publish(&world, REPORTED, "wf", round..round + 10).await;
        for _ in 0..read {
            assert!(seen.insert(client.number().await), "an event came twice");
        }
        id = client.id.clone();
        drop(client);
        client = Client::open(&world, "", Some(&id)).await;
    }
    while seen.len() < 60 {
        assert!(seen.insert(client.number().await), "an event came twice");
    }
    assert_eq!(seen, (0..60).collect());
    assert_ne!(client.id, id);
}

#[tokio::test]
async fn only_what_was_asked_for_comes_and_the_place_moves_on() {
    let world = World::new().await;
    let mut client = Client::open(&world, &format!("?type={ENDED}&subject=a&subject=b"), None).await;
    publish(&world, REPORTED, "a", 0..3).await;
    publish(&world, ENDED, "a", 3..4).await;
    publish(&world, ENDED, "c", 4..5).await;
    publish(&world, ENDED, "b", 5..6).await;
    let found = BTreeSet::from([client.number().await, client.number().await]);
    assert_eq!(found, BTreeSet::from([3, 5]));
    publish(&world, REPORTED, "a", 6..9).await;
    let sum = |id: &str| id.split('.').map(|part| part.parse::<u64>().unwrap()).sum::<u64>();
    while sum(&client.id) < 9 {
        assert!(client.block().await.is_none());
    }
}

#[tokio::test]
async fn it_begins_where_a_page_of_messages_ended() {
    let world = World::new().await;
    publish(&world, REPORTED, "a", 0..3).await;
    let (_, page) = world.get("/views/topics/queue-events/messages").await;
    publish(&world, REPORTED, "a", 3..4).await;
    let query = format!("?from={}", page["data"]["end"].as_str().unwrap());
    assert_eq!(Client::open(&world, &query, None).await.number().await, 3);
}

#[tokio::test]
async fn records_that_are_gone_are_told_of() {
    let world = World::new().await;
    publish(&world, REPORTED, "a", 0..1).await;
    let first = world.get("/views/topics/queue-events/messages").await.1["data"]["messages"][0].clone();
    world.drop_all("queue-events").await;
    let mut client = Client::open(&world, "?from=0.0", None).await;
    let gone = client.block().await.unwrap();
    assert_eq!(gone, json!({"partition": first["partition"], "from": 0, "to": 1}));
    publish(&world, REPORTED, "a", 7..8).await;
    assert_eq!(client.number().await, 7);
}

#[tokio::test]
async fn places_that_are_none_are_refused() {
    let world = World::new().await;
    for id in ["x", "1;2", "-1", "99999999999999999999"] {
        let request = Request::get("/views/topics/queue-events/events").header("last-event-id", id);
        let (status, answer) = world.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!((status, &answer["field"]), (422, &json!("Last-Event-ID")), "{id}");
    }
    for (path, status) in [("workflows/events", 404), ("queue-events/events?from=x", 422)] {
        assert_eq!(world.get(&format!("/views/topics/{path}")).await.0, status);
    }
}
