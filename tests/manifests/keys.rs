//! Known names of fields where the schemas let any pass: annotations, delivery, the metadata of a KEDA trigger.

use serde_json::Value;

use crate::{
    assert_finds, assert_sound,
    tree::{Object, Tree},
};

/// # Source
/// <https://github.com/knative/eventing/blob/main/pkg/apis/duck/v1/delivery_types.go>
const DELIVERY: [&str; 7] =
    ["retry", "timeout", "backoffPolicy", "backoffDelay", "deadLetterSink", "retryAfterMax", "format"];

const BROKER: [&str; 2] = ["config", "delivery"];
const TRIGGER: [&str; 5] = ["broker", "delivery", "filter", "filters", "subscriber"];

const ANNOTATIONS: [(&str, &[&str]); 4] = [
    ("Broker", &["eventing.knative.dev/broker.class", "kafka.eventing.knative.dev/external.topic"]),
    ("Trigger", &["kafka.eventing.knative.dev/delivery.order"]),
    // Why a linter is wrong here.
    ("Deployment", &["checkov.io/skip1"]),
    ("ScaledJob", &["argocd.argoproj.io/sync-options"]),
];

/// Metadata of a KEDA trigger of type `kafka`, as far as we use it; every value is a string.
///
/// # Source
/// <https://keda.sh/docs/latest/scalers/apache-kafka/>
const KAFKA: [&str; 11] = [
    "bootstrapServers",
    "consumerGroup",
    "topic",
    "lagThreshold",
    "activationLagThreshold",
    "offsetResetPolicy",
    "scaleToZeroOnInvalidOffset",
    "allowIdleConsumers",
    "excludePersistentLag",
    "limitToPartitionsWithLag",
    "version",
];

/// Metadata of a KEDA trigger of type `kubernetes-workload`.
///
/// # Source
/// <https://keda.sh/docs/latest/scalers/kubernetes-workload/>
const WORKLOAD: [&str; 3] = ["podSelector", "value", "activationValue"];

#[test]
fn every_field_is_known() {
    assert_sound(problems);
}

#[test]
fn a_misspelt_field_is_found() {
    assert_finds(
        problems,
        &[
            ("knative/brokers.yaml", "backoffDelay", "backOffDelay", "backOffDelay"),
            ("knative/brokers.yaml", "external.topic", "externaltopic", "externaltopic"),
            ("triggers/queue-manager.yaml", "delivery.order", "delivery-order", "delivery-order"),
            ("triggers/queue-manager.yaml", "  filter:", "  filtre:", "filtre"),
            ("scaledobjects/dummy-service.yaml", "lagThreshold", "lagTreshold", "lagTreshold"),
            ("scaledobjects/dummy-service.yaml", "lagThreshold: \"5\"", "lagThreshold: 5", "lagThreshold"),
            ("scaledobjects/dummy-service.yaml", "version: \"3.9.0\"", "version: 3.9", "version"),
            ("scaledobjects/dummy-service.yaml", "- type: kafka", "- type: kafak", "kafak"),
            ("scaledobjects/self-healer.yaml", "podSelector", "podSelectors", "podSelectors"),
            ("scaledobjects/gnn-trainer.yaml", "lagThreshold: \"1\"", "lagThreshold: 1", "lagThreshold"),
            ("scaledobjects/gnn-trainer.yaml", "sync-options", "sync-option", "sync-option"),
        ],
    );
}

pub(crate) fn problems(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    for object in &tree.objects {
        let mut found = Vec::new();
        match object.text("/kind") {
            "Broker" => found.extend(unknown(object, "/spec", &BROKER)),
            "Trigger" => found.extend(unknown(object, "/spec", &TRIGGER)),
            "ScaledObject" | "ScaledJob" => found.extend(object.list("/spec/triggers").iter().flat_map(metadata)),
            _ => {}
        }
        found.extend(unknown(object, "/spec/delivery", &DELIVERY));
        let known =
            ANNOTATIONS.iter().find(|(kind, _)| *kind == object.text("/kind")).map_or(&[][..], |(_, known)| known);
        found.extend(unknown(object, "/metadata/annotations", known));
        problems.extend(found.into_iter().map(|problem| format!("{}: {problem}", object.label())));
    }
    problems
}

fn unknown(object: &Object, pointer: &str, known: &[&str]) -> Vec<String> {
    let names = object.keys(pointer).into_iter().filter(|name| !known.contains(name));
    names.map(|name| format!("{pointer} does not know {name}")).collect()
}

fn metadata(trigger: &Value) -> Vec<String> {
    let known = match trigger["type"].as_str() {
        Some("kafka") => &KAFKA[..],
        Some("kubernetes-workload") => &WORKLOAD[..],
        _ => return vec![format!("a trigger of type {} is not one of ours", trigger["type"])],
    };
    let fields = trigger["metadata"].as_object().into_iter().flatten();
    let wrong = fields.filter(|(name, value)| !known.contains(&name.as_str()) || !value.is_string());
    wrong.map(|(name, value)| format!("metadata must not say {name}: {value}")).collect()
}
