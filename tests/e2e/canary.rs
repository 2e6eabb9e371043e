//! New versions of a function: a good one is promoted once there was traffic to judge, a bad one is taken back, and no
//! event is lost in either.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    reports::{finished, written},
    support::{dummy, until_within},
    timeline::Timeline,
    world::{World, quiet, world},
};

const FUNCTION: &str = "dummy-service";
const PATIENCE: Duration = Duration::from_mins(10);
/// Time between two events: fewer than a pod can do.
const PAUSE: Duration = Duration::from_millis(40);
const WORK_MILLIS: u64 = 10;
/// Enough for the controller to have looked several times.
const UNJUDGED: Duration = Duration::from_secs(30);

#[test]
#[ignore = "needs the cluster of `make e2e`"]
fn a_good_version_waits_for_traffic_and_is_promoted() {
    let world = world();
    let before = settled(world);
    release(world, r#"{"debug": true}"#);
    until_within("the new version to be there", PATIENCE, || (current(world) != before).then_some(()));
    // Nothing may happen for a while, which no condition tells.
    let released = Instant::now();
    while released.elapsed() < UNJUDGED {
        assert_eq!(stable(world), before, "promoted without a single event");
        thread::sleep(Duration::from_secs(1));
    }
    let dead = written(world, "dead-letters");
    let posted = under_traffic(world, "good", || (stable(world) != before).then_some(()));
    assert_eq!(stable(world), current(world));
    all_done(world, "good", posted);
    assert_eq!(written(world, "dead-letters"), dead);
    restore(world);
}

#[test]
#[ignore = "needs the cluster of `make e2e`"]
fn a_bad_version_is_taken_back_by_itself() {
    let world = world();
    let before = settled(world);
    let dead = written(world, "dead-letters");
    release(world, r#"{"refuse_every": 5}"#);
    until_within("the new version to be there", PATIENCE, || (current(world) != before).then_some(()));
    let posted = under_traffic(world, "bad", || (rollout(world)["status"]["abort"] == true).then_some(()));
    assert_eq!(stable(world), before, "the stable version stays");
    all_done(world, "bad", posted);
    assert_eq!(written(world, "dead-letters"), dead, "each event was done by a later try");
    restore(world);
}

/// Posts events until something has happened; answers how many were taken.
fn under_traffic<T>(world: &World, name: &str, happened: impl FnMut() -> Option<T>) -> usize {
    let url = format!("{}/streamforge/{FUNCTION}", world.url("knative-eventing", "kafka-broker-ingress"));
    let (is_over, posted) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut timeline = Timeline::start();
    let mut happened = happened;
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let number = posted.fetch_add(1, Ordering::Relaxed);
                assert_eq!(dummy::post(&url, &format!("{name}-{number}"), WORK_MILLIS), Some(202));
                thread::sleep(PAUSE);
            }
        });
        until_within("the version to be judged", PATIENCE, || {
            let over = happened().is_some() || timeline.seconds() > PATIENCE.as_secs_f64() - 10.0;
            timeline.sample(world);
            thread::sleep(Duration::from_secs(1));
            over.then_some(())
        });
        is_over.store(true, Ordering::Relaxed);
    });
    eprintln!("{name}: judged after {:.0} s", timeline.seconds());
    timeline.draw(&format!("canary-{name}"));
    assert!(happened().is_some(), "{:#}", rollout(world)["status"]);
    posted.load(Ordering::Relaxed)
}

fn all_done(world: &World, name: &str, posted: usize) {
    let beginning = format!("{name}-");
    until_within("all events to be done", PATIENCE, || (finished(world, &beginning).len() == posted).then_some(()));
}

/// Changes the pods of the function, as a new image would.
fn release(world: &World, behaviour: &str) {
    let environment = json!([{"name": "STREAMFORGE_DUMMY_BEHAVIOUR", "value": behaviour}]);
    let patch = json!([{"op": "add", "path": "/spec/template/spec/containers/0/env", "value": environment}]);
    world.kubectl(&["-n", "streamforge", "patch", "rollout", FUNCTION, "--type=json", "-p", &patch.to_string()]);
}

/// Puts the version of the manifests in its place without judging it.
fn restore(world: &World) {
    let patch = json!([{"op": "remove", "path": "/spec/template/spec/containers/0/env"}]);
    world.kubectl(&["-n", "streamforge", "patch", "rollout", FUNCTION, "--type=json", "-p", &patch.to_string()]);
    let status = json!({"status": {"promoteFull": true}}).to_string();
    let target = ["-n", "streamforge", "patch", "rollout", FUNCTION, "--subresource=status"];
    until_within("the first version to be back", PATIENCE, || {
        let is_settled = stable(world) == current(world) && rollout(world)["status"]["abort"] != true;
        if !is_settled {
            world.kubectl(&[&target[..], &["--type=merge", "-p", &status]].concat());
            thread::sleep(Duration::from_secs(1));
        }
        is_settled.then_some(())
    });
}

/// The version of all pods once there is only one and no pod of it.
fn settled(world: &World) -> String {
    quiet(world);
    until_within("one version", PATIENCE, || (stable(world) == current(world)).then(|| stable(world)))
}

fn rollout(world: &World) -> Value {
    let text = world.kubectl(&["-n", "streamforge", "get", "rollout", FUNCTION, "-o", "json"]);
    serde_json::from_str(&text).unwrap()
}

fn stable(world: &World) -> String {
    rollout(world)["status"]["stableRS"].as_str().unwrap_or_default().to_owned()
}

fn current(world: &World) -> String {
    rollout(world)["status"]["currentPodHash"].as_str().unwrap_or_default().to_owned()
}
