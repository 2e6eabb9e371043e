//! A training that is stuck is found, fenced and replaced; a slow one that tells of its epochs is left alone.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    flow::Flow,
    support::{Answer, until, until_within},
    trainings::{a_checkpoint, holder, now_holds, signal, task, training, versions},
    world::{PATIENCE, World, quiet, world},
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
    quiet(world);
    let slow = Flow::start(world, "slow", &training("slow", 10_000));
    let steady = holder(world, &slow);
    let stuck = Flow::start(world, "stuck", &training("stuck", 300));
    let first = holder(world, &stuck);
    let queue = stuck.id().to_owned();
    a_checkpoint(world, &queue);
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
    assert_eq!(versions(world, "stuck"), 1);
    let metrics = world.kubectl(&[
        "get",
        "--raw",
        &format!("/api/v1/namespaces/streamforge/pods/{}:9090/proxy/metrics", healer(world)),
    ]);
    let counted = r#"self_healer_findings_total{reason="NoProgress",action="replaced"} 1"#;
    assert!(metrics.lines().any(|line| line == counted), "{metrics}");

    assert_eq!(holder(world, &slow), steady, "nobody touched it");
    let queue = slow.id().to_owned();
    assert_eq!(task(world, &queue)["attempt"], 1);
    let stop = json!({"queue_id": queue}).to_string();
    let api = world.url("streamforge", "queue-manager-api");
    assert_eq!(Answer::post(&format!("{api}/queues/stop"), &[], &stop).status, 200);
    quiet(world);
}

#[test]
#[ignore = "needs the cluster of `make e2e`"]
fn a_job_whose_image_is_not_there_is_replaced_by_one_as_the_scaled_job_is_now() {
    let world = world();
    quiet(world);
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
    let queue = flow.id().to_owned();
    assert_eq!(task(world, &queue)["attempt"], 1, "its record waited for a Job that begins");
    quiet(world);
}

/// What the healer has said for this reason with these words.
fn said(world: &World, reason: &str, words: &str) -> Option<Value> {
    let events = world.list("events.events.k8s.io");
    events.into_iter().find(|event| {
        let is_ours = event["reportingController"] == "streamforge.io/self-healer" && event["reason"] == *reason;
        is_ours && event["note"].as_str().is_some_and(|note| note.contains(words))
    })
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
