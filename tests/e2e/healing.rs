//! A training that is stuck is found, fenced and replaced; a slow one that tells of its epochs is left alone.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use streamforge_events::QueueId;
use streamforge_function::{Holder, lease_key};
use streamforge_store::{ModelRegistry, open_objects};
use tokio::runtime::Runtime;

use crate::{
    flow::{Flow, loading},
    support::{Answer, until, until_within},
    world::{PATIENCE, World, idle, world},
};

/// `STREAMFORGE_PROGRESS_DEADLINE`, and what engine and healer may need beyond it.
const DEADLINE: Duration = Duration::from_secs(120 + 30);
/// `STREAMFORGE_START_DEADLINE` and the same.
const START_DEADLINE: Duration = Duration::from_secs(120 + 30);
const IMAGE: &str = "/spec/jobTargetRef/template/spec/containers/0/image";

#[test]
#[ignore = "needs the cluster of `make e2e`"]
fn a_stuck_trainer_is_fenced_and_replaced_and_a_slow_one_left_alone() {
    let world = world();
    idle(world);
    let slow = Flow::start(world, "slow", &training("slow", 10_000));
    let steady = holder(world, &slow);
    let stuck = Flow::start(world, "stuck", &training("stuck", 300));
    let first = holder(world, &stuck);
    let queue = stuck.now()["id"].as_str().unwrap().to_owned();
    let checkpoints = world.data.join("objects/checkpoints").join(&queue);
    until_within("a checkpoint", PATIENCE, || {
        fs::read_dir(&checkpoints).ok()?.next()?.ok()?.path().read_dir().ok()?.next()?.ok()
    });
    signal(world, &first.process, "STOP");
    let stopped = Instant::now();

    let event = until_within("the trainer to be found", 2 * DEADLINE, || said(world, "NoProgress", &queue));
    let found = stopped.elapsed();
    println!("found {:.1} s after it was stopped: {}", found.as_secs_f64(), event["note"]);
    assert!(found < DEADLINE, "{found:?}");
    let job = event["regarding"]["name"].as_str().unwrap();
    assert!(first.process.starts_with(job), "{event:#}");
    let jobs = world.list("jobs");
    let left = jobs.iter().find(|found| found["metadata"]["name"] == job);
    assert!(left.is_none_or(|job| !job["metadata"]["deletionTimestamp"].is_null()), "{left:#?}");
    // It comes back to life and finds its task taken.
    signal(world, &first.process, "CONT");
    let second = until_within("the next attempt", PATIENCE, || now_holds(world, &queue).filter(|now| *now != first));
    println!("replaced {:.1} s after it was stopped", stopped.elapsed().as_secs_f64());
    assert_eq!(second.attempt, 2);
    until_within("the stuck pod to go", PATIENCE, || {
        (!world.list("pods").iter().any(|pod| pod["metadata"]["name"] == *first.process)).then_some(())
    });
    stuck.finish();
    assert_eq!(task(world, &queue)["attempt"], 2);
    let objects = format!("file://{}", world.data.join("objects").display());
    let versions = Runtime::new().unwrap().block_on(async {
        ModelRegistry::new(open_objects(&objects).await.unwrap()).versions(&"stuck".parse().unwrap()).await.unwrap()
    });
    assert_eq!(versions.len(), 1, "{versions:?}");
    let metrics = world.kubectl(&[
        "get",
        "--raw",
        &format!("/api/v1/namespaces/streamforge/pods/{}:9090/proxy/metrics", healer(world)),
    ]);
    let counted = r#"self_healer_findings_total{reason="NoProgress",action="replaced"} 1"#;
    assert!(metrics.lines().any(|line| line == counted), "{metrics}");

    assert_eq!(holder(world, &slow), steady, "nobody touched it");
    let queue = slow.now()["id"].as_str().unwrap().to_owned();
    assert_eq!(task(world, &queue)["attempt"], 1);
    let stop = json!({"queue_id": queue}).to_string();
    let api = world.url("streamforge", "queue-manager-api");
    assert_eq!(Answer::post(&format!("{api}/queues/stop"), &[], &stop).status, 200);
    idle(world);
}

#[test]
#[ignore = "needs the cluster of `make e2e`"]
fn a_job_whose_image_is_not_there_is_replaced_by_one_as_the_scaled_job_is_now() {
    let world = world();
    idle(world);
    let right = world.list("scaledjobs.keda.sh")[0].pointer(IMAGE).unwrap().as_str().unwrap().to_owned();
    // Nobody listens there.
    set_image(world, "127.0.0.1:9/gnn-trainer:none");
    let flow = Flow::start(world, "no-image", &training("no-image", 2));
    let job = until_within("a Job without an image", PATIENCE, || {
        let waits =
            |pod: &Value| pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "ImagePullBackOff";
        let pod = world.list("pods").into_iter().find(waits)?;
        Some(pod["metadata"]["ownerReferences"][0]["name"].as_str().unwrap().to_owned())
    });
    set_image(world, &right);
    let waiting = Instant::now();
    let event = until_within("the Job to be found", 2 * START_DEADLINE, || said(world, "ImagePull", ""));
    println!("found {:.1} s later: {}", waiting.elapsed().as_secs_f64(), event["note"]);
    assert!(waiting.elapsed() < START_DEADLINE);
    assert_eq!(event["regarding"]["name"], *job);
    until("the Job to go", || {
        (!world.list("jobs").iter().any(|found| found["metadata"]["name"] == *job)).then_some(())
    });
    flow.finish();
    println!("finished {:.1} s later", waiting.elapsed().as_secs_f64());
    let queue = flow.now()["id"].as_str().unwrap().to_owned();
    assert_eq!(task(world, &queue)["attempt"], 1, "its record waited for a Job that begins");
    idle(world);
}

/// A request to train a small network for so many epochs of each fit.
fn training(model: &str, epochs: usize) -> Value {
    let mut request = loading("2025-03-01:2025-03-31");
    request["requests"].as_array_mut().unwrap().push(json!({
        "target": "gnn-trainer", "type": "gnn_train", "graph_collection": "all", "model_output": model,
        "horizon": 4, "hidden": 8, "epochs": epochs, "patience": epochs, "batch": 128,
    }));
    request
}

/// Who holds the training of a workflow, once somebody does and has told of it.
fn holder(world: &World, flow: &Flow<'_>) -> Holder {
    until_within("a training to begin", 2 * PATIENCE, || {
        let queue = flow.now()["id"].as_str()?.to_owned();
        (task(world, &queue)["state"] == "started").then_some(())?;
        now_holds(world, &queue)
    })
}

fn now_holds(world: &World, queue: &str) -> Option<Holder> {
    let id: QueueId = queue.parse().unwrap();
    let key = lease_key(&id, task(world, queue)["id"].as_str()?);
    let url = format!("sqlite://{}", world.data.join("store.db").display());
    let lease = Runtime::new().unwrap().block_on(async { streamforge_store::open(&url).await?.lease(&key).await });
    lease.unwrap()?.holder.parse().ok()
}

/// The training of a workflow, as the API shows it.
fn task(world: &World, queue: &str) -> Value {
    let api = world.url("streamforge", "queue-manager-api");
    let shown = Answer::try_get(&format!("{api}/queues/{queue}")).map(|answer| answer.body["data"].clone());
    let shown = shown.unwrap_or_default();
    let stages = shown["stages"].as_array().cloned().unwrap_or_default();
    let training = stages.into_iter().find(|stage| stage["function"] == "gnn-trainer");
    training.map(|stage| stage["tasks"][0].clone()).unwrap_or_default()
}

/// What the healer has said for this reason with these words.
fn said(world: &World, reason: &str, words: &str) -> Option<Value> {
    let events = world.list("events.events.k8s.io");
    events.into_iter().find(|event| {
        let is_ours = event["reportingController"] == "streamforge.io/self-healer" && event["reason"] == *reason;
        is_ours && event["note"].as_str().is_some_and(|note| note.contains(words))
    })
}

/// Sends a signal to the process of a pod, which is one of this machine.
fn signal(world: &World, pod: &str, name: &str) {
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

fn set_image(world: &World, image: &str) {
    let patch = json!([{"op": "replace", "path": IMAGE, "value": image}]).to_string();
    world.kubectl(&["-n", "streamforge", "patch", "scaledjob", "gnn-trainer", "--type=json", "-p", &patch]);
}

fn healer(world: &World) -> String {
    let is_healer = |pod: &Value| pod["metadata"]["labels"]["app.kubernetes.io/name"] == "self-healer";
    let pod = world.list("pods").into_iter().find(is_healer).unwrap();
    pod["metadata"]["name"].as_str().unwrap().to_owned()
}
