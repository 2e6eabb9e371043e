//! Workflows on the cluster, and the same ones on a platform without it: what both leave behind must be the same bytes.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};

use crate::{
    support::{Answer, Folder, Running, until_within},
    world::World,
};

pub(crate) const SYMBOLS: [&str; 10] =
    ["BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT", "XRPUSDT", "ADAUSDT", "DOGEUSDT", "AVAXUSDT", "LINKUSDT", "DOTUSDT"];
pub(crate) const INTERVAL: &str = "15m";
/// Longer than a workflow takes whose pods were killed and whose tasks were given out again.
const PATIENCE: Duration = Duration::from_mins(10);
const ENDS: [&str; 3] = ["finished", "error", "stopped"];

/// A request to load some days of all symbols and to make their graph.
pub(crate) fn loading(days: &str) -> Value {
    json!({
        "symbols": SYMBOLS, "time_range": days,
        "requests": [
            {"target": "loader-producer", "type": format!("api_candles_{INTERVAL}")},
            {"target": "arango-connector", "type": format!("api_candles_{INTERVAL}")},
            {"target": "graph-builder", "type": "gnn_graph", "collection_output": "all", "threshold": 0.7, "k": 3},
        ],
    })
}

/// A workflow that was asked for.
pub(crate) struct Flow<'a> {
    world: &'a World,
    id: String,
}

impl<'a> Flow<'a> {
    /// Publishes the event, and waits until the engine has taken it.
    pub(crate) fn start(world: &'a World, name: &str, request: &Value) -> Self {
        let before = ids(world);
        let headers = [
            ("ce-specversion", "1.0"),
            ("ce-id", name),
            ("ce-source", "/tests/e2e"),
            ("ce-type", "io.streamforge.workflow.requested.v1"),
        ];
        let url = format!("{}/streamforge/workflows", world.url("knative-eventing", "kafka-broker-ingress"));
        let answer = Answer::post(&url, &headers, &request.to_string());
        assert_eq!(answer.status, 202, "{answer:?}");
        let id = until_within("the workflow to be known", PATIENCE, || ids(world).difference(&before).next().cloned());
        Self { world, id }
    }

    /// Its identity.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// What the API says of it; null while it cannot be asked.
    pub(crate) fn now(&self) -> Value {
        listed(self.world).into_iter().find(|workflow| workflow["id"] == *self.id).unwrap_or_default()
    }

    /// Waits for a good end.
    pub(crate) fn finish(&self) -> Value {
        let ended = until_within("the workflow to end", PATIENCE, || {
            let workflow = self.now();
            ENDS.iter().any(|status| workflow["status"] == *status).then_some(workflow)
        });
        assert_eq!(ended["status"], "finished", "{ended:#}");
        ended
    }
}

fn ids(world: &World) -> BTreeSet<String> {
    listed(world).iter().filter_map(|workflow| workflow["id"].as_str().map(str::to_owned)).collect()
}

fn listed(world: &World) -> Vec<Value> {
    let api = world.url("streamforge", "queue-manager-api");
    let answer = Answer::try_get(&format!("{api}/queues?limit=100"));
    let list = answer.ok().map(|answer| answer.body["data"]["queues"].clone());
    list.and_then(|list| list.as_array().cloned()).unwrap_or_default()
}

/// What a workflow of the cluster has stored: the klines of its days, and its graph.
pub(crate) fn stored(world: &World, days: &str, ended: &Value) -> Vec<String> {
    exported(&world.data.display().to_string(), days, &["--id", ended["graph"].as_str().unwrap()])
}

/// What the same request stores on a platform without a cluster.
pub(crate) fn truth(world: &World, days: &str) -> Vec<String> {
    let folder = Folder::new();
    let file = folder.write("request.json", loading(days).to_string());
    folder.run(&file, &world.market);
    // The only one there.
    exported(&folder.data(), days, &[])
}

fn exported(data: &str, days: &str, graph: &[&str]) -> Vec<String> {
    let export = |arguments: &[&str]| Running::start(&[&["export"], arguments, &["--data-dir", data]].concat()).wait();
    let (from, last) = days.split_once(':').unwrap();
    let to = format!("{last}T23:59:59.999Z");
    let range = ["--interval", INTERVAL, "--from", from, "--to", &to, "--format", "ndjson"];
    let klines = SYMBOLS.map(|symbol| export(&[&["candles", "--symbol", symbol], &range[..]].concat()).succeeded());
    let graph = export(&[&["graph"], graph].concat()).succeeded();
    let graph: Value = serde_json::from_str(&graph).unwrap();
    // Its id is that of the workflow, which follows from who asked.
    let parts = ["nodes", "edges"].map(|part| {
        assert!(graph[part].is_array(), "{graph:#}");
        graph[part].to_string()
    });
    klines.into_iter().chain(parts).collect()
}
