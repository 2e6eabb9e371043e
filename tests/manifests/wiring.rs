//! Brokers, topics, Services and workloads name each other, and what they name is there.

use streamforge_events::Topic;
use streamforge_function::VARIABLES;
use streamforge_local::manifest::{Destination, Manifests, ObjectName};

use crate::{
    assert_finds, assert_sound,
    tree::{Object, Tree},
};

#[test]
fn whatever_is_named_is_there() {
    assert_sound(problems);
}

#[test]
fn a_name_without_an_object_is_found() {
    assert_finds(
        problems,
        &[
            ("knative/topics.yaml", "name: market-data", "name: market", "KafkaTopic"),
            ("knative/topics.yaml", "name: dead-letters", "name: dead-letter", "KafkaTopic"),
            ("knative/brokers.yaml", "external.topic: graph-builder", "external.topic: graph", "KafkaTopic"),
            ("knative/brokers.yaml", "external.topic: workflows", "external.topic: queue-events", "topic"),
            ("knative/dummy-service.yaml", "port: 80,", "port: 8080,", "port 80"),
            ("knative/dummy-service.yaml", "targetPort: http", "targetPort: https", "https"),
            (
                "knative/dummy-service.yaml",
                "  selector:\n    app.kubernetes.io/name: dummy-service",
                "  selector:\n    app.kubernetes.io/name: dummy",
                "selects no workload",
            ),
            ("triggers/arango-connector.yaml", "      name: arango-connector", "      name: connector", "Service"),
            ("triggers/dummy-service.yaml", "      name: dummy-service\n---", "      name: dummy\n---", "Broker"),
            ("triggers/dummy-service.yaml", "namespace: streamforge", "namespace: default", "namespace"),
        ],
    );
}

pub(crate) fn problems(tree: &Tree) -> Vec<String> {
    let mut problems = namespaces(tree);
    problems.extend(topics(&tree.manifests));
    problems.extend(subscribers(&tree.manifests));
    problems.extend(tree.of_kind("Service").flat_map(|service| ports(tree, service)));
    problems
}

/// A Trigger and its Broker, a Service and its pods must share a namespace, and functions publish into one.
fn namespaces(tree: &Tree) -> Vec<String> {
    let setting = VARIABLES.iter().find(|setting| setting.name == "STREAMFORGE_NAMESPACE");
    let namespace = setting.and_then(|setting| setting.default).expect("the host has a namespace");
    let objects = tree.objects.iter().filter(|object| object.text("/kind") != "Kustomization");
    let strangers = objects.filter(|object| object.text("/metadata/namespace") != namespace);
    strangers.map(|object| format!("{}: its namespace is not {namespace}", object.label())).collect()
}

fn topics(manifests: &Manifests) -> Vec<String> {
    let is_there = |topic: &str| manifests.topics.iter().any(|known| known.topic == topic);
    let missing = manifests.topic_names().into_iter().filter(|topic| !is_there(topic));
    let missing = missing.map(|topic| format!("topic {topic} has no KafkaTopic"));
    // Events of a type are published to the Broker that has the name of the type's topic.
    let is_served = |topic: Topic| {
        let mut brokers = manifests.brokers.iter();
        brokers.any(|broker| broker.name.name == topic.as_str() && broker.topic == topic.as_str())
    };
    let unserved = Topic::ALL.into_iter().filter(|topic| !is_served(*topic));
    missing.chain(unserved.map(|topic| format!("topic {topic} has no Broker of its name"))).collect()
}

fn subscribers(manifests: &Manifests) -> Vec<String> {
    let mut problems = Vec::new();
    for trigger in &manifests.triggers {
        let problem = match &trigger.subscriber {
            Destination::Service { name, .. } => service_problem(manifests, name),
            Destination::Broker(name) if manifests.broker(name).is_none() => {
                Some(format!("Broker {name} is not there"))
            }
            Destination::KafkaSink(name) if manifests.sink(name).is_none() => {
                Some(format!("KafkaSink {name} is not there"))
            }
            Destination::Broker(_) | Destination::KafkaSink(_) | Destination::Uri(_) => None,
        };
        problems.extend(problem.map(|problem| format!("Trigger {}: {problem}", trigger.name)));
    }
    problems
}

fn service_problem(manifests: &Manifests, name: &ObjectName) -> Option<String> {
    let Some(service) = manifests.services.iter().find(|service| service.name == *name) else {
        return Some(format!("Service {name} is not there"));
    };
    if !service.ports.iter().any(|port| port.port == 80) {
        return Some(format!("Service {name} does not listen on port 80"));
    }
    let is_served = manifests.workload_behind(service).is_some();
    (!is_served).then(|| format!("Service {name} selects no workload's pods"))
}

/// Ports of a Service that lead to no port of its pods.
fn ports(tree: &Tree, service: &Object) -> Vec<String> {
    let behind = tree.workloads().filter(|workload| {
        let labels = workload.at("/spec/template/metadata/labels");
        service.keys("/spec/selector").into_iter().all(|key| labels[key] == service.at("/spec/selector")[key])
    });
    let open: Vec<_> = behind.flat_map(|workload| workload.list("/spec/template/spec/containers/0/ports")).collect();
    let is_open = |target: &serde_json::Value| {
        open.iter().any(|port| port["name"] == *target || port["containerPort"] == *target)
    };
    let closed = service.list("/spec/ports").iter().filter(|port| !is_open(&port["targetPort"]));
    closed
        .map(|port| format!("{}: targetPort {} is no port of its pods", service.label(), port["targetPort"]))
        .collect()
}
