//! Topics and their messages, newest first.

use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn topics_are_listed_with_what_they_hold() {
    let world = World::new().await;
    world.publish("queue-events", "io.streamforge.queue.reported.v1", "wf-1", "{}").await;
    let (_, answer) = world.get("/views/topics").await;
    let topics = answer["data"]["topics"].as_array().unwrap();
    let topic = |name: &str| topics.iter().find(|topic| topic["name"] == name).unwrap();
    let held = topic("queue-events")["partitions"].as_array().unwrap();
    let numbers = |name: &str| held.iter().map(|part| part[name].as_u64().unwrap()).sum::<u64>();
    assert_eq!((held.len(), numbers("partition"), numbers("begin"), numbers("end")), (2, 1, 0, 1));
    assert_eq!((&topic("queue-events")["is_public"], &topic("workflows")["is_public"]), (&json!(true), &json!(false)));
}

#[tokio::test]
async fn messages_come_newest_first_and_long_ones_are_cut() {
    let world = World::new().await;
    let hostile = "<img src=x onerror=alert(1)>";
    for number in 0..7 {
        let data = json!({"number": number, "text": hostile}).to_string();
        world.publish("queue-events", "io.streamforge.queue.reported.v1", hostile, &data).await;
    }
    let long = format!("\"{}\"", "x".repeat(20_000));
    world.publish("queue-events", "io.streamforge.queue.reported.v1", "wf-1", &long).await;
    let (mut path, mut numbers) = ("/views/topics/queue-events/messages?limit=3".to_owned(), Vec::new());
    let mut pages = 0;
    loop {
        let (status, answer) = world.get(&path).await;
        assert_eq!(status, 200, "{answer}");
        for message in answer["data"]["messages"].as_array().unwrap() {
            match message["truncated"].as_u64() {
                Some(size) => {
                    assert_eq!((size, message["event"]["data"].as_str().unwrap().len()), (20_002, 16 << 10));
                }
                None => numbers.push(message["event"]["data"]["number"].as_u64().unwrap()),
            }
        }
        pages += 1;
        let Some(before) = answer["data"]["before"].as_str() else { break };
        path = format!("/views/topics/queue-events/messages?limit=3&before={before}");
    }
    assert_eq!((pages, numbers), (3, vec![6, 5, 4, 3, 2, 1, 0]));
    let wanted = "/views/topics/queue-events/messages?limit=2&subject=wf-1&subject=wf-2";
    let (_, answer) = world.get(wanted).await;
    assert_eq!(answer["data"]["messages"].as_array().map(Vec::len), Some(1));
    let rest = answer["data"]["before"].as_str().unwrap();
    let (_, answer) = world.get(&format!("{wanted}&before={rest}")).await;
    assert_eq!((&answer["data"]["messages"], &answer["data"]["before"]), (&json!([]), &json!(null)));
    let (_, answer) = world.get("/views/topics/queue-events/messages?type=none&type=other").await;
    assert_eq!(answer["data"]["messages"], json!([]));
    for (path, status) in [
        ("queue-events/messages?before=x", 422),
        ("queue-events/messages?limit=501", 422),
        ("workflows/messages", 404),
        ("%3Cimg%20src=x%3E/messages", 404),
        ("%FF/messages", 400),
    ] {
        assert_eq!(world.get(&format!("/views/topics/{path}")).await.0, status, "{path}");
    }
}
