//! One event becomes a graph in pods that were not there before, and they are gone afterwards.

use std::thread;

use crate::{
    flow::{Flow, SYMBOLS, loading, stored, truth},
    support::until_within,
    timeline::Timeline,
    world::{ALWAYS, PATIENCE, idle, world},
};

const DAYS: &str = "2025-01-01:2025-01-31";
const BARS: usize = 31 * 96;

#[test]
#[ignore = "needs the cluster of `make e2e`"]
fn an_event_becomes_a_graph_in_pods_that_come_and_go() {
    let world = world();
    idle(world);
    let mut timeline = Timeline::start();
    let flow = thread::scope(|scope| {
        let started = scope.spawn(|| Flow::start(world, "workflow", &loading(DAYS)));
        until_within("the first pod", PATIENCE, || (timeline.sample(world).len() > ALWAYS.len()).then_some(()));
        println!("first pod after {:.1} s", timeline.seconds());
        started.join().unwrap()
    });
    until_within("the first effect", PATIENCE, || {
        timeline.sample(world);
        (flow.now()["records_written"].as_u64() > Some(0)).then_some(())
    });
    println!("first effect after {:.1} s", timeline.seconds());
    until_within("the end", PATIENCE, || {
        timeline.sample(world);
        (flow.now()["status"] == "finished" || timeline.seconds() > PATIENCE.as_secs_f64() / 2.0).then_some(())
    });
    println!("finished after {:.1} s", timeline.seconds());
    let ended = flow.finish();
    assert_eq!(ended["records_written"], SYMBOLS.len() * BARS, "{ended:#}");
    assert_eq!(stored(world, DAYS, &ended), truth(world, DAYS), "the same bytes as without a cluster");
    until_within("all functions to be at zero", PATIENCE, || {
        (timeline.sample(world).keys().eq(ALWAYS.as_slice())).then_some(())
    });
    println!("at zero after {:.1} s", timeline.seconds());
    timeline.draw("workflow");
}
