//! The namespace's quota: all that scaling may ask for fits, and not much more.

use serde_json::{Value, json};

use crate::{assert_finds, assert_sound, tree::Tree};

#[test]
fn scaling_out_fits_the_quota() {
    assert_sound(problems);
}

#[test]
fn a_quota_too_small_or_too_large_is_found() {
    let file = "knative/limits.yaml";
    assert_finds(
        problems,
        &[
            (file, "pods: \"64\"", "pods: \"40\"", "pods"),
            (file, "limits.cpu: \"108\"", "limits.cpu: \"80\"", "limits.cpu"),
            (file, "limits.memory: 208Gi", "limits.memory: 100Gi", "limits.memory"),
            (file, "limits.memory: 208Gi", "limits.memory: 2000Gi", "limits.memory"),
            (file, "requests.cpu: \"16\"", "requests.cpu: \"8\"", "requests.cpu"),
            (file, "requests.nvidia.com/gpu: \"4\"", "requests.nvidia.com/gpu: \"3\"", "gpu"),
            (file, "max: {cpu: \"8\", memory: 32Gi}", "max: {cpu: \"4\", memory: 32Gi}", "LimitRange"),
            (file, "max: {cpu: \"8\", memory: 32Gi}", "max: {cpu: \"8\", memory: 16Gi}", "LimitRange"),
            ("scaledobjects/predictor.yaml", "maxReplicaCount: 4", "maxReplicaCount: 40", "pods"),
            ("scaledobjects/gnn-trainer.yaml", "maxReplicaCount: 4", "maxReplicaCount: 5", "gpu"),
        ],
    );
}

/// A resource in thousandths of a processor, in mebibytes, or in pieces.
const MEASURES: [&str; 5] =
    ["requests.cpu", "requests.memory", "limits.cpu", "limits.memory", "requests.nvidia.com/gpu"];

pub(crate) fn problems(tree: &Tree) -> Vec<String> {
    let Some(quota) = tree.of_kind("ResourceQuota").next() else { return vec!["there is no ResourceQuota".to_owned()] };
    let groups = groups(tree);
    let hard = quota.at("/spec/hard");
    let pods: u64 = groups.iter().map(|(count, _)| count).sum();
    let mut problems: Vec<String> =
        complaint("pods", pods * amount(&json!(1)), amount(&hard["pods"])).into_iter().collect();
    for measure in MEASURES {
        let (kind, resource) = measure.split_once('.').expect("a kind and a resource");
        let needed = groups.iter().map(|(count, resources)| count * amount(of(resources, kind, resource))).sum();
        problems.extend(complaint(measure, needed, amount(&hard[measure])));
    }
    let largest = tree.of_kind("LimitRange").flat_map(|range| range.list("/spec/limits")).map(|limit| &limit["max"]);
    for max in largest {
        for resource in ["cpu", "memory"] {
            if groups.iter().any(|(_, resources)| amount(of(resources, "limits", resource)) > amount(&max[resource])) {
                problems.push(format!("the LimitRange lets no container have {resource} that one asks for"));
            }
        }
    }
    problems
}

fn complaint(measure: &str, needed: u64, there: u64) -> Option<String> {
    // Pods that end still count, and a quota that is never met says nothing.
    let most = if measure.ends_with("gpu") { needed } else { needed * 2 };
    (!(needed..=most).contains(&there)).then(|| format!("{measure}: {needed} may be needed, the quota is {there}"))
}

/// How many pods there may be at once, and what each asks for.
fn groups(tree: &Tree) -> Vec<(u64, &Value)> {
    let mut groups = Vec::new();
    for workload in tree.workloads() {
        let scaled = tree.manifests.scaled_objects.iter().find(|scaled| scaled.target.name.name == workload.name());
        let most = scaled.map(|scaled| u64::from(scaled.max_replica_count));
        // One more while there are two versions.
        let most = most.or(workload.at("/spec/replicas").as_u64()).unwrap_or(1) + 1;
        groups.push((most, workload.at("/spec/template/spec/containers/0/resources")));
    }
    for job in tree.of_kind("ScaledJob") {
        let most = job.at("/spec/maxReplicaCount").as_u64().unwrap_or(100);
        groups.push((most, job.at("/spec/jobTargetRef/template/spec/containers/0/resources")));
    }
    groups
}

/// What a container asks for; a device is requested as it is limited.
fn of<'a>(resources: &'a Value, kind: &str, resource: &str) -> &'a Value {
    match &resources[kind][resource] {
        Value::Null if resource.contains('/') => &resources["limits"][resource],
        found => found,
    }
}

/// A quantity in the smallest unit that these manifests use.
///
/// # Source
/// <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>
fn amount(quantity: &Value) -> u64 {
    let text = quantity.as_str().map_or_else(|| quantity.to_string(), str::to_owned);
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().unwrap_or(0);
    match &text[digits..] {
        "m" | "Mi" => number,
        "Gi" => number * 1024,
        "" | "null" => number * 1000,
        unit => panic!("{text} has the unit {unit}, which nobody here reads"),
    }
}
