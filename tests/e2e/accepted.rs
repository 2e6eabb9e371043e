//! The API server takes every manifest under its strictest checks, and finds what is mistyped.

use crate::world::{condition, world};

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
fn a_typing_mistake_is_found() {
    let world = world();
    for (right, wrong, named) in [
        ("backoffDelay: PT0.25S", "backofDelay: PT0.25S", "backofDelay"),
        ("backoffPolicy: linear", "backoffPolicy: lineal", "lineal"),
        ("cooldownPeriod: 30", "cooldownPeriods: 30", "cooldownPeriods"),
        ("strategy: gradual", "strategy: gradualy", "gradualy"),
        ("containerPort: 8080", "containerPort: http", "containerPort"),
        ("terminationGracePeriodSeconds", "terminationGraceSeconds", "terminationGraceSeconds"),
    ] {
        assert!(world.manifests.contains(right), "{right}");
        let mistaken = world.manifests.replace(right, wrong);
        let error = world.cluster.kubectl().apply(&mistaken, &["--dry-run=server"]).unwrap_err();
        assert!(error.to_string().contains(named), "{wrong}: {error}");
    }
}
