//! The API server takes every manifest under its strictest checks, and finds what is mistyped.

use std::fs;

use crate::world::{condition, root, world};

/// The definition of topics, which only Strimzi brings; it lies beside the repository, or topics are left out.
const TOPICS: &str = "../shared/crds/strimzi/043-Crd-kafkatopic.yaml";

#[test]
#[ignore = "needs the cluster of `make e2e`"]
fn every_manifest_is_accepted_and_says_so() {
    let world = world();
    world.cluster.kubectl().apply(&world.manifests, &["--dry-run=server"]).unwrap();
    for kind in ["brokers.eventing.knative.dev", "triggers.eventing.knative.dev", "scaledobjects.keda.sh"] {
        let objects = world.list(kind);
        assert!(objects.len() >= 8, "{kind}");
        for object in objects {
            assert_eq!(condition(&object, "Ready")["status"], "True", "{kind}: {object:#}");
        }
    }
}

#[test]
#[ignore = "needs the cluster of `make e2e`"]
fn manifests_for_a_large_cluster_are_accepted() {
    let world = world();
    let rendered = world.kubectl(&["kustomize", &root().join("overlays/cluster").display().to_string()]);
    let definition = fs::read_to_string(root().join(TOPICS));
    if let Ok(definition) = &definition {
        world.cluster.kubectl().apply(definition, &[]).unwrap();
        world.kubectl(&["wait", "--for=condition=Established", "crd/kafkatopics.kafka.strimzi.io", "--timeout=60s"]);
    }
    let is_known = |document: &&str| definition.is_ok() || !document.contains("\nkind: KafkaTopic\n");
    let known: Vec<&str> = rendered.split("\n---\n").filter(is_known).collect();
    assert!(known.len() > 70, "{}", known.len());
    world.cluster.kubectl().apply(&known.join("\n---\n"), &["--dry-run=server"]).unwrap();
    world.kubectl(&["delete", "crd", "kafkatopics.kafka.strimzi.io", "--ignore-not-found"]);
}

#[test]
#[ignore = "needs the cluster of `make e2e`"]
fn a_typing_mistake_is_found() {
    let world = world();
    for (right, wrong, named) in [
        ("backoffDelay: PT0.25S", "backofDelay: PT0.25S", "backofDelay"),
        ("backoffPolicy: linear", "backoffPolicy: lineal", "lineal"),
        ("cooldownPeriod: 30", "cooldownPeriods: 30", "cooldownPeriods"),
        ("strategy: gradual", "strategy: gradualy", "gradualy"),
        ("containerPort: 8080", "containerPort: http", "containerPort"),
        ("terminationGracePeriodSeconds", "terminationGraceSeconds", "terminationGraceSeconds"),
        ("policyTypes:", "policyType:", "policyType"),
        ("whenUnsatisfiable: ScheduleAnyway", "whenUnsatisfiable: Schedule", "Schedule"),
        ("maxUnavailable: 50%", "maxUnavailable: half", "half"),
        ("limits.cpu:", "limit.cpu:", "limit.cpu"),
    ] {
        assert!(world.manifests.contains(right), "{right}");
        let mistaken = world.manifests.replace(right, wrong);
        let error = world.cluster.kubectl().apply(&mistaken, &["--dry-run=server"]).unwrap_err();
        assert!(error.to_string().contains(named), "{wrong}: {error}");
    }
}
