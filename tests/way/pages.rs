//! The pages and what they read, beside the workflow API of a platform at work.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use serde_json::{Value, json};

use crate::support::{Answer, Folder, until};

/// Head and body of what a path answers, as text.
fn text(api: &str, path: &str) -> String {
    let address = api.strip_prefix("http://").expect("a URL without TLS");
    let mut stream = TcpStream::connect(address).expect("the platform listens");
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("the platform reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the platform answers with text");
    answer
}

#[test]
fn a_workflow_can_be_started_and_looked_at_on_one_port() {
    let folder = Folder::new();
    let up = ["up", "--exchange", "synthetic:42", "--ingress", "127.0.0.1:0", "--api", "127.0.0.1:0"];
    let mut platform = folder.start(&up);
    let api = platform.first_json()["api"].as_str().expect("a URL").to_owned();
    for path in ["/", "/workflows", "/market/BTCUSDT"] {
        let page = text(&api, path).to_lowercase();
        assert!(page.starts_with("http/1.1 200") && page.contains("<!doctype html>"), "{path}: {page}");
        assert!(page.contains("content-security-policy: default-src 'none'; script-src 'self'"), "{path}: {page}");
    }
    let data = |path: &str| {
        let answer = Answer::get(&format!("{api}{path}"));
        assert_eq!((answer.status, &answer.body["status"]), (200, &json!("success")), "{path}: {answer:?}");
        answer.body["data"].clone()
    };
    assert_eq!(data("/views/symbols"), json!({"symbols": []}));
    let request = json!({
        "symbols": ["BTCUSDT", "ETHUSDT"], "time_range": "2024-06-01:2024-06-02",
        "requests": [
            {"target": "loader-producer", "type": "api_candles_1h"},
            {"target": "arango-connector", "type": "api_candles_1h"},
            {"target": "graph-builder", "type": "gnn_graph"},
        ],
    });
    let started = Answer::post(&format!("{api}/queues/start-pipeline"), &[], &request.to_string());
    let id = started.body["data"]["queue_id"].as_str().expect("an id").to_owned();
    until("the end of the workflow", || {
        let status = data(&format!("/queues/{id}"))["status"].clone();
        assert_ne!(status, "error");
        (status == "finished").then_some(())
    });
    let symbol = |name: &str| json!({"symbol": name, "intervals": ["1h"], "has_trades": false});
    assert_eq!(data("/views/symbols"), json!({"symbols": [symbol("BTCUSDT"), symbol("ETHUSDT")]}));
    let bars = data("/views/klines?symbol=BTCUSDT&interval=1h&limit=30");
    assert_eq!((bars["rows"].as_array().map(Vec::len), &bars["earlier"]), (Some(30), &json!(true)));
    let graphs = data("/views/graphs");
    let graph = graphs["graphs"][0]["id"].as_str().expect("a graph").to_owned();
    assert_eq!(data(&format!("/views/graphs/{graph}"))["nodes"].as_array().map(Vec::len), Some(2));
    let lineage = data(&format!("/views/lineage/{id}"));
    let events: &[Value] = lineage["events"].as_array().expect("a list");
    let has = |kind: &str| events.iter().any(|event| event["type"] == format!("io.streamforge.{kind}.v1"));
    for kind in ["workflow.requested", "control.start", "klines.loaded", "queue.reported", "workflow.finished"] {
        assert!(has(kind), "{kind}: {lineage}");
    }
    assert_eq!(lineage["is_complete"], true);
    // Each worker writes that it is ready.
    let lines = data("/views/logs?task=ready")["lines"].clone();
    assert!(lines.as_array().is_some_and(|lines| !lines.is_empty()), "{lines}");
    until("a look at the functions after the first of them started and answered", || {
        let functions = data("/views/platform")["functions"].clone();
        let builder = functions.as_array()?.iter().find(|function| function["name"] == "graph-builder")?.clone();
        let start = &builder["cold_starts"][0];
        ["scale_ms", "ready_ms", "first_event_ms"].iter().map(|phase| start[phase].as_u64()).sum::<Option<u64>>()
    });
    let again = Answer::post(&format!("{api}/queues/retry"), &[], &json!({"queue_id": id}).to_string());
    assert_eq!(again.status, 202, "{again:?}");
    assert_eq!(platform.stop().code, Some(0));
}
