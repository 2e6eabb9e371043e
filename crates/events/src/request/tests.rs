//! Requests that are read, and the field that each bad one is told about.

use serde_json::json;

use super::*;

fn body() -> Value {
    json!({
        "symbol": "BTCUSDT",
        "time_range": "2024-06-01:2024-06-30",
        "requests": [
            {"target": "loader-producer", "type": "api_candles_5m", "interval": "5m"},
            {"target": "arango-connector", "type": "api_candles_5m"},
            {"target": "graph-builder", "type": "gnn_graph", "collection_inputs": ["a"], "collection_output": "btc_graph", "k": 2},
        ],
    })
}

#[test]
fn the_request_of_the_contract_is_read() {
    let request = WorkflowRequest::parse(&body()).unwrap();
    assert_eq!(request.symbols.len(), 1);
    assert_eq!(request.entries[0].kind, RequestKind::Klines(Interval::M5));
    assert_eq!(request.entries[2].parameters["k"], 2);
}

#[test]
fn several_symbols_count_once_each() {
    let mut body = body();
    body["symbols"] = json!(["ETHUSDT", "BTCUSDT", "币安人生USDT"]);
    let symbols: Vec<String> = WorkflowRequest::parse(&body).unwrap().symbols.into_iter().map(String::from).collect();
    assert_eq!(symbols, ["BTCUSDT", "ETHUSDT", "币安人生USDT"]);
}

#[test]
fn microservices_is_another_name() {
    let mut body = body();
    let requests = body.as_object_mut().unwrap().remove("requests").unwrap();
    body["microservices"] = requests.clone();
    assert!(WorkflowRequest::parse(&body).is_ok());
    body["requests"] = requests;
    assert_eq!(WorkflowRequest::parse(&body).unwrap_err().code, "conflicting_fields");
}

#[test]
fn each_mistake_names_its_field() {
    let cases: [(&str, Value, &str, &str); 16] = [
        ("/symbol", json!("BTC USDT"), "invalid_symbol", "symbol"),
        ("/symbol", json!(7), "invalid_symbol", "symbol"),
        ("/time_range", json!("2024-06-30:2024-06-01"), "invalid_time_range", "time_range"),
        ("/time_range", json!(null), "invalid_time_range", "time_range"),
        ("/requests", json!([]), "invalid_field", "requests"),
        ("/requests", json!({}), "invalid_field", "requests"),
        ("/requests/0", json!("x"), "not_an_object", "requests[0]"),
        ("/requests/0/type", json!("api_candles_7m"), "invalid_type", "requests[0].type"),
        ("/requests/0/type", json!("api candles"), "invalid_type", "requests[0].type"),
        ("/requests/0/target", json!("../x"), "invalid_target", "requests[0].target"),
        ("/requests/0/interval", json!("1m"), "invalid_interval", "requests[0].interval"),
        ("/requests/0/interval", json!("1H"), "invalid_interval", "requests[0].interval"),
        ("/requests/2/k", json!(-1), "invalid_field", "requests[2].k"),
        ("/requests/2/collection_output", json!("a/b"), "invalid_field", "requests[2].collection_output"),
        ("/requests/1", json!({"type": "api_trades"}), "missing_field", "requests[1].target"),
        (
            "/requests/1",
            json!({"target": "loader-producer", "type": "api_candles_5m"}),
            "duplicate_request",
            "requests[1]",
        ),
    ];
    for (place, value, code, field) in cases {
        let mut body = body();
        *body.pointer_mut(place).unwrap() = value.clone();
        let error = WorkflowRequest::parse(&body).unwrap_err();
        assert_eq!((error.code.as_str(), error.field.as_str()), (code, field), "{place} = {value}");
    }
}

#[test]
fn what_nobody_knows_is_refused() {
    for (place, field) in [("", "image"), ("/requests/0", "requests[0].image"), ("/requests/2", "requests[2].image")] {
        let mut body = body();
        body.pointer_mut(place).unwrap()["image"] = json!("evil:latest");
        let error = WorkflowRequest::parse(&body).unwrap_err();
        assert_eq!((error.code.as_str(), error.field.as_str()), ("unknown_field", field));
    }
    assert_eq!(WorkflowRequest::parse(&json!([])).unwrap_err().code, "not_an_object");
    assert_eq!(WorkflowRequest::parse(&json!({})).unwrap_err().field, "requests");
}
