//! One event becomes predictions in pods that were not there before, and they are gone afterwards.

use std::thread;

use serde_json::json;

use crate::{
    flow::{Flow, SYMBOLS, stored, truth},
    support::until_within,
    timeline::Timeline,
    trainings::{training, versions},
    world::{ALWAYS, PATIENCE, idle, world},
};

const DAYS: &str = "2025-01-01:2025-01-31";
const BARS: usize = 31 * 96;
const MODEL: &str = "whole";

#[test]
#[ignore = "needs the cluster of `make e2e`"]
fn an_event_becomes_predictions_in_pods_that_come_and_go() {
    let world = world();
    idle(world);
    let mut request = training(MODEL, 3);
    // No other test has loaded these.
    request["time_range"] = json!(DAYS);
    request["requests"].as_array_mut().unwrap().push(json!({"target": "predictor", "type": "gnn_infer"}));
    let mut timeline = Timeline::start();
    let flow = thread::scope(|scope| {
        let started = scope.spawn(|| Flow::start(world, "workflow", &request));
        until_within("the first pod", PATIENCE, || (timeline.sample(world).len() > 1).then_some(()));
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
    assert_eq!((versions(world, MODEL), &ended["model"]["name"]), (1, &json!(MODEL)), "{ended:#}");
    for name in ["loader-api-candles", "arango-connector", "graph-builder", "gnn-trainer", "predictor", "bookkeeper"] {
        assert!(timeline.most(name) > 0, "{name} had work");
    }
    until_within("all functions to be at zero", PATIENCE, || timeline.sample(world).keys().eq(ALWAYS).then_some(()));
    println!("at zero after {:.1} s", timeline.seconds());
    timeline.draw("workflow");
}
