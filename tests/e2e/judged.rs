//! Argo CD judges our kinds, and Applications, as `argocd/settings.yaml` tells it to.

use std::process::Command;

use serde_json::{Value, json};
use streamforge_cluster::Cluster;

use crate::{support::Folder, world::root};

#[test]
#[ignore = "needs the programs of `make cluster`"]
fn objects_are_judged_by_what_their_controllers_say() {
    let ready = |status: &str| json!([{"type": "TopicReady", "status": "True"}, {"type": "Ready", "status": status}]);
    let eventing = |kind: &str, status: Value| json!({"apiVersion": "eventing.knative.dev/v1", "kind": kind, "metadata": {"generation": 2}, "status": status});
    let observed =
        |generation: u32, status: &str| json!({"observedGeneration": generation, "conditions": ready(status)});
    let rollout = |status: Value| json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"generation": 2}, "status": status});
    for (object, health) in [
        (eventing("Broker", observed(2, "True")), "Healthy"),
        (eventing("Trigger", observed(1, "True")), "Progressing"),
        (eventing("Trigger", observed(2, "False")), "Degraded"),
        (eventing("Trigger", observed(2, "Unknown")), "Progressing"),
        (eventing("KafkaSink", json!({})), "Progressing"),
        (rollout(json!({"observedGeneration": "1", "phase": "Healthy"})), "Progressing"),
        (rollout(json!({"observedGeneration": "2", "phase": "Progressing", "currentPodHash": "a"})), "Progressing"),
        (rollout(json!({"observedGeneration": "2", "phase": "Degraded", "stableRS": "a"})), "Degraded"),
        // The stable version serves while the new one is judged.
        (
            rollout(json!({
                "observedGeneration": "2", "phase": "Progressing", "stableRS": "a", "currentPodHash": "b",
            })),
            "Suspended",
        ),
    ] {
        assert_judged(&object, health);
    }
}

#[test]
#[ignore = "needs the programs of `make cluster`"]
fn a_wave_is_over_when_its_applications_are_at_the_new_commit_and_healthy() {
    let sync = |status: &str, compared: &str| json!({"status": status, "comparedTo": {"source": {"targetRevision": compared}}});
    let failed = |revision: &str| json!({"phase": "Running", "retryCount": 1, "syncResult": {"revision": revision}});
    let done = |revision: &str| json!({"phase": "Succeeded", "syncResult": {"revision": revision}});
    let healthy = json!({"status": "Healthy"});
    for (status, health) in [
        (json!({}), "Progressing"),
        (json!({"sync": sync("Synced", "old"), "health": healthy}), "Progressing"),
        (json!({"sync": sync("OutOfSync", "new"), "health": healthy}), "Progressing"),
        (json!({"sync": sync("Synced", "new"), "health": healthy}), "Healthy"),
        (json!({"sync": sync("Synced", "new"), "health": {"status": "Suspended"}}), "Healthy"),
        (json!({"sync": sync("Synced", "new"), "health": {"status": "Degraded"}}), "Degraded"),
        (json!({"sync": sync("OutOfSync", "new"), "health": healthy, "operationState": failed("old")}), "Progressing"),
        (json!({"sync": sync("OutOfSync", "new"), "health": healthy, "operationState": failed("new")}), "Degraded"),
        (
            json!({"sync": sync("Synced", "new"), "health": healthy, "operationState": {"phase": "Running"}}),
            "Progressing",
        ),
        // Applied, and one thing is left that is not pruned.
        (json!({"sync": sync("OutOfSync", "new"), "health": healthy, "operationState": done("new")}), "Healthy"),
        (json!({"sync": sync("OutOfSync", "new"), "health": healthy, "operationState": done("old")}), "Progressing"),
        (json!({"sync": sync("Unknown", "new"), "conditions": [{"type": "ComparisonError"}]}), "Degraded"),
        (json!({"sync": sync("Unknown", "old"), "conditions": [{"type": "ComparisonError"}]}), "Progressing"),
    ] {
        let object = json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"generation": 2},
            "spec": {"source": {"targetRevision": "new"}}, "status": status,
        });
        assert_judged(&object, health);
    }
}

/// Asks Argo CD's command line, which judges as its controller does.
fn assert_judged(object: &Value, health: &str) {
    let folder = Folder::new();
    let mut named = object.clone();
    named["metadata"]["name"] = json!("any");
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "argocd-secret"},
        "stringData": {"server.secretkey": "unused"},
    });
    let [object, secret] = [("object.json", named.clone()), ("secret.json", secret)]
        .map(|(name, value)| folder.write(name, value.to_string()));
    let settings = std::fs::read_to_string(root().join("argocd/settings.yaml")).unwrap();
    let settings = folder.write("settings.yaml", settings.split("\n---\n").next().unwrap());
    let mut command = Command::new(Cluster::own().unwrap().program("argocd/cmd"));
    command.env("ARGOCD_BINARY_NAME", "argocd").args(["admin", "settings", "resource-overrides", "health", &object]);
    command.args(["--argocd-cm-path", &settings, "--argocd-secret-path", &secret]);
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    assert!(said.contains(&format!("STATUS: {health}\n")), "expected {health} of {named:#}: {said}");
}
