//! Tries, waits, dead letters, replies and commits for every answer of a subscriber.

use std::{collections::BTreeMap, net::TcpListener, time::Duration};

use serde_json::{Value, json};
use streamforge_local::dispatcher::Replies;

use crate::{
    measured,
    platform::{Platform, broker, shown, trigger},
    raw_http::Exchange,
    rows,
    subscriber::{Seen, Subscriber},
};

/// A timer may be this much early against another clock.
const TOLERANCE: Duration = Duration::from_millis(5);

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_end_as_measured() {
    let measured = measured();
    let rows = rows(&measured, "delivery");
    let subscriber = Subscriber::start().await;
    let closed = closed_port();
    let mut objects = vec![broker("delivery")];
    for (row, _) in &rows {
        let address = subscriber.address.to_string();
        let host = if row.ends_with("refused") { &closed } else { &address };
        let mut spec = json!({"broker": "delivery",
            "filter": {"attributes": {"type": format!("t.{row}")}},
            "subscriber": {"uri": format!("http://{host}/c/{row}")}});
        if let Some(delivery) = delivery(row, &address) {
            spec["delivery"] = delivery;
        }
        objects.push(trigger(row, "unordered", &spec));
    }
    let platform = Platform::start(&objects).await;
    for (row, _) in &rows {
        let (id, kind) = (format!("e-{row}"), format!("t.{row}"));
        let attributes =
            [("id", id.as_str()), ("source", "/s"), ("type", &kind), ("queueid", "q"), ("partitionkey", "k1")];
        platform.post("delivery", &attributes, &format!("{{\"n\": \"{row}\"}}")).await;
    }
    platform
        .dispatch(|subscription| {
            if subscription.trigger.name == "discard-reply" {
                subscription.replies = Replies::Discard;
            }
        })
        .await;
    // Every row's event is committed in the end, whatever became of it.
    platform.committed("delivery", rows.len() as u64).await;

    for (offset, (row, expected)) in rows.iter().enumerate() {
        assert_eq!(expected["committed_past_it"], true, "{row}");
        let seen = subscriber.seen(&format!("/c/{row}"));
        assert_eq!(expected["attempts"], seen.len(), "{row}: attempts");
        check_waits(row, &seen);
        let letters = subscriber.seen(&format!("/d/{row}"));
        assert_eq!(expected["dead_lettered"], letters.len(), "{row}: dead letters");
        for letter in &letters {
            let host = subscriber.address.to_string();
            let added = added_headers(&letter.request);
            let expected = expected_headers(&expected["dead_letter_headers"], &host, &closed, offset);
            assert_eq!(added, expected, "{row}");
        }
    }
    assert_eq!(rows.len(), 71);
    assert!(subscriber.seen("/c/not-to-be-followed").is_empty(), "redirects are not followed");
    check_requests(&measured, &subscriber, &rows);
    check_replies(&measured, &platform).await;
}

/// Delivery settings as the row's name asks, else those that the recording was made with.
fn delivery(row: &str, address: &str) -> Option<Value> {
    if row == "no-delivery-500" {
        return None;
    }
    let (policy, retry) = policy(row);
    // Only where a row is about the timeout must it be short; elsewhere a busy machine could exceed it.
    let timeout = if row.starts_with("hang") { "PT1.5S" } else { "PT30S" };
    let mut delivery = json!({"retry": retry, "backoffPolicy": policy, "backoffDelay": "PT0.2S",
                              "timeout": timeout});
    if !row.starts_with("no-dls") {
        delivery["deadLetterSink"] = json!({"uri": format!("http://{address}/d/{row}")});
    }
    Some(delivery)
}

fn policy(row: &str) -> (&'static str, u32) {
    match row {
        "exponential-503" => ("exponential", 4),
        "linear-503" => ("linear", 6),
        _ if row.starts_with("retry0") => ("linear", 0),
        _ => ("linear", 3),
    }
}

fn check_waits(row: &str, seen: &[Seen]) {
    for (number, pair) in (1_u32..).zip(seen.windows(2)) {
        let gap = pair[1].at - pair[0].at;
        let factor = match policy(row).0 {
            "exponential" => 2_u32.pow(number),
            _ => number,
        };
        // A busy machine may notice a request late that is timed from its sending, so not the whole timeout is asked for.
        let hang = if row.starts_with("hang") { Duration::from_millis(500) } else { Duration::ZERO };
        let least = hang + Duration::from_millis(200) * factor;
        assert!(gap + TOLERANCE >= least, "{row}: wait {number} was {gap:?}, not {least:?}");
        // Loose enough for a busy machine, tight enough to tell linear growth from exponential.
        let most = least + Duration::from_secs(5);
        assert!(gap < most, "{row}: wait {number} was {gap:?}");
    }
    if row.ends_with("retry-after-2") {
        let asked_for = Duration::from_secs(2) * 3;
        let whole = seen[seen.len() - 1].at - seen[0].at;
        assert!(whole < asked_for, "{row}: the subscriber's wish was heard");
    }
}

/// The event's own attributes, which no row lists.
const SENT: [&str; 6] = ["ce-specversion", "ce-id", "ce-source", "ce-type", "ce-queueid", "ce-partitionkey"];

fn added_headers(request: &Exchange) -> BTreeMap<String, String> {
    let is_added = |name: &str| name.starts_with("ce-") && !SENT.contains(&name);
    let added = request.headers.iter().filter(|(name, _)| is_added(name));
    added.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// A row's headers with this run's addresses and offset.
fn expected_headers(row: &Value, host: &str, closed: &str, offset: usize) -> BTreeMap<String, String> {
    let mut headers: BTreeMap<String, String> = serde_json::from_value(row.clone()).expect("headers of a dead letter");
    for (name, value) in &mut headers {
        *value = value.replace("127.0.0.1:PORT", host).replace("127.0.0.1:CLOSED", closed);
        if name == "ce-knativekafkaoffset" {
            *value = offset.to_string();
        }
    }
    headers
}

/// The whole requests that the recording shows.
fn check_requests(measured: &Value, subscriber: &Subscriber, rows: &[(&str, &Value)]) {
    for (part, path) in [("request_seen_by_subscriber", "/c/200-empty"), ("request_seen_by_dead_letter_sink", "/d/500")]
    {
        let row = path.rsplit('/').next().unwrap_or_default();
        let offset = rows.iter().position(|(name, _)| *name == row).expect("the row exists");
        let host = subscriber.address.to_string();
        let mut expected = expected_headers(&measured[part]["headers"], &host, "", offset);
        let seen = &subscriber.seen(path)[0].request;
        let mut headers = seen.headers.clone();
        assert!(seen.start.starts_with("POST "), "{part}");
        // How a client calls itself and what it accepts is its own affair.
        for own in ["user-agent", "accept"] {
            expected.remove(own);
            headers.remove(own);
        }
        assert_eq!(headers, expected, "{part}");
        assert_eq!(seen.body, format!("{{\"n\": \"{row}\"}}").as_bytes(), "{part}");
    }
}

async fn check_replies(measured: &Value, platform: &Platform) {
    let records = platform.records("delivery").await;
    let replies = records.iter().filter(|record| record.header("ce_id") == Some(b"reply-1"));
    let mut replies: Vec<String> = replies.map(|record| shown(record).to_string()).collect();
    let expected = measured["replies_on_topic"].as_array().expect("a list of records");
    let mut expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
    replies.sort();
    expected.sort();
    assert_eq!(replies, expected);
}

/// An address at which nobody listens.
fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("a bound listener has an address").to_string()
}
