//! Objects that cannot work say why in their status, and harm nobody else.

use serde_json::{Value, json};

use crate::{
    support::{Folder, until, until_within},
    world::{PATIENCE, World, condition, world},
};

#[test]
#[ignore = "needs the cluster of `make e2e`"]
fn an_object_that_cannot_work_says_why() {
    let world = world();
    let cases = [
        ("bad-broker", "/spec/broker", "nowhere", "BrokerDoesNotExist"),
        ("bad-service", "/spec/subscriber/ref/name", "nobody", "ServiceDoesNotExist"),
    ];
    for (name, place, missing, reason) in cases {
        let mut object = trigger("streamforge", name);
        *object.pointer_mut(place).unwrap() = json!(missing);
        world.cluster.kubectl().apply(&object.to_string(), &[]).unwrap();
        let ready = verdict(world, "triggers.eventing.knative.dev", name);
        assert_eq!((&ready["status"], &ready["reason"]), (&json!("False"), &json!(reason)));
        assert!(ready["message"].as_str().unwrap().contains(&format!("streamforge/{missing}")), "{ready}");
        world.kubectl(&["-n", "streamforge", "delete", "triggers.eventing.knative.dev", name]);
    }
    all_ready(world);
}

#[test]
#[ignore = "needs the cluster of `make e2e`"]
fn a_second_trigger_of_one_name_takes_nothing_from_the_first() {
    let world = world();
    let folder = Folder::new();
    let same = folder.write("trigger.json", trigger("streamforge", "graph-builder").to_string());
    let refused = world.cluster.kubectl().run(&["create", "-f", &same]).unwrap_err();
    assert!(refused.to_string().contains("already exists"), "{refused}");
    // Namespace and name are joined in the name of the consumer group.
    let namespace = "streamforge-graph";
    world.kubectl(&["create", "namespace", namespace]);
    world.cluster.kubectl().apply(&trigger(namespace, "builder").to_string(), &[]).unwrap();
    let said = until("a verdict", || {
        let shown = world.kubectl(&["-n", namespace, "get", "triggers.eventing.knative.dev", "builder", "-o", "json"]);
        let group = condition(&serde_json::from_str(&shown).unwrap(), "ConsumerGroup").clone();
        (!group.is_null()).then_some(group)
    });
    assert_eq!((&said["status"], &said["reason"]), (&json!("False"), &json!("ConsumerGroupInUse")));
    assert!(said["message"].as_str().unwrap().contains("streamforge/graph-builder"), "{said}");
    world.kubectl(&["delete", "namespace", namespace]);
    all_ready(world);
}

#[test]
#[ignore = "needs the cluster of `make e2e`"]
fn a_scaled_object_without_a_target_says_so() {
    let world = world();
    let kind = "scaledobjects.keda.sh";
    let mut object = world.list(kind).into_iter().find(|object| object["metadata"]["name"] == "graph-builder").unwrap();
    object["metadata"] = json!({"name": "bad-target", "namespace": "streamforge"});
    object["spec"]["scaleTargetRef"]["name"] = json!("nobody");
    object["status"].take();
    world.cluster.kubectl().apply(&object.to_string(), &[]).unwrap();
    let ready = until_within("a verdict", PATIENCE, || {
        let object = world.list(kind).into_iter().find(|object| object["metadata"]["name"] == "bad-target")?;
        let ready = condition(&object, "Ready").clone();
        (ready["status"] == "False").then_some(ready)
    });
    assert_eq!(ready["reason"], "ScaledObjectCheckFailed");
    assert!(ready["message"].as_str().unwrap().contains("scaleTargetRef"), "{ready}");
    world.kubectl(&["-n", "streamforge", "delete", kind, "bad-target"]);
    for object in world.list(kind) {
        assert_eq!(condition(&object, "Ready")["status"], "True", "{object:#}");
    }
}

fn all_ready(world: &World) {
    for trigger in world.list("triggers.eventing.knative.dev") {
        assert_eq!(condition(&trigger, "Ready")["status"], "True", "{trigger:#}");
    }
}

fn trigger(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "eventing.knative.dev/v1", "kind": "Trigger",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "broker": "market-data",
            "subscriber": {"ref": {"apiVersion": "v1", "kind": "Service", "name": "graph-builder"}},
        },
    })
}

/// What is said of an object once something is.
fn verdict(world: &World, kind: &str, name: &str) -> Value {
    until("a verdict", || {
        let object = world.list(kind).into_iter().find(|object| object["metadata"]["name"] == name)?;
        let ready = condition(&object, "Ready").clone();
        (!ready.is_null()).then_some(ready)
    })
}
