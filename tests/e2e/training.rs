//! A training is one Job: no change of its `ScaledJob` ends it, and who comes after a killed one goes on where it was.

use std::{collections::BTreeSet, time::Instant};

use serde_json::{Value, json};

use crate::{
    flow::Flow,
    reports::epochs,
    support::until_within,
    trainings::{a_checkpoint, holder, now_holds, signal, task, training, versions},
    world::{PATIENCE, World, quiet, world},
};

/// Where the test marks the Jobs of a changed `ScaledJob`.
const MARK: &str = "/spec/jobTargetRef/template/metadata/annotations/streamforge.io~1mark";
/// Epochs between two checkpoints, as the trainer has them where a request does not say.
const CHECKPOINT_EPOCHS: u64 = 2;

#[test]
#[ignore = "needs the cluster of `make e2e`"]
fn each_training_is_one_job_that_no_change_of_the_scaled_job_ends() {
    let world = world();
    quiet(world);
    let before = jobs(world);
    let first = Flow::start(world, "one-job-first", &training("one-job-first", 300));
    let steady = holder(world, &first);
    change(world, &json!({"op": "add", "path": MARK, "value": "changed"}));
    let second = Flow::start(world, "one-job-second", &training("one-job-second", 2));
    let later = holder(world, &second);
    let marked = pod(world, &later.process);
    assert_eq!(marked["metadata"]["annotations"]["streamforge.io/mark"], "changed", "KEDA knows of the change");
    let kept = pod(world, &steady.process);
    assert!(kept["metadata"]["deletionTimestamp"].is_null(), "{kept:#}");
    assert!(kept["metadata"]["annotations"]["streamforge.io/mark"].is_null(), "{kept:#}");
    assert_eq!(now_holds(world, first.id()), Some(steady), "it trained all the while");
    for flow in [&first, &second] {
        flow.finish();
        assert_eq!(task(world, flow.id())["attempt"], 1);
    }
    quiet(world);
    let made: Vec<String> = jobs(world).difference(&before).cloned().collect();
    assert_eq!(made.len(), 2, "{made:?}");
    assert_eq!((versions(world, "one-job-first"), versions(world, "one-job-second")), (1, 1));
    change(world, &json!({"op": "remove", "path": MARK}));
}

#[test]
#[ignore = "needs the cluster of `make e2e`"]
fn a_training_whose_pod_was_killed_goes_on_from_its_checkpoint() {
    let world = world();
    quiet(world);
    let flow = Flow::start(world, "killed", &training("killed", 300));
    let first = holder(world, &flow);
    a_checkpoint(world, flow.id());
    signal(world, &first.process, "KILL");
    let killed = Instant::now();
    let second =
        until_within("another to go on", 2 * PATIENCE, || now_holds(world, flow.id()).filter(|now| *now != first));
    println!("another trainer had the task {:.1} s after the first was killed", killed.elapsed().as_secs_f64());
    assert_eq!((first.attempt, second.attempt), (1, 2));
    flow.finish();
    let [before, after] = [1, 2].map(|attempt| epochs(world, flow.id(), attempt));
    let (fit, (_, reached)) = before.iter().next_back().expect("the first told of its epochs");
    let again = after.get(fit).map_or(*reached, |(from, _)| *from);
    println!("{fit} was at epoch {reached} and went on with {again}");
    assert!(again > 1 && again + CHECKPOINT_EPOCHS > *reached, "{fit}: {reached}, then {again}");
    for (fit, (_, reached)) in &before {
        let again = after.get(fit).map_or(*reached, |(from, _)| *from);
        assert!(again + CHECKPOINT_EPOCHS > *reached, "{fit}: {reached}, then {again}");
    }
    assert_eq!(versions(world, "killed"), 1);
    quiet(world);
}

/// Identities of the Jobs that are there.
fn jobs(world: &World) -> BTreeSet<String> {
    let identity = |job: &Value| job["metadata"]["uid"].as_str().unwrap().to_owned();
    world.list("jobs").iter().map(identity).collect()
}

fn pod(world: &World, name: &str) -> Value {
    let found = world.list("pods").into_iter().find(|pod| pod["metadata"]["name"] == *name);
    found.unwrap_or_else(|| panic!("{name} is gone"))
}

fn change(world: &World, operation: &Value) {
    let patch = json!([operation]).to_string();
    world.kubectl(&["-n", "streamforge", "patch", "scaledjob", "gnn-trainer", "--type=json", "-p", &patch]);
}
