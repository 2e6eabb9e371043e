//! Trainings on the cluster: how one is asked for, who holds it, what it leaves behind.

use std::{fs, process::Command};

use serde_json::{Value, json};
use streamforge_events::QueueId;
use streamforge_function::{Holder, lease_key};
use streamforge_store::{ModelRegistry, open_objects};
use tokio::runtime::Runtime;

use crate::{
    flow::{Flow, loading},
    support::{Answer, until_within},
    world::{PATIENCE, World},
};

/// A request to train a small network for so many epochs of each fit.
pub(crate) fn training(model: &str, epochs: usize) -> Value {
    let mut request = loading("2025-03-01:2025-03-31");
    request["requests"].as_array_mut().unwrap().push(json!({
        "target": "gnn-trainer", "type": "gnn_train", "graph_collection": "all", "model_output": model,
        "horizon": 4, "hidden": 8, "epochs": epochs, "patience": epochs, "batch": 128,
    }));
    request
}

/// Who holds the training of a workflow, once somebody does and has told of it.
pub(crate) fn holder(world: &World, flow: &Flow<'_>) -> Holder {
    until_within("a training to begin", 2 * PATIENCE, || {
        (task(world, flow.id())["state"] == "started").then_some(())?;
        now_holds(world, flow.id())
    })
}

/// Who holds the training of a workflow at this moment.
pub(crate) fn now_holds(world: &World, queue: &str) -> Option<Holder> {
    let id: QueueId = queue.parse().unwrap();
    let key = lease_key(&id, task(world, queue)["id"].as_str()?);
    let url = format!("sqlite://{}", world.data.join("store.db").display());
    let lease = Runtime::new().unwrap().block_on(async { streamforge_store::open(&url).await?.lease(&key).await });
    lease.unwrap()?.holder.parse().ok()
}

/// The training of a workflow, as the API shows it.
pub(crate) fn task(world: &World, queue: &str) -> Value {
    let api = world.url("streamforge", "queue-manager-api");
    let shown = Answer::try_get(&format!("{api}/queues/{queue}")).map(|answer| answer.body["data"].clone());
    let shown = shown.unwrap_or_default();
    let stages = shown["stages"].as_array().cloned().unwrap_or_default();
    let training = stages.into_iter().find(|stage| stage["function"] == "gnn-trainer");
    training.map(|stage| stage["tasks"][0].clone()).unwrap_or_default()
}

/// Waits until a training of the workflow has a checkpoint.
pub(crate) fn a_checkpoint(world: &World, queue: &str) {
    let checkpoints = world.data.join("objects/checkpoints").join(queue);
    until_within("a checkpoint", PATIENCE, || {
        fs::read_dir(&checkpoints).ok()?.next()?.ok()?.path().read_dir().ok()?.next()?.ok()
    });
}

/// How many versions of a model there are.
pub(crate) fn versions(world: &World, model: &str) -> usize {
    let objects = format!("file://{}", world.data.join("objects").display());
    let versions = Runtime::new()
        .unwrap()
        .block_on(async { ModelRegistry::new(open_objects(&objects).await?).versions(&model.parse().unwrap()).await });
    versions.unwrap().len()
}

/// Sends a signal to the trainer of a pod, which is one of this machine.
pub(crate) fn signal(world: &World, pod: &str, name: &str) {
    let pods = world.list("pods");
    let found = pods.iter().find(|found| found["metadata"]["name"] == *pod).unwrap();
    let uid = found["metadata"]["uid"].as_str().unwrap();
    let is_its = |id: &str| {
        let read = |file: &str| fs::read_to_string(format!("/proc/{id}/{file}")).unwrap_or_default();
        read("comm").trim() == "gnn-trainer" && read("cgroup").replace('_', "-").contains(uid)
    };
    let processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let found: Vec<String> = processes.filter(|id| is_its(id)).collect();
    assert_eq!(found.len(), 1, "{pod}: {found:?}");
    assert!(Command::new("kill").args([&format!("-{name}"), &found[0]]).status().unwrap().success());
}
