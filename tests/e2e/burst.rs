//! A burst of events: pods from none to as many as allowed and back to none, nothing lost, nothing doubled.

use std::{
    thread::{self, ScopedJoinHandle},
    time::Duration,
};

use crate::{
    reports::finished,
    support::{dummy, until_within},
    timeline::Timeline,
    world::{idle, world},
};

const FUNCTION: &str = "dummy-service";
const EVENTS: usize = 10_000;
const CALLERS: usize = 8;
/// How long each event keeps a pod at work.
const WORK_MILLIS: u64 = 20;
/// `maxReplicaCount` of the `ScaledObject`.
const MOST: usize = 5;
const PATIENCE: Duration = Duration::from_mins(15);

#[test]
#[ignore = "needs the cluster of `make e2e`"]
fn a_burst_is_worked_off_by_as_many_pods_as_allowed() {
    let world = world();
    idle(world);
    let url = format!("{}/streamforge/dummy-service", world.url("knative-eventing", "kafka-broker-ingress"));
    let mut timeline = Timeline::start();
    thread::scope(|scope| {
        let posting: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let url = &url;
                scope.spawn(move || {
                    for number in (caller..EVENTS).step_by(CALLERS) {
                        assert_eq!(dummy::post(url, &format!("burst-{number}"), WORK_MILLIS), Some(202));
                    }
                })
            })
            .collect();
        let mut is_taken = false;
        until_within("the burst to be over", PATIENCE, || {
            let pods = timeline.sample(world).get(FUNCTION).copied().unwrap_or_default();
            if !is_taken && posting.iter().all(ScopedJoinHandle::is_finished) {
                is_taken = true;
                println!("{EVENTS} events taken after {:.0} s", timeline.seconds());
            }
            thread::sleep(Duration::from_millis(500));
            (is_taken && timeline.most(FUNCTION) > 0 && pods == 0).then_some(())
        });
    });
    println!("no pods any more after {:.0} s", timeline.seconds());
    timeline.draw("burst");
    assert_eq!(timeline.most(FUNCTION), MOST, "as many as allowed and no more");
    for unrelated in ["loader-api-candles", "loader-api-trades", "graph-builder", "arango-connector", "predictor"] {
        assert_eq!(timeline.most(unrelated), 0, "{unrelated} has nothing to do");
    }
    assert_eq!(finished(world, "burst-").len(), EVENTS, "each task is finished, and once");
}
