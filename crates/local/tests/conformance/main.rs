//! Holds the ingress and the dispatcher to what Knative's Kafka Broker was measured to do.
//!
//! `tests/data/knative-kafka-data-plane.json` lists facts: what the receiver and the dispatcher of
//! knative-extensions/eventing-kafka-broker v0.50.0 did in front of Apache Kafka 4.3.1, one case a row.
//! Every row runs here over real HTTP against a durable log, with a subscriber that behaves as the row's name says.
//! Timings of the recording mean nothing but their growth: a wait is checked for its least length only.

mod delivery;
mod filters;
mod ingress;
mod order;
mod platform;
mod raw_http;
mod subscriber;

use std::{fs, path::Path};

use serde_json::Value;

/// The measured rows.
fn measured() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/knative-kafka-data-plane.json");
    let text = fs::read_to_string(path).expect("the measured rows are part of the repository");
    serde_json::from_str(&text).expect("the measured rows are JSON")
}

/// Names and contents of one part's rows.
fn rows<'a>(measured: &'a Value, part: &str) -> Vec<(&'a str, &'a Value)> {
    let part = measured[part].as_object().expect("the part has rows by name");
    part.iter().map(|(name, row)| (name.as_str(), row)).collect()
}
