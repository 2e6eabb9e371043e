//! Requests to the workflow API: each answered with a status of its own, a stable code and words that help.

use serde_json::{Value, json};

use crate::raw::{chunked, get, post, unsized_post};

/// One request: its name, its bytes, the status, the code and words of the answer.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) words: &'static str,
}

pub(crate) const START: &str = "/queues/start-pipeline";
const JSON: &str = "content-type: application/json\r\n";

/// Everything that the API has to stand.
pub(crate) fn cases() -> Vec<Case> {
    [bodies(), fields(), other_starts(), queries(), commands()].into_iter().flatten().collect()
}

fn case(name: &str, bytes: Vec<u8>, status: u16, code: &'static str, words: &'static str) -> Case {
    Case { name: name.to_owned(), bytes, status, code, words }
}

fn request() -> Value {
    json!({
        "symbol": "BTCUSDT", "time_range": "2026-03-01:2026-03-01",
        "requests": [
            {"target": "loader-producer", "type": "api_candles_15m"},
            {"target": "graph-builder", "type": "gnn_graph"},
        ],
    })
}

fn bodies() -> Vec<Case> {
    let start = |body: &[u8]| post(START, JSON, body);
    let twice = request().to_string().replacen('{', r#"{"symbol":"ETHUSDT","#, 1);
    let inner = request().to_string().replacen(r#"{"target""#, r#"{"type":"gnn_graph","target""#, 1);
    let announced = |length: &str| unsized_post(START, &format!("{JSON}content-length: {length}\r\n"));
    let other = |media_type: &str| post(START, media_type, request().to_string());
    vec![
        case("nothing", start(b""), 400, "invalid_json", "the body is not JSON"),
        case("half a document", start(b"{\"symbol\":"), 400, "invalid_json", "line 1 column"),
        case("two documents", start(b"{} {}"), 400, "invalid_json", "trailing characters"),
        case("invalid UTF-8", start(b"{\"symbol\":\"\xff\xfe\"}"), 400, "invalid_json", "the body is not JSON"),
        case("half a surrogate", start(br#"{"symbol":"\ud800"}"#), 400, "invalid_json", "the body is not JSON"),
        case("NaN", start(br#"{"threshold":NaN}"#), 400, "invalid_json", "the body is not JSON"),
        case("infinity", start(br#"{"threshold":1e999}"#), 400, "invalid_json", "number out of range"),
        case("100,000 brackets", start("[".repeat(100_000).as_bytes()), 400, "invalid_json", "recursion limit"),
        case("40,000 objects", start(r#"{"a":"#.repeat(40_000).as_bytes()), 400, "invalid_json", "recursion limit"),
        case("a field twice", start(twice.as_bytes()), 400, "invalid_json", "duplicate field `symbol`"),
        case("an inner field twice", start(inner.as_bytes()), 400, "invalid_json", "duplicate field `type`"),
        case("null", start(b"null"), 422, "not_an_object", "write a JSON object"),
        case("a list", start(b"[]"), 422, "not_an_object", "write a JSON object"),
        case("a text", start(b"\"start\""), 422, "not_an_object", "write a JSON object"),
        case("no media type", other(""), 415, "unsupported_media_type", "application/json"),
        case("a form", other("content-type: text/plain\r\n"), 415, "unsupported_media_type", "application/json"),
        case(
            "a zip bomb",
            post(START, &format!("content-encoding: gzip\r\n{JSON}"), super::ingress::bomb()),
            400,
            "invalid_json",
            "not JSON",
        ),
        case("10 GiB announced", announced("10737418240"), 413, "too_large", "larger than 262144 bytes"),
        case(
            "a question before 10 GiB",
            announced("10737418240\r\nexpect: 100-continue"),
            413,
            "too_large",
            "send less",
        ),
        case("8 MiB in chunks", chunked(START, JSON, 8 << 20), 413, "too_large", "larger than 262144 bytes"),
        case("300 KiB at once", start(&vec![b' '; 300 << 10]), 413, "too_large", "larger than 262144 bytes"),
    ]
}

fn fields() -> Vec<Case> {
    let many = |count: usize| json!((0..count).map(|number| format!("S{number}")).collect::<Vec<_>>());
    let long = "A".repeat(65);
    let parts = vec![json!({"target": "dummy-service", "type": "dummy"}); 51];
    let changes: Vec<(&str, Value, &'static str, &'static str)> = vec![
        ("/colour", json!(1), "unknown_field", "known are symbol"),
        ("/image", json!("evil:latest"), "unknown_field", "known are symbol"),
        ("/__proto__", json!({}), "unknown_field", "known are symbol"),
        ("/symbol", json!(""), "invalid_symbol", "1 to 64 bytes"),
        ("/symbol", json!(7), "invalid_symbol", "text in quotes"),
        ("/symbol", json!(null), "invalid_symbol", "text in quotes"),
        ("/symbol", json!(long), "invalid_symbol", "1 to 64 bytes"),
        ("/symbol", json!("../../_system"), "invalid_symbol", "1 to 64 bytes"),
        ("/symbol", json!("BTCUSDT' || true REMOVE"), "invalid_symbol", "1 to 64 bytes"),
        ("/symbol", json!("BTC\u{200d}USDT"), "invalid_symbol", "invisible"),
        ("/symbol", json!("BTC\u{202e}USDT"), "invalid_symbol", "invisible"),
        ("/symbol", json!("BTC\u{0}"), "invalid_symbol", "control"),
        ("/symbols", json!("BTCUSDT"), "invalid_symbol", "list of symbols"),
        ("/symbols", json!([["BTCUSDT"]]), "invalid_symbol", "text in quotes"),
        ("/symbols", many(1001), "too_many", "1000 symbols are the most"),
        ("/time_range", json!(2026), "invalid_time_range", "text in quotes"),
        ("/time_range", json!("yesterday"), "invalid_time_range", "YYYY-MM-DD"),
        ("/time_range", json!("2026-02-30:2026-03-01"), "invalid_time_range", "YYYY-MM-DD"),
        ("/time_range", json!("2026-03-03:2026-03-01"), "invalid_time_range", "after its start"),
        ("/time_range", json!("2026-03-01T00:00:00Z/2026-03-01T00:00:00Z"), "invalid_time_range", "after its start"),
        ("/time_range", json!("-999-01-01:2026-03-01"), "invalid_time_range", "1970 to 9999"),
        ("/time_range", json!("0000-01-01:2026-03-01"), "invalid_time_range", "1970 to 9999"),
        ("/time_range", json!("1970-01-01:18446744073709551616"), "invalid_time_range", "YYYY-MM-DD"),
        ("/time_range", json!("9998-01-01:9999-12-31"), "range_in_future", "has not begun"),
        ("/requests", json!([]), "invalid_field", "1 to 50 parts"),
        ("/requests", json!({}), "invalid_field", "list of objects"),
        ("/requests", json!(["dummy"]), "not_an_object", "JSON object"),
        ("/requests", json!(parts), "invalid_field", "1 to 50 parts"),
        ("/microservices", json!([]), "conflicting_fields", "one of them"),
        ("/requests/0/colour", json!(1), "unknown_field", "no such field"),
        ("/requests/0/target", json!("../../bin/sh"), "invalid_target", "letters, digits"),
        ("/requests/0/target", json!("moon"), "unsupported_target", "available are"),
        ("/requests/0/target", json!("x".repeat(101)), "invalid_target", "100 characters"),
        ("/requests/0/type", json!("api_candles_7m"), "invalid_type", "use one of"),
        ("/requests/0/type", json!("api_candles_15M"), "invalid_type", "case matters"),
        ("/requests/0/type", json!("a/b"), "invalid_type", "letters, digits"),
        ("/requests/0/interval", json!("1h"), "invalid_interval", "the type names"),
        ("/requests/0/interval", json!(15), "invalid_interval", "text in quotes"),
        ("/requests/0/refresh", json!("yes"), "invalid_field", "true or false"),
        ("/requests/0/after", json!("x"), "invalid_field", "list of stages"),
        ("/requests/0/after", json!([1]), "invalid_field", "list of stages"),
        ("/requests/0/after", json!(["no/such"]), "unknown_stage", ""),
        ("/requests/1/threshold", json!(-0.1), "invalid_field", "from 0 to 1"),
        ("/requests/1/threshold", json!(1e300), "invalid_field", "from 0 to 1"),
        ("/requests/1/threshold", json!("NaN"), "invalid_field", "from 0 to 1"),
        ("/requests/1/k", json!(-1), "invalid_field", "whole number"),
        ("/requests/1/k", json!(1.5), "invalid_field", "whole number"),
        ("/requests/1/k", json!(1.844_674_407_370_955_2e19), "invalid_field", "whole number"),
        ("/requests/1/minimum_observations", json!(1), "invalid_field", "2 or more"),
        ("/requests/1/collection_output", json!("../graph"), "invalid_field", "letters, digits"),
        ("/requests/1/collection_output", json!(""), "invalid_field", "letters, digits"),
    ];
    let mut cases: Vec<Case> = changes
        .into_iter()
        .map(|(pointer, value, code, words)| {
            let mut body = request();
            let (parent, name) = pointer.rsplit_once('/').expect("a pointer has a slash");
            let shown: String = format!("{pointer} {value}").chars().take(60).collect();
            body.pointer_mut(parent).expect("the parent is there")[name] = value;
            case(&shown, post(START, JSON, body.to_string()), 422, code, words)
        })
        .collect();
    let mut endless = request();
    endless["time_range"] = json!("1970-01-01:9999-12-31");
    endless["requests"][0]["type"] = json!("api_candles_1s");
    cases.push(case("56 years of seconds", post(START, JSON, endless.to_string()), 422, "too_much", "ask for less"));
    for (name, key) in [("an empty key", String::new()), ("a key of 300 characters", "k".repeat(300))] {
        let headers = format!("{JSON}idempotency-key: {key}\r\n");
        let bytes = post(START, &headers, request().to_string());
        cases.push(case(name, bytes, 422, "invalid_idempotency_key", "1 to 255 characters"));
    }
    let foreign = post(START, &format!("{JSON}origin: https://evil.example\r\n"), request().to_string());
    cases.push(case("another site's page", foreign, 403, "foreign_origin", "refused"));
    cases
}

fn other_starts() -> Vec<Case> {
    let short = |body: &str| post("/queues/start", JSON, body);
    let flow = |body: &str| post("/queues/start-test-flow", JSON, body);
    vec![
        case("a short form without a type", short(r#"{"symbol":"A"}"#), 422, "missing_field", "missing"),
        case(
            "a short form with parts",
            short(r#"{"type":"api_trades","requests":[]}"#),
            422,
            "unknown_field",
            "known are",
        ),
        case("a short form of a number", short(r#"{"type":5}"#), 422, "invalid_field", "text"),
        case("an unknown flow", flow(r#"{"flow":"../x"}"#), 422, "unknown_flow", "known flows are"),
        case("a flow of a list", flow("[1]"), 422, "not_an_object", "JSON object"),
    ]
}

fn queries() -> Vec<Case> {
    let mut cases = Vec::new();
    for limit in ["0", "-1", "501", "18446744073709551616", "NaN", "1e2", ""] {
        let bytes = get(&format!("/queues?limit={limit}"));
        cases.push(case(&format!("limit {limit}"), bytes, 422, "invalid_limit", "from 1 to 500"));
    }
    cases.extend([
        case("an unknown parameter", get("/queues?colour=1"), 422, "unknown_field", "known are limit"),
        case("a status twice", get("/queues?status=error&status=pending"), 422, "repeated_field", "once"),
        case("a status that is none", get("/queues?status=lost"), 422, "invalid_status", "pending, loading"),
        case("a cursor that is none", get("/queues?cursor=../../x"), 422, "invalid_cursor", "cursor"),
        case("a cursor of 2^64", get("/queues?cursor=18446744073709551616"), 422, "invalid_cursor", "cursor"),
    ]);
    let unknown = [
        "/queues/..%2f..%2fetc%2fpasswd",
        "/queues/%00",
        "/queues/wf-none",
        "/queues/%E2%80%8B",
        "/queues/wf%20none/events",
    ];
    cases.extend(unknown.map(|path| case(path, get(path), 404, "unknown_queue", "there is no workflow")));
    let long = format!("/queues/{}", "x".repeat(5000));
    cases.push(case("an id of 5,000 characters", get(&long), 404, "unknown_queue", "there is no workflow"));
    for path in ["/queues/%ff", "/queues/%ff/events", "/ws/topic/%ff"] {
        cases.push(case(path, get(path), 400, "invalid_path", "UTF-8"));
    }
    for path in ["/queues/../../etc/passwd", "/queues//x", "/..", "/queues/wf-none/", "/static/../../x"] {
        cases.push(case(path, get(path), 404, "unknown_path", "see /docs"));
    }
    cases.extend([
        case("a hidden topic", get("/ws/topic/dead-letters"), 404, "unknown_topic", "there are queue-control"),
        case("a path as topic", get("/ws/topic/..%2fx"), 404, "unknown_topic", "there are queue-control"),
        case("no upgrade", get("/ws/topic/queue-events"), 426, "upgrade_required", "WebSocket"),
        case("a post to a list", post("/queues", JSON, "{}"), 405, "method_not_allowed", "other methods"),
        case("a start by reading", get(START), 405, "method_not_allowed", "other methods"),
    ]);
    cases
}

fn commands() -> Vec<Case> {
    let stop = |body: &str| post("/queues/stop", JSON, body);
    let control = |body: &str| post("/queues/control", JSON, body);
    vec![
        case("a stop of nothing", stop("{}"), 422, "missing_field", "missing"),
        case("a stop of a number", stop(r#"{"queue_id":5}"#), 422, "invalid_field", "text"),
        case("a stop of a path", stop(r#"{"queue_id":"../x"}"#), 404, "unknown_queue", "there is no workflow"),
        case("a stop of nobody", post("/queues/stop?queue_id=wf-none", "", ""), 404, "unknown_queue", "no workflow"),
        case("a stop of two", post("/queues/stop?queue_id=a&queue_id=b", "", ""), 422, "repeated_field", "once"),
        case(
            "a command that is none",
            control(r#"{"queue_id":"a","command":"start"}"#),
            422,
            "unknown_command",
            "ping and stop",
        ),
        case(
            "a command to a path",
            control(r#"{"queue_id":"a","command":"ping","target":"../x"}"#),
            422,
            "unsupported_target",
            "available",
        ),
        case(
            "a command of a path",
            control(r#"{"queue_id":"a/b","command":"ping"}"#),
            422,
            "invalid_queue_id",
            "letters",
        ),
        case(
            "a command with more",
            control(r#"{"queue_id":"a","command":"ping","x":1}"#),
            422,
            "unknown_field",
            "known are",
        ),
    ]
}
