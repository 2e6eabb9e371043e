//! Pods run as somebody who is there: functions as one who has no rights, and nobody as the namespace's default.

use crate::{assert_finds, assert_sound, tree::Tree};

#[test]
fn pods_run_as_somebody_who_is_there() {
    assert_sound(problems);
}

#[test]
fn a_pod_of_nobody_is_found() {
    let (file, job) = ("knative/predictor.yaml", "scaledobjects/gnn-trainer.yaml");
    let accounts = "knative/account.yaml";
    assert_finds(
        problems,
        &[
            (file, "      serviceAccountName: streamforge\n", "", "default"),
            (file, "serviceAccountName: streamforge", "serviceAccountName: stream", "not there"),
            (job, "        serviceAccountName: streamforge\n", "", "default"),
            (accounts, "name: streamforge\n", "name: functions\n", "not there"),
            (accounts, "automountServiceAccountToken: false", "automountServiceAccountToken: true", "token"),
        ],
    );
}

pub(crate) fn problems(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    let templates = tree.workloads().map(|workload| (workload, "/spec/template/spec/serviceAccountName"));
    let jobs = tree.of_kind("ScaledJob").map(|job| (job, "/spec/jobTargetRef/template/spec/serviceAccountName"));
    for (object, pointer) in templates.chain(jobs) {
        let name = object.text(pointer);
        let is_there = tree.of_kind("ServiceAccount").any(|account| account.name() == name);
        if name.is_empty() {
            problems.push(format!("{}: it runs as the namespace's default", object.label()));
        } else if !is_there {
            problems.push(format!("{}: the ServiceAccount {name} is not there", object.label()));
        }
    }
    let given = tree.of_kind("ServiceAccount").filter(|account| account.at("/automountServiceAccountToken") != false);
    problems.extend(given.map(|account| format!("{}: every pod of it gets a token", account.label())));
    problems
}
