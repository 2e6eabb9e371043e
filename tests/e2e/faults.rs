//! What befalls a cluster in the middle of a workflow: each ends in the same bytes as without a cluster and a fault.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    flow::{Flow, loading, stored, truth},
    reports::{finished, written},
    support::{dummy, until, until_within},
    world::{PATIENCE, World, quiet, world},
};

/// How long the API server and KEDA are away.
const AWAY: Duration = Duration::from_secs(30);
/// Events of the burst during which KEDA is away.
const EVENTS: usize = 1000;

#[test]
#[ignore = "needs the cluster of `make e2e`"]
fn a_dispatcher_is_killed() {
    survive("dispatcher", "2025-02-01:2025-03-31", |world| kill_a_pod(world, "streamforge-data-plane"));
}

#[test]
#[ignore = "needs the cluster of `make e2e`"]
fn the_pod_of_a_function_is_killed() {
    survive("function", "2025-04-01:2025-05-31", |world| kill_a_pod(world, "arango-connector"));
}

#[test]
#[ignore = "needs the cluster of `make e2e`"]
fn kafka_is_restarted() {
    survive("kafka", "2025-06-01:2025-07-31", |world| {
        let mut kafka = world.kafka();
        kafka.kill(0);
        kafka.restart(0).unwrap();
    });
}

#[test]
#[ignore = "needs the cluster of `make e2e`"]
fn the_api_server_is_away() {
    survive("api-server", "2025-08-01:2025-09-30", |world| be_without(world, "kube-apiserver"));
}

#[test]
#[ignore = "needs the cluster of `make e2e`"]
fn the_container_runtime_is_restarted() {
    survive("containerd", "2025-10-01:2025-11-30", |world| {
        world.cluster.kill("containerd");
        world.cluster.up().unwrap();
    });
}

#[test]
#[ignore = "needs the cluster of `make e2e`"]
fn the_node_is_drained() {
    survive("drain", "2025-12-01:2026-01-31", |world| {
        let options = ["--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=60s"];
        let drained = world.cluster.kubectl().run(&[&["drain", "node1"], &options[..]].concat());
        // There is no other node for the first replica of the data plane, so its budget keeps the second where it is.
        let kept = drained.unwrap_err().to_string();
        assert!(kept.contains("streamforge-data-plane"), "{kept}");
        world.kubectl(&["uncordon", "node1"]);
    });
}

#[test]
#[ignore = "needs the cluster of `make e2e`"]
fn keda_is_away_during_a_burst() {
    let world = world();
    quiet(world);
    let url = format!("{}/streamforge/dummy-service", world.url("knative-eventing", "kafka-broker-ingress"));
    let dead = written(world, "dead-letters");
    for number in 0..EVENTS {
        assert_eq!(dummy::post(&url, &format!("away-{number}"), 5), Some(202));
        if number == EVENTS / 10 {
            world.cluster.kill("keda-operator");
        }
    }
    rest(AWAY);
    world.cluster.up().unwrap();
    until_within("all events to be done", PATIENCE, || (finished(world, "away-").len() == EVENTS).then_some(()));
    assert_eq!(written(world, "dead-letters"), dead);
    quiet(world);
}

/// Runs a workflow with a fault in its middle, and the same without; what is stored must not tell them apart.
fn survive(name: &str, days: &str, fault: impl FnOnce(&World)) {
    let world = world();
    quiet(world);
    let dead = written(world, "dead-letters");
    let flow = Flow::start(world, name, &loading(days));
    until_within("klines to arrive", PATIENCE, || (flow.now()["records_written"].as_u64() > Some(0)).then_some(()));
    assert_ne!(flow.now()["status"], "finished", "the fault comes too late");
    let began = Instant::now();
    fault(world);
    eprintln!("{name}: the fault took {:.1} s", began.elapsed().as_secs_f64());
    let over = Instant::now();
    let ended = flow.finish();
    eprintln!("{name}: finished {:.1} s after it", over.elapsed().as_secs_f64());
    assert_eq!(stored(world, days, &ended), truth(world, days), "{name}");
    assert_eq!(written(world, "dead-letters"), dead, "{name}");
    quiet(world);
}

/// Kills a pod as a lost node would: without a warning.
fn kill_a_pod(world: &World, function: &str) {
    let label = format!("app.kubernetes.io/name={function}");
    let find = ["get", "pods", "-A", "-l", &label, "--field-selector=status.phase=Running"];
    let format = "-o=jsonpath={.items[0].metadata.namespace} {.items[0].metadata.name}";
    let found = until("a pod to kill", || world.cluster.kubectl().run(&[&find[..], &[format]].concat()).ok());
    let (namespace, pod) = found.split_once(' ').unwrap();
    world.kubectl(&["-n", namespace, "delete", "pod", pod, "--grace-period=0", "--force"]);
}

/// Kills a part of the cluster and starts it again after a while.
fn be_without(world: &World, part: &str) {
    world.cluster.kill(part);
    rest(AWAY);
    world.cluster.up().unwrap();
}

/// Lets time pass: the fault is that nothing is there for so long.
fn rest(time: Duration) {
    thread::sleep(time);
}
