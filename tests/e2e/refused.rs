//! Objects that cannot work say why in their status, and harm nobody else.

use serde_json::{Value, json};

use crate::{
    support::until,
    world::{World, condition, world},
};

#[test]
#[ignore = "needs the cluster of `make e2e`"]
fn an_object_that_cannot_work_says_why() {
    let world = world();
    let trigger = |name: &str, broker: &str, service: &str| {
        json!({
            "apiVersion": "eventing.knative.dev/v1", "kind": "Trigger",
            "metadata": {"name": name, "namespace": "streamforge"},
            "spec": {
                "broker": broker,
                "subscriber": {"ref": {"apiVersion": "v1", "kind": "Service", "name": service}},
            },
        })
    };
    let cases = [
        (trigger("bad-broker", "nowhere", "graph-builder"), "BrokerDoesNotExist", "streamforge/nowhere"),
        (trigger("bad-service", "market-data", "nobody"), "ServiceDoesNotExist", "streamforge/nobody"),
    ];
    for (object, reason, named) in cases {
        world.cluster.kubectl().apply(&object.to_string(), &[]).unwrap();
        let name = object["metadata"]["name"].as_str().unwrap();
        let ready = verdict(world, "triggers.eventing.knative.dev", name);
        assert_eq!((&ready["status"], &ready["reason"]), (&json!("False"), &json!(reason)));
        assert!(ready["message"].as_str().unwrap().contains(named), "{ready}");
        world.kubectl(&["-n", "streamforge", "delete", "triggers.eventing.knative.dev", name]);
    }
    for trigger in world.list("triggers.eventing.knative.dev") {
        assert_eq!(condition(&trigger, "Ready")["status"], "True", "{trigger:#}");
    }
}

/// What is said of an object once something is.
fn verdict(world: &World, kind: &str, name: &str) -> Value {
    until("a verdict", || {
        let object = world.list(kind).into_iter().find(|object| object["metadata"]["name"] == name)?;
        let ready = condition(&object, "Ready").clone();
        (!ready.is_null()).then_some(ready)
    })
}
