//! Each stage scales on the lag of its own consumer group, as far as its order of delivery lets it; what is fed by no
//! event scales on the pods that it looks after.

use serde_json::Value;
use streamforge_local::manifest::{
    DeliveryOrder, Destination, KafkaTrigger, Manifests, ScaledObject, Trigger, Workload,
};

use crate::{assert_finds, assert_sound, tree::Tree};

#[test]
fn every_stage_scales_on_its_own_lag() {
    assert_sound(problems);
}

#[test]
fn a_stage_that_scales_wrongly_is_found() {
    let file = "scaledobjects/queue-manager.yaml";
    let group = "consumerGroup: knative-trigger-streamforge-arango-connector";
    assert_finds(
        problems,
        &[
            ("scaledobjects/arango-connector.yaml", group, "consumerGroup: arango-connector", "no Trigger"),
            ("scaledobjects/arango-connector.yaml", "topic: market-data", "topic: workflows", "its Broker's topic"),
            ("scaledobjects/arango-connector.yaml", "    name: arango-connector", "    name: connector", "target"),
            ("scaledobjects/arango-connector.yaml", "    name: arango-connector", "    name: dummy-service", "target"),
            ("scaledobjects/arango-connector.yaml", "    kind: Rollout", "    kind: Deployment", "target"),
            ("scaledobjects/arango-connector.yaml", "minReplicaCount: 0", "minReplicaCount: 1", "zero"),
            ("scaledobjects/arango-connector.yaml", "pollingInterval: 2", "pollingInterval: 30", "pollingInterval"),
            (
                "scaledobjects/graph-builder.yaml",
                "allowIdleConsumers: \"true\"",
                "excludePersistentLag: \"true\"",
                "idle",
            ),
            (file, "allowIdleConsumers: \"true\"", "limitToPartitionsWithLag: \"true\"", "limitToPartitionsWithLag"),
            ("triggers/queue-manager.yaml", UNORDERED, ORDERED, "is ordered"),
            (
                "knative/graph-builder.yaml",
                "spec:\n  selector:\n    matchLabels",
                "spec:\n  replicas: 1\n  selector:\n    matchLabels",
                "replicas",
            ),
            ("scaledobjects/self-healer.yaml", "(function, job)", "(function)", "gnn-trainer"),
            ("scaledobjects/self-healer.yaml", "(function, job)", "(function, job, healer)", "itself"),
            ("scaledobjects/self-healer.yaml", "(function, job)", "(function, job, api)", "never sleeps"),
            (
                "scaledobjects/self-healer.yaml",
                "app.kubernetes.io/component in",
                "app.kubernetes.io/name in",
                "selector",
            ),
            ("scaledobjects/self-healer.yaml", "type: kubernetes-workload", "type: cpu", "neither lag nor pods"),
            ("scaledobjects/dummy-service.yaml", "kind: ScaledObject", "kind: ScaledThing", "scales nothing"),
        ],
    );
}

#[test]
fn more_workers_than_partitions_are_found_where_delivery_is_ordered() {
    let ordered = Tree::read().with("triggers/queue-manager.yaml", UNORDERED, ORDERED).expect("it is valid");
    let tree = ordered.with("scaledobjects/queue-manager.yaml", "maxReplicaCount: 3", "maxReplicaCount: 13");
    let problems = problems(&tree.expect("it is valid"));
    assert!(problems.iter().any(|problem| problem.contains("partitions")), "{problems:?}");
}

const UNORDERED: &str = "delivery.order: unordered";
const ORDERED: &str = "delivery.order: ordered";

pub(crate) fn problems(tree: &Tree) -> Vec<String> {
    let manifests = &tree.manifests;
    let mut problems = Vec::new();
    for scaled in &manifests.scaled_objects {
        let mut found = bounds(scaled, manifests);
        if scaled.triggers.is_empty() {
            found.extend(pod_problems(scaled, tree));
        }
        found.extend(scaled.triggers.iter().flat_map(|lag| lag_problems(scaled, lag, manifests)));
        problems.extend(found.into_iter().map(|problem| format!("ScaledObject {}: {problem}", scaled.name)));
    }
    let groups: Vec<&str> = manifests
        .scaled_objects
        .iter()
        .flat_map(|scaled| &scaled.triggers)
        .map(|lag| lag.consumer_group.as_str())
        .collect();
    let served = manifests.triggers.iter().filter(|trigger| matches!(trigger.subscriber, Destination::Service { .. }));
    let unscaled = served.filter(|trigger| !groups.contains(&trigger.group().as_str()));
    problems.extend(unscaled.map(|trigger| format!("Trigger {}: its lag scales nothing", trigger.name)));
    problems
}

fn bounds(scaled: &ScaledObject, manifests: &Manifests) -> Vec<String> {
    let mut found = Vec::new();
    if scaled.polling_interval.as_secs() > 5 {
        found.push(format!(
            "pollingInterval is {:?}, every event would wait that long for a worker",
            scaled.polling_interval
        ));
    }
    if scaled.min_replica_count > 0 {
        found.push("minReplicaCount must be zero: an idle stage costs nothing".to_owned());
    }
    let is_target = |workload: &&Workload| workload.kind == scaled.target.kind && workload.name == scaled.target.name;
    match manifests.workloads.iter().find(is_target) {
        None => found.push(format!("its target {} is not there", scaled.target.name)),
        Some(workload) if workload.replicas.is_some() => {
            found.push(format!(
                "{} {} has replicas, which would undo scaling at every sync",
                workload.kind, workload.name
            ));
        }
        Some(_) => {}
    }
    found
}

/// What follows no lag follows all pods of functions and jobs, and no pod that would keep it awake forever.
fn pod_problems(scaled: &ScaledObject, tree: &Tree) -> Vec<String> {
    let object = tree.of_kind("ScaledObject").find(|object| object.name() == scaled.name.name);
    let triggers = object.map_or(&[][..], |object| object.list("/spec/triggers"));
    let Some(followed) = triggers.iter().find(|trigger| trigger["type"] == "kubernetes-workload") else {
        return vec!["it follows neither lag nor pods".to_owned()];
    };
    let selector = followed["metadata"]["podSelector"].as_str().unwrap_or_default();
    let list = selector.strip_prefix("app.kubernetes.io/component in (").and_then(|rest| rest.strip_suffix(')'));
    let Some(list) = list else { return vec![format!("its selector {selector} is none of components")] };
    let components: Vec<&str> = list.split(", ").collect();
    let is_followed = |labels: &Value| {
        labels["app.kubernetes.io/component"].as_str().is_some_and(|component| components.contains(&component))
    };
    let mut found = Vec::new();
    for workload in tree.workloads() {
        let is_counted = is_followed(workload.at("/spec/template/metadata/labels"));
        let is_scaled = tree.manifests.scaled_objects.iter().any(|other| other.target.name.name == workload.name());
        if workload.name() == scaled.target.name.name {
            found.extend(is_counted.then(|| "it follows itself".to_owned()));
        } else if is_scaled != is_counted {
            let what = if is_scaled { "it does not follow" } else { "it follows what never sleeps:" };
            found.push(format!("{what} {}", workload.name()));
        }
    }
    let jobs = tree.of_kind("ScaledJob");
    let missed = jobs.filter(|job| !is_followed(job.at("/spec/jobTargetRef/template/metadata/labels")));
    found.extend(missed.map(|job| format!("it does not follow {}", job.name())));
    found
}

fn lag_problems(scaled: &ScaledObject, lag: &KafkaTrigger, manifests: &Manifests) -> Vec<String> {
    let group = &lag.consumer_group;
    let Some(trigger) = manifests.triggers.iter().find(|trigger| trigger.group() == *group) else {
        return vec![format!("{group} is the group of no Trigger")];
    };
    let mut found = Vec::new();
    let topic = manifests.broker(&trigger.broker).map(|broker| broker.topic.clone());
    if topic.is_none() || lag.topic != topic {
        found.push(format!("{group} reads {topic:?}, its Broker's topic, and not {:?}", lag.topic));
    }
    if !feeds(trigger, scaled, manifests) {
        found.push(format!("its target is not what {group} delivers to"));
    }
    let is_ordered = trigger.order == DeliveryOrder::Ordered;
    if is_ordered != lag.limit_to_partitions_with_lag {
        found.push(format!("{group} is {}, limitToPartitionsWithLag does not say so", order(is_ordered)));
    }
    if is_ordered == lag.allow_idle_consumers {
        found.push(format!("{group} is {}, allowIdleConsumers does not say so: idle workers", order(is_ordered)));
    }
    let topic = topic.and_then(|name| manifests.topics.iter().find(|topic| topic.topic == name));
    let partitions = topic.map_or(0, |topic| topic.partitions);
    if is_ordered && scaled.max_replica_count > partitions {
        let most = scaled.max_replica_count;
        found.push(format!("{group} is ordered: {most} workers share {partitions} partitions"));
    }
    found
}

/// Whether the Trigger's events go to what is scaled.
fn feeds(trigger: &Trigger, scaled: &ScaledObject, manifests: &Manifests) -> bool {
    let Destination::Service { name, .. } = &trigger.subscriber else { return false };
    let service = manifests.services.iter().find(|service| service.name == *name);
    let workload = service.and_then(|service| manifests.workload_behind(service));
    workload.is_some_and(|workload| workload.name == scaled.target.name)
}

fn order(is_ordered: bool) -> &'static str {
    if is_ordered { "ordered" } else { "unordered" }
}
