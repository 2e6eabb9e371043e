//! Delivery outlasts a cold start, is longer than a function's own deadline, and never loses an event.

use std::time::Duration;

use streamforge_function::VARIABLES;
use streamforge_local::manifest::{BackoffPolicy, Delivery, Destination, Manifests, Trigger};

use crate::{assert_finds, assert_sound, tree::Tree};

/// Shorter than the slowest cold start on a busy node: scaling up, pulling the image, starting.
const SHORTEST_BUDGET: Duration = Duration::from_mins(1);

#[test]
fn delivery_outlasts_a_cold_start() {
    assert_sound(problems);
}

#[test]
fn weak_delivery_is_found() {
    assert_finds(
        problems,
        &[
            ("knative/brokers.yaml", "retry: 60", "retry: 0", "does not retry"),
            ("knative/brokers.yaml", "retry: 60", "retry: 10", "retries end after"),
            ("knative/brokers.yaml", "backoffPolicy: linear", "backoffPolicy: exponential", "linear"),
            ("knative/brokers.yaml", "    timeout: PT330S\n", "", "timeout"),
            ("knative/brokers.yaml", "timeout: PT330S", "timeout: PT300S", "timeout"),
            ("knative/brokers.yaml", "name: dead-letters", "name: dead-letter", "dead letters go nowhere"),
            ("knative/dead-letters.yaml", "kind: KafkaSink", "kind: KafkaSource", "dead letters go nowhere"),
            ("triggers/arango-connector.yaml", "broker: market-data", "broker: market", "Broker"),
            (
                "triggers/graph-builder.yaml",
                "  subscriber:\n",
                "  delivery: {retry: 3}\n  subscriber:\n",
                "dead letters",
            ),
        ],
    );
}

pub(crate) fn problems(tree: &Tree) -> Vec<String> {
    let manifests = &tree.manifests;
    let of = |trigger: &Trigger| {
        let found = match manifests.broker(&trigger.broker) {
            None => vec![format!("its Broker {} is not there", trigger.broker)],
            Some(broker) => match trigger.delivery.as_ref().or(broker.delivery.as_ref()) {
                None => vec!["neither it nor its Broker says how to deliver".to_owned()],
                Some(delivery) => weaknesses(delivery, manifests),
            },
        };
        found.into_iter().map(|problem| format!("Trigger {}: {problem}", trigger.name)).collect::<Vec<_>>()
    };
    manifests.triggers.iter().flat_map(of).collect()
}

fn weaknesses(delivery: &Delivery, manifests: &Manifests) -> Vec<String> {
    let mut found = Vec::new();
    if delivery.retry == 0 {
        found.push("it does not retry".to_owned());
    }
    if delivery.backoff_policy != BackoffPolicy::Linear {
        found.push("backoffPolicy must be linear: exponential waits grow beyond any cold start".to_owned());
    }
    let budget = budget(delivery);
    if budget <= SHORTEST_BUDGET {
        found.push(format!("retries end after {budget:?}, before a cold start may"));
    }
    if delivery.timeout.is_none_or(|timeout| timeout <= deadline()) {
        found.push(format!("timeout must be longer than a function's deadline of {:?}", deadline()));
    }
    let is_there = match &delivery.dead_letter_sink {
        None => false,
        Some(Destination::KafkaSink(name)) => manifests.sink(name).is_some(),
        Some(Destination::Broker(name)) => manifests.broker(name).is_some(),
        Some(Destination::Service { name, .. }) => manifests.services.iter().any(|service| service.name == *name),
        Some(Destination::Uri(_)) => true,
    };
    if !is_there {
        found.push(format!("its dead letters go nowhere: {:?}", delivery.dead_letter_sink));
    }
    found
}

/// Sum of the waits: delay, 2 × delay … retry × delay.
fn budget(delivery: &Delivery) -> Duration {
    let waits = u64::from(delivery.retry) * (u64::from(delivery.retry) + 1) / 2;
    delivery.backoff_delay.unwrap_or_default() * u32::try_from(waits).unwrap_or(u32::MAX)
}

/// How long a function works on one event, unless it is told otherwise.
fn deadline() -> Duration {
    let default = VARIABLES.iter().find(|setting| setting.name == "STREAMFORGE_DEADLINE");
    let text = default.and_then(|setting| setting.default).expect("the host has a deadline");
    let seconds = text.strip_suffix('s').and_then(|number| number.parse().ok()).expect("it is given in seconds");
    Duration::from_secs(seconds)
}
