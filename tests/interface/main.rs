//! The API of a platform at work, tried by its own `OpenAPI` document: what that says holds, and what it does not is refused.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

#[path = "../support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "each target needs its own part")]
mod support;

use std::{fs, process::Command};

use serde_json::{Value, json};
use support::{Answer, Folder, python, until};

const CONFIGURATION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/interface/schemathesis.toml");

/// Calls whose answer has no end, which this tool would wait for.
const ENDLESS: [&str; 2] = ["/views/platform/events", "/views/topics/{topic}/events"];

#[test]
fn the_apis_are_as_their_documents_say() {
    let folder = Folder::new();
    let any = "127.0.0.1:0";
    let mut platform = folder.start(&["up", "--exchange", "synthetic:42", "--ingress", any, "--api", any]);
    let state = platform.first_json();
    let api = state["api"].as_str().unwrap();
    load(api);
    lose_an_event(state["ingress"].as_str().unwrap(), api);

    for document in ["openapi.json", "views/openapi.json"] {
        let document = format!("{api}/{document}");
        let report = examine(&folder, &document, &[]);
        let paths = Answer::get(&document).body["paths"].as_object().unwrap().clone();
        let calls = paths.iter().filter(|(path, _)| !ENDLESS.contains(&path.as_str()));
        // The tool leaves out the document itself.
        let calls = calls.map(|(_, path)| path.as_object().unwrap().len()).sum::<usize>() - 1;
        assert_eq!(report["operations"]["tested"], calls, "{report}");
        assert!(report["test_cases"]["generated"].as_u64().unwrap() > 10 * u64::try_from(calls).unwrap(), "{report}");
        assert_eq!((&report["failures"], &report["errors"]), (&json!([]), &json!([])), "{report}");
        assert!(platform.is_running(), "{}", platform.said());
    }

    // The same questions find a document that promises too much.
    let mut wrong = Answer::get(&format!("{api}/openapi.json")).body;
    wrong["paths"]["/queues"]["get"]["parameters"][0]["schema"]["maximum"] = json!(10_000);
    wrong["paths"]["/queues"]["get"]["responses"].as_object_mut().unwrap().remove("422");
    let wrong = folder.write("wrong.json", wrong.to_string());
    let report = examine(&folder, &wrong, &["--url", api, "--include-path", "/queues"]);
    let kinds: Vec<&str> =
        report["failures"].as_array().unwrap().iter().map(|failure| failure["type"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"UndefinedStatusCode") && kinds.contains(&"RejectedPositiveData"), "{report}");
    assert_eq!(platform.stop().code, Some(0));
}

/// Has something to show of every kind that does not take minutes: klines, trades, a graph, and a workflow's events.
fn load(api: &str) {
    let requests = json!([
        {"target": "loader-producer", "type": "api_candles_1h"},
        {"target": "loader-producer", "type": "api_trades"},
        {"target": "arango-connector", "type": "api_candles_1h"},
        {"target": "graph-builder", "type": "gnn_graph"},
    ]);
    let symbols = ["BTCUSDT", "ETHUSDT", "BNBUSDT"];
    let request = json!({"symbols": symbols, "time_range": "2024-01-01:2024-01-03", "requests": requests});
    let accepted = Answer::post(&format!("{api}/queues/start-pipeline"), &[], &request.to_string());
    assert_eq!(accepted.status, 202, "{accepted:?}");
    let id = accepted.body["data"]["queue_id"].as_str().unwrap().to_owned();
    until("the end of the workflow", || {
        let shown = Answer::get(&format!("{api}/queues/{id}"));
        (shown.body["data"]["status"] == "finished").then_some(())
    });
}

/// Publishes a batch that nobody can store, and waits until it lies among the dead letters.
fn lose_an_event(ingress: &str, api: &str) {
    let kind = "io.streamforge.klines.loaded.v1";
    let headers = [("ce-specversion", "1.0"), ("ce-id", "lost"), ("ce-source", "/test"), ("ce-type", kind)];
    let answer = Answer::post(&format!("{ingress}/streamforge/market-data"), &headers, "{}");
    assert_eq!(answer.status, 202, "{answer:?}");
    until("a dead letter", || {
        let letters = Answer::get(&format!("{api}/views/dead-letters"));
        letters.body["data"]["letters"].as_array().filter(|letters| !letters.is_empty()).map(|_| ())
    });
}

/// Runs schemathesis and returns its report.
fn examine(folder: &Folder, document: &str, more: &[&str]) -> Value {
    let report = folder.path("report.json");
    let ended = Command::new(python::interpreter("interface").with_file_name("schemathesis"))
        .args(["--config-file", CONFIGURATION, "run", document, "--report-json-path"])
        .arg(&report)
        .args(more)
        .current_dir(folder.path(""))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stdout);
    eprintln!("{said}");
    assert!(report.is_file(), "{said}{}", String::from_utf8_lossy(&ended.stderr));
    serde_json::from_slice(&fs::read(report).unwrap()).unwrap()
}
