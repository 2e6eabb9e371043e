//! Dispatchers with workers that come and go, other topics as targets, and restarts.

mod fixture;
mod metrics;

use std::{collections::HashMap, sync::atomic::Ordering, time::Duration};

use streamforge_bus::TopicConfig;
use streamforge_local::dispatcher::{InitialOffset, Options};

use fixture::{Closing, Fixture, Worker, until};

#[tokio::test]
async fn an_event_waits_for_the_first_worker_and_counts_as_lag() {
    let fixture = Fixture::new(1).await;
    fixture.endpoints.set(&Fixture::service(), &[]);
    let running = fixture.run("patient", Options::default()).await;
    fixture.publish(1, "k").await;
    let group = "knative-trigger-default-patient";
    let lag = fixture.bus.lag(group, "knative-broker-default-in").await.unwrap();
    assert_eq!(lag, [1]);
    let (worker, address) = Worker::start(10).await;
    fixture.endpoints.set(&Fixture::service(), &[address]);
    until("commit", async || fixture.committed("patient").await == 1).await;
    assert_eq!(worker.seen().len(), 1);
    running.stop().await;
}

#[tokio::test]
async fn without_any_worker_the_timeout_ends_in_the_dead_letter_topic() {
    let fixture = Fixture::new(1).await;
    fixture.endpoints.set(&Fixture::service(), &[]);
    let running = fixture.run("worker", Options::default()).await;
    fixture.publish(1, "k").await;
    until("commit", async || fixture.committed("worker").await == 1).await;
    let letters = fixture.records("sunk").await;
    assert_eq!(letters.len(), 1);
    let header = |name| letters[0].header(name).map(String::from_utf8_lossy);
    assert_eq!(header("ce_id").unwrap(), "1");
    assert_eq!(header("ce_knativekafkaoffset").unwrap(), "0");
    let address = "http://worker.default.svc.cluster.local/work";
    assert_eq!(header("ce_knativeerrordest").unwrap(), address);
    assert_eq!(header("ce_knativeerrorcode"), None);
    running.stop().await;
}

#[tokio::test]
async fn a_broker_as_subscriber_gets_the_event_as_it_was() {
    let fixture = Fixture::new(1).await;
    let running = fixture.run("forward", Options::default()).await;
    fixture.publish(1, "k").await;
    until("commit", async || fixture.committed("forward").await == 1).await;
    let mut forwarded = fixture.records("knative-broker-default-out").await;
    let mut sent = fixture.records("knative-broker-default-in").await;
    for record in forwarded.iter_mut().chain(&mut sent) {
        record.timestamp = 0;
    }
    assert_eq!(forwarded, sent);
    running.stop().await;
}

#[tokio::test]
async fn ordered_delivery_keeps_each_partition_in_order_and_them_apart() {
    let fixture = Fixture::new(4).await;
    let (worker, address) = Worker::start(0).await;
    fixture.endpoints.set(&Fixture::service(), &[address]);
    let keys = ["a", "b", "c", "d", "e", "f"];
    for number in 0..60 {
        fixture.publish(number, keys[number % keys.len()]).await;
    }
    let running = fixture.run("ordered", Options::default()).await;
    let ends = fixture.bus.end_offsets("knative-broker-default-in").await.unwrap();
    let busy = ends.iter().filter(|end| **end > 0).count();
    until("one request for each partition", async || worker.seen().len() == busy).await;
    worker.permits.add_permits(60);
    until("commit", async || fixture.committed("ordered").await == 60).await;
    let mut last: HashMap<String, usize> = HashMap::new();
    for (id, key) in worker.seen() {
        let id: usize = id.parse().unwrap();
        assert!(last.insert(key, id).is_none_or(|earlier| earlier < id));
    }
    running.stop().await;
}

#[tokio::test]
async fn unordered_delivery_has_many_events_of_a_partition_under_way() {
    let fixture = Fixture::new(1).await;
    let (worker, address) = Worker::start(0).await;
    fixture.endpoints.set(&Fixture::service(), &[address]);
    for number in 0..40 {
        fixture.publish(number, "k").await;
    }
    let running = fixture.run("patient", Options { max_in_flight: 20, batch: 8, ..Options::default() }).await;
    until("as many as allowed", async || worker.seen().len() == 20).await;
    worker.permits.add_permits(40);
    until("commit", async || fixture.committed("patient").await == 40).await;
    assert_eq!(worker.seen().len(), 40, "each event once");
    running.stop().await;
}

#[tokio::test]
async fn events_after_each_other_share_a_connection() {
    let fixture = Fixture::new(1).await;
    let worker = Closing::start(3, false).await;
    fixture.endpoints.set(&Fixture::service(), &[worker.address]);
    let running = fixture.run("ordered", Options::default()).await;
    for number in 0..3 {
        fixture.publish(number, "k").await;
    }
    until("commit", async || fixture.committed("ordered").await == 3).await;
    assert_eq!(worker.seen(), [0, 0, 0]);
    running.stop().await;
}

/// The Trigger tries once and has no dead letter sink: an attempt that failed would lose the event.
#[tokio::test]
async fn a_connection_closed_while_idle_is_no_failed_delivery() {
    let fixture = Fixture::new(1).await;
    let worker = Closing::start(1, false).await;
    fixture.endpoints.set(&Fixture::service(), &[worker.address]);
    let running = fixture.run("patient", Options::default()).await;
    for number in 0..3 {
        fixture.publish(number, "k").await;
        let done = number + 1;
        until("close", async || worker.closed.load(Ordering::SeqCst) == done).await;
        until("commit", async || fixture.committed("patient").await == done as u64).await;
    }
    assert_eq!(worker.seen(), [0, 1, 2]);
    running.stop().await;
}

#[tokio::test]
async fn a_connection_closed_under_a_request_is_no_failed_delivery() {
    let fixture = Fixture::new(1).await;
    let worker = Closing::start(1, true).await;
    fixture.endpoints.set(&Fixture::service(), &[worker.address]);
    let running = fixture.run("patient", Options::default()).await;
    for number in 0..2 {
        fixture.publish(number, "k").await;
        until("commit", async || fixture.committed("patient").await == number as u64 + 1).await;
    }
    assert_eq!(worker.seen(), [0, 0, 1], "the second event came again over a new connection");
    running.stop().await;
}

#[tokio::test]
async fn a_restart_delivers_again_what_was_not_committed() {
    let fixture = Fixture::new(1).await;
    let (worker, address) = Worker::start(0).await;
    fixture.endpoints.set(&Fixture::service(), &[address]);
    for number in 0..6 {
        fixture.publish(number, "k").await;
    }
    let options = Options { max_in_flight: 3, drain: Duration::from_millis(50), ..Options::default() };
    let running = fixture.run("patient", options.clone()).await;
    until("bounded in flight", async || worker.seen().len() == 3).await;
    worker.permits.add_permits(1);
    until("one more", async || worker.seen().len() == 4).await;
    running.stop().await;
    let committed = fixture.committed("patient").await;
    assert!(committed <= 1, "only a contiguous prefix of finished events: {committed}");
    assert!(worker.seen().len() <= 4, "nothing is started while stopping");

    worker.permits.add_permits(100);
    let running = fixture.run("patient", options).await;
    until("commit", async || fixture.committed("patient").await == 6).await;
    let mut ids: Vec<String> = worker.seen().into_iter().map(|(id, _)| id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 6);
    running.stop().await;
}

#[tokio::test]
async fn a_stop_lets_requests_in_flight_end_and_commits_them() {
    let fixture = Fixture::new(1).await;
    let (worker, address) = Worker::start(0).await;
    fixture.endpoints.set(&Fixture::service(), &[address]);
    fixture.publish(1, "k").await;
    let running = fixture.run("patient", Options::default()).await;
    until("request", async || worker.seen().len() == 1).await;
    running.stop.cancel();
    worker.permits.add_permits(1);
    running.task.await.unwrap();
    assert_eq!(fixture.committed("patient").await, 1);
}

#[tokio::test]
async fn a_new_group_may_begin_at_the_end() {
    let fixture = Fixture::new(1).await;
    fixture.publish(1, "k").await;
    let options = Options { initial_offset: InitialOffset::Latest, ..Options::default() };
    let running = fixture.run("forward", options).await;
    assert_eq!(fixture.committed("forward").await, 1, "before anything is delivered");
    fixture.publish(2, "k").await;
    until("commit", async || fixture.committed("forward").await == 2).await;
    let forwarded = fixture.records("knative-broker-default-out").await;
    assert_eq!(forwarded.len(), 1);
    assert_eq!(forwarded[0].header("ce_id"), Some(b"2".as_slice()));
    running.stop().await;
}

#[tokio::test]
async fn partitions_added_while_running_are_read_too() {
    let fixture = Fixture::new(1).await;
    let running = fixture.run("forward", Options::default()).await;
    fixture.publish(0, "k").await;
    until("commit", async || fixture.committed("forward").await == 1).await;
    let config = TopicConfig { partitions: 4, ..TopicConfig::default() };
    let adding = fixture.bus.create_topic("knative-broker-default-in", &config);
    adding.await.expect("partitions can be added");
    for number in 1..20 {
        fixture.publish(number, &format!("key {number}")).await;
    }
    until("commit", async || fixture.committed("forward").await == 20).await;
    running.stop().await;
}

#[tokio::test]
async fn a_group_that_retention_passed_is_told_and_goes_on() {
    const TOPIC: &str = "knative-broker-default-in";
    let fixture = Fixture::new(1).await;
    fixture.publish(0, "k").await;
    let running = fixture.run("forward", Options::default()).await;
    until("commit", async || fixture.committed("forward").await == 1).await;
    running.stop().await;

    for number in 1..5 {
        fixture.publish(number, "k").await;
    }
    let config = TopicConfig { retention_ms: Some(1), ..TopicConfig::default() };
    fixture.bus.create_topic(TOPIC, &config).await.expect("a limit");
    assert_eq!(fixture.bus.enforce_retention(1000).await.expect("retention"), 5);
    let running = fixture.run("forward", Options::default()).await;
    // Nothing is left, and yet the group has come to the end.
    until("commit", async || fixture.committed("forward").await == 5).await;
    fixture.publish(5, "k").await;
    until("commit", async || fixture.committed("forward").await == 6).await;
    running.stop().await;

    let forwarded = fixture.records("knative-broker-default-out").await;
    let ids: Vec<_> = forwarded.iter().map(|record| record.header("ce_id").unwrap()).collect();
    assert_eq!(ids, [b"0", b"5"]);
    let groups = fixture.bus.groups().await.expect("groups");
    let lost: Vec<u64> = groups.iter().map(|group| group.lost).collect();
    assert_eq!(lost, [4]);

    // A new group has lost nothing: it begins at the oldest record held.
    let running = fixture.run("ordered", Options::default()).await;
    assert_eq!(fixture.committed("ordered").await, 5);
    running.stop().await;
}
