//! Nodes come and go: each workload may be drained, not all of it at once, and is spread over what there is.

use serde_json::{Value, json};
use streamforge_local::manifest::ScaledObject;

use crate::{
    assert_finds, assert_sound,
    tree::{Object, Tree},
};

const SPREAD: &str = "/spec/template/spec/topologySpreadConstraints";
const TOPOLOGIES: [&str; 2] = ["kubernetes.io/hostname", "topology.kubernetes.io/zone"];

#[test]
fn nodes_may_be_drained() {
    assert_sound(problems);
}

#[test]
fn a_workload_in_the_way_or_in_one_place_is_found() {
    let (file, api) = ("knative/graph-builder.yaml", "knative/queue-manager-api.yaml");
    assert_finds(
        problems,
        &[
            (file, "kind: PodDisruptionBudget", "kind: PodBudget", "no PodDisruptionBudget"),
            (file, "maxUnavailable: 50%", "maxUnavailable: 0%", "drain"),
            (file, "maxUnavailable: 50%", "maxUnavailable: 100%", "all"),
            (file, "maxUnavailable: 50%", "minAvailable: 1", "drain"),
            (file, "AlwaysAllow", "IfHealthyBudget", "unhealthy"),
            (api, "maxUnavailable: 1", "minAvailable: 1", "drain"),
            (file, "topologyKey: kubernetes.io/hostname", "topologyKey: kubernetes.io/host", "kubernetes.io/hostname"),
            (file, "ScheduleAnyway", "DoNotSchedule", "Anyway"),
            (
                file,
                "labelSelector: {matchLabels: {app.kubernetes.io/name: graph-builder}}",
                "labelSelector: {matchLabels: {app.kubernetes.io/name: predictor}}",
                "spread",
            ),
        ],
    );
}

pub(crate) fn problems(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    for workload in tree.workloads() {
        let mut found = budgets(tree, workload);
        // One pod has nothing to be spread from.
        if !is_alone(workload, tree) {
            found.extend(TOPOLOGIES.into_iter().filter_map(|topology| spread(workload, topology)));
        }
        problems.extend(found.into_iter().map(|problem| format!("{}: {problem}", workload.label())));
    }
    problems
}

/// Whether there is never more than one of it.
fn is_alone(workload: &Object, tree: &Tree) -> bool {
    let is_its = |scaled: &&ScaledObject| scaled.target.name.name == workload.name();
    match tree.manifests.scaled_objects.iter().find(is_its) {
        Some(scaled) => scaled.max_replica_count == 1,
        None => workload.at("/spec/replicas") == &json!(1),
    }
}

fn budgets(tree: &Tree, workload: &Object) -> Vec<String> {
    let selector = workload.at("/spec/selector");
    let mut budgets = tree.of_kind("PodDisruptionBudget").filter(|budget| budget.at("/spec/selector") == selector);
    match (budgets.next(), budgets.next()) {
        (Some(only), None) => budget(only),
        // Without one, a pod that is alone may be evicted too.
        (None, _) if is_alone(workload, tree) => Vec::new(),
        (None, _) => vec!["it has no PodDisruptionBudget".to_owned()],
        (Some(_), Some(_)) => vec!["it has two budgets, and nobody can drain its node".to_owned()],
    }
}

fn budget(budget: &Object) -> Vec<String> {
    let mut found = Vec::new();
    match budget.at("/spec/maxUnavailable") {
        Value::Number(most) if most.as_u64() == Some(1) => {}
        Value::String(most) => match most.strip_suffix('%').and_then(|number| number.parse().ok()) {
            Some(1..=50) => {}
            Some(51..) => found.push("all of its pods, or nearly, may go at once".to_owned()),
            _ => found.push("nobody can drain its node".to_owned()),
        },
        _ => found.push("nobody can drain its node while it has one pod".to_owned()),
    }
    if budget.text("/spec/unhealthyPodEvictionPolicy") != "AlwaysAllow" {
        found.push("an unhealthy pod of it keeps its node from being drained".to_owned());
    }
    found
}

fn spread(workload: &Object, topology: &str) -> Option<String> {
    let constraint = workload.list(SPREAD).iter().find(|constraint| constraint["topologyKey"] == topology);
    let Some(constraint) = constraint else { return Some(format!("it is not spread over {topology}")) };
    if constraint["whenUnsatisfiable"] != "ScheduleAnyway" {
        return Some("a place with one node takes one pod of it: not ScheduleAnyway".to_owned());
    }
    let is_own = &constraint["labelSelector"] == workload.at("/spec/selector") && constraint["maxSkew"] == 1;
    (!is_own).then(|| format!("its spread over {topology} is not of its own pods"))
}
