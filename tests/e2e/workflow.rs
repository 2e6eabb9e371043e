//! One event becomes a graph in pods that were not there before, and they are gone afterwards.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    support::{Answer, Ended, Running, until_within},
    world::{World, idle, world},
};

const SYMBOLS: [&str; 3] = ["BTCUSDT", "ETHUSDT", "SOLUSDT"];
const BARS_OF_A_DAY: usize = 96;
const DAYS: usize = 31;
const PATIENCE: Duration = Duration::from_mins(10);

#[test]
#[ignore = "needs the cluster of `make e2e`"]
fn an_event_becomes_a_graph_in_pods_that_come_and_go() {
    let world = world();
    idle(world);
    let request = json!({
        "symbols": SYMBOLS, "time_range": "2024-01-01:2024-01-31",
        "requests": [
            {"target": "loader-producer", "type": "api_candles_15m"},
            {"target": "arango-connector", "type": "api_candles_15m"},
            {"target": "graph-builder", "type": "gnn_graph"},
        ],
    });
    let headers = [
        ("ce-specversion", "1.0"),
        ("ce-id", "e2e-1"),
        ("ce-source", "/tests/e2e"),
        ("ce-type", "io.streamforge.workflow.requested.v1"),
    ];
    let ingress = world.url("knative-eventing", "kafka-broker-ingress");
    let answer = Answer::post(&format!("{ingress}/streamforge/workflows"), &headers, &request.to_string());
    assert_eq!(answer.status, 202, "{answer:?}");
    let api = world.url("streamforge", "queue-manager-api");
    let ended = until_within("the workflow to end", PATIENCE, || {
        let listed = Answer::get(&format!("{api}/queues")).body;
        let workflow = listed["data"]["queues"].as_array()?.first()?.clone();
        ["finished", "error", "stopped"].iter().any(|status| workflow["status"] == *status).then_some(workflow)
    });
    assert_eq!(ended["status"], "finished", "{ended:#}");
    for symbol in SYMBOLS {
        let rows = stored(world, &["export", "candles", "--symbol", symbol, "--interval", "15m"]).succeeded();
        assert_eq!(rows.lines().count(), DAYS * BARS_OF_A_DAY, "{symbol}");
    }
    let graph: Value = serde_json::from_str(&stored(world, &["export", "graph"]).succeeded()).unwrap();
    assert_eq!(graph["nodes"].as_array().unwrap().len(), SYMBOLS.len());
    idle(world);
}

fn stored(world: &World, arguments: &[&str]) -> Ended {
    let data = world.data.display().to_string();
    Running::start(&[arguments, &["--data-dir", &data]].concat()).wait()
}
