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
fn what_is_live_is_read_too() {
    let mut body = body();
    body["requests"] = json!([
        {"target": "loader-producer", "type": "ws_trades"},
        {"target": "loader-ws", "type": "ws_candles_1m", "interval": "1m"},
        {"target": "loader-ws", "type": "ws_orderbook"},
        {"target": "graph-builder", "type": "realtime_graph", "window": 10_000, "k": 2, "collection_output": "g"},
    ]);
    let kinds: Vec<RequestKind> =
        WorkflowRequest::parse(&body).unwrap().entries.into_iter().map(|entry| entry.kind).collect();
    let streams = [StreamKind::Trades, StreamKind::Klines(Interval::M1), StreamKind::OrderBook];
    assert_eq!(kinds[..3], streams.map(RequestKind::Stream));
    assert_eq!(kinds[3], RequestKind::LiveGraph);
    for (place, value, code, field) in [
        ("/requests/3/window", json!(1), "invalid_field", "requests[3].window"),
        ("/requests/3/window", json!(10_001), "invalid_field", "requests[3].window"),
        ("/requests/3/window", json!("500"), "invalid_field", "requests[3].window"),
        ("/requests/3/threshold", json!(2), "invalid_field", "requests[3].threshold"),
        ("/requests/1/interval", json!("5m"), "invalid_interval", "requests[1].interval"),
        ("/requests/1/type", json!("ws_candles_7m"), "invalid_type", "requests[1].type"),
        ("/requests/1/window", json!(7), "unknown_field", "requests[1].window"),
    ] {
        let mut body = body.clone();
        let (object, name) = place.rsplit_once('/').unwrap();
        body.pointer_mut(object).unwrap()[name] = value.clone();
        let error = WorkflowRequest::parse(&body).unwrap_err();
        assert_eq!((&*error.code, &*error.field), (code, field), "{place} = {value}");
    }
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

#[test]
fn training_and_prediction_have_fields_of_their_own() {
    let with = |entry: Value| {
        let mut body = body();
        body["requests"][1] = entry;
        WorkflowRequest::parse(&body)
    };
    let train = json!({"target": "gnn-trainer", "type": "gnn_train", "graph_collection": "g", "model_output": "gnn-币安",
        "horizon": 16, "epochs": 2, "seed": 0, "temporal": "gru"});
    let entry = &with(train).unwrap().entries[1];
    assert_eq!((&entry.kind, &entry.parameters["horizon"]), (&RequestKind::Train, &json!(16)));
    let infer = |name: &str, value: Value| {
        let mut entry = json!({"target": "predictor", "type": "gnn_infer", "model": "gnn"});
        entry[name] = value;
        entry
    };
    let live = |pause: Value| json!({"target": "predictor", "type": "realtime_gnn_infer", "inference_interval": pause});
    for sound in [
        infer("range", json!("last_day")),
        infer("range", json!("2024-06-29:2024-06-30")),
        infer("version", json!("1")),
        live(json!("1m")),
        live(json!(30)),
    ] {
        with(sound.clone()).unwrap_or_else(|error| panic!("{sound}: {error}"));
    }
    let train = |name: &str, value: Value| {
        let mut entry = json!({"target": "gnn-trainer", "type": "gnn_train"});
        entry[name] = value;
        entry
    };
    for (entry, code, field) in [
        (train("model_output", json!("../x")), "invalid_field", "model_output"),
        (train("graph_collection", json!("a/b")), "invalid_field", "graph_collection"),
        (train("horizon", json!(0)), "invalid_field", "horizon"),
        (train("epochs", json!(1.5)), "invalid_field", "epochs"),
        (train("seed", json!(-1)), "invalid_field", "seed"),
        (train("inference_interval", json!("1m")), "unknown_field", "inference_interval"),
        (infer("model", json!(".x")), "invalid_field", "model"),
        (infer("version", json!("latest")), "invalid_field", "version"),
        (infer("range", json!("today")), "invalid_time_range", "range"),
        (infer("range", json!(1)), "invalid_time_range", "range"),
        (infer("from", json!("2024-06-30T00:00:00Z")), "missing_field", "to"),
        (infer("to", json!("2024-06-30")), "invalid_time_range", "to"),
        (live(json!("now")), "invalid_field", "inference_interval"),
        (live(json!(0)), "invalid_field", "inference_interval"),
    ] {
        let error = with(entry.clone()).unwrap_err();
        assert_eq!((&*error.code, error.field), (code, format!("requests[1].{field}")), "{entry}");
    }
}

#[test]
fn the_range_of_a_prediction_is_the_last_day_or_its_own() {
    let read = |fields: Value| inference_range(fields.as_object().unwrap(), "requests[0]");
    assert_eq!(read(json!({})), Ok(InferenceRange::LastDay));
    assert_eq!(read(json!({"range": "last_day"})), Ok(InferenceRange::LastDay));
    let day = InferenceRange::Own("2024-06-30:2024-06-30".parse().unwrap());
    assert_eq!(read(json!({"range": "2024-06-30:2024-06-30"})), Ok(day));
    let (from, to) = ("2024-06-30T00:00:00Z", "2024-07-01T00:00:00Z");
    assert_eq!(read(json!({"from": from, "to": to})), Ok(day));
    let error = read(json!({"range": "last_day", "from": from, "to": to})).unwrap_err();
    assert_eq!(error.code, "conflicting_fields");
    assert_eq!(read(json!({"from": to, "to": from})).unwrap_err().field, "requests[0].to");
}
