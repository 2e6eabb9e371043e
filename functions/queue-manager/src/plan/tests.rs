//! Requests and what is loaded already, with the stages and tasks that follow.

use serde_json::json;

use super::*;
use crate::made::Product;

/// 2026-01-01T00:00:00Z.
const NOW: Millis = 1_767_225_600_000;

fn request(requests: &Value) -> WorkflowRequest {
    let body = json!({"symbols": ["BTCUSDT", "ETHUSDT"], "time_range": "2024-01-01:2024-12-31", "requests": requests});
    WorkflowRequest::parse(&body).unwrap()
}

fn loader() -> Value {
    json!({"target": "loader-producer", "type": "api_candles_15m"})
}

fn graph() -> Value {
    json!({"target": "graph-builder", "type": "gnn_graph", "collection_output": "g"})
}

fn stream(kind: &str) -> Value {
    json!({"target": "loader-producer", "type": kind})
}

fn live_graph(fields: &Value) -> Value {
    with(json!({"target": "graph-builder", "type": "realtime_graph"}), fields)
}

fn planned(requests: &Value) -> Vec<Stage> {
    plan(&request(requests), &BTreeMap::new(), NOW).unwrap()
}

fn refused(requests: &Value) -> (String, String) {
    let error = plan(&request(requests), &BTreeMap::new(), NOW).unwrap_err();
    (error.code, error.field)
}

fn outline(stages: &[Stage]) -> Vec<(&str, Vec<&str>)> {
    stages.iter().map(|stage| (stage.name.as_str(), stage.after.iter().map(String::as_str).collect())).collect()
}

#[test]
fn a_loader_gets_its_connector_and_the_graph_waits_for_both() {
    let stages = planned(&json!([loader(), graph()]));
    let first = vec!["loader-api-candles/api_candles_15m", "arango-connector/api_candles_15m"];
    assert_eq!(
        outline(&stages),
        [
            ("loader-api-candles/api_candles_15m", vec![]),
            ("arango-connector/api_candles_15m", vec![]),
            ("graph-builder/gnn_graph", first),
        ]
    );
    assert_eq!(stages[1].work, Work::Store("loader-api-candles/api_candles_15m".to_owned()));
    let graph = &stages[2].parameters;
    assert_eq!(graph["symbols"], json!(["BTCUSDT", "ETHUSDT"]));
    assert_eq!((&graph["interval"], &graph["collection_output"]), (&json!("15m"), &json!("g")));
    assert_eq!((&graph["from"], &graph["to"]), (&json!(1_704_067_200_000_i64), &json!(1_735_689_600_000_i64)));
}

#[test]
fn tasks_have_stable_names_and_cover_the_range() {
    let stages = planned(&json!([loader()]));
    let ids: Vec<&str> = stages[0].tasks.iter().map(|task| task.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "load-api_candles_15m-btcusdt-0000",
            "load-api_candles_15m-btcusdt-0001",
            "load-api_candles_15m-ethusdt-0002",
            "load-api_candles_15m-ethusdt-0003",
        ]
    );
    assert_eq!(stages[0].parameters["interval"], "15m");
    assert_eq!(stages, planned(&json!([loader()])));
}

#[test]
fn only_what_is_missing_is_loaded_unless_it_is_to_be_refreshed() {
    let wanted = request(&json!([loader()]));
    let have: TimeRange = "2024-01-01:2024-12-25".parse().unwrap();
    let loaded = series(&wanted).into_iter().map(|series| (series, vec![have])).collect();
    let stages = plan(&wanted, &loaded, NOW).unwrap();
    let ranges: Vec<String> = stages[0].tasks.iter().map(|task| task.range.to_string()).collect();
    assert_eq!(ranges, ["2024-12-26:2024-12-31", "2024-12-26:2024-12-31"]);
    let mut fresh = loader();
    fresh["refresh"] = true.into();
    assert_eq!(plan(&request(&json!([fresh])), &loaded, NOW).unwrap()[0].tasks.len(), 4);
}

#[test]
fn the_future_is_left_out() {
    let wanted = request(&json!([loader()]));
    let now = wanted.range.from() + 3_600_000;
    let stages = plan(&wanted, &BTreeMap::new(), now).unwrap();
    assert_eq!(stages[0].tasks[0].range.to(), now);
    let error = plan(&wanted, &BTreeMap::new(), wanted.range.from()).unwrap_err();
    assert_eq!((&*error.code, &*error.field), ("range_in_future", "time_range"));
}

#[test]
fn trades_are_loaded_in_slices_of_hours() {
    let body = json!({
        "symbol": "BTCUSDT", "time_range": "2024-06-01:2024-06-03",
        "requests": [{"target": "loader-producer", "type": "api_trades"}],
    });
    let stages = plan(&WorkflowRequest::parse(&body).unwrap(), &BTreeMap::new(), NOW).unwrap();
    assert_eq!(stages[0].function, "loader-api-trades");
    assert_eq!(stages[0].tasks.len(), 18);
}

#[test]
fn after_overrides_the_order() {
    let mut early = graph();
    early["after"] = json!(["loader-producer/api_candles_15m"]);
    let stages = planned(&json!([early, loader()]));
    assert_eq!(stages[0].after, ["loader-api-candles/api_candles_15m"]);
    let dummy = json!({"target": "dummy-service", "type": "dummy", "after": ["graph-builder/gnn_graph"]});
    let stages = planned(&json!([dummy, graph(), loader()]));
    assert_eq!(stages[0].after, ["graph-builder/gnn_graph"]);
}

#[test]
fn what_cannot_be_done_is_refused_by_name() {
    let with_after = |mut entry: Value, after: &str| {
        entry["after"] = json!([after]);
        entry
    };
    let connector = json!({"target": "arango-connector", "type": "api_candles_15m"});
    let same = json!({"target": "loader-api-candles", "type": "api_candles_15m"});
    let live = json!({"target": "predictor", "type": "realtime_gnn_infer", "model": "m", "interval": "15m"});
    let simulator = json!({"target": "simulator", "type": "monte_carlo"});
    let cases = [
        (json!([loader(), simulator]), "unsupported_target", "requests[1].target"),
        (json!([loader(), {"target": "gnn-trainer", "type": "gnn_infer"}]), "unsupported_target", "requests[1].target"),
        (json!([loader(), training(&json!({}))]), "missing_field", "requests[1].graph_collection"),
        (json!([training(&json!({"graph_collection": "g"}))]), "missing_field", "requests[0].interval"),
        (json!([loader(), prediction(&json!({}))]), "missing_field", "requests[1].model"),
        (json!([live, with_after(loader(), "predictor/realtime_gnn_infer")]), "endless_stage", "requests[1].after"),
        (
            json!([loader(), with_after(graph(), "gnn-trainer/gnn_train"), training(&json!({}))]),
            "circular_order",
            "requests[1].after",
        ),
        (json!([{"target": "loader-api-trades", "type": "ws_trades"}]), "unsupported_target", "requests[0].target"),
        (json!([{"target": "arango-connector", "type": "ws_trades"}]), "missing_loader", "requests[0].type"),
        (
            json!([stream("ws_trades"), {"target": "loader-ws", "type": "ws_trades"}]),
            "duplicate_request",
            "requests[1].type",
        ),
        (
            json!([stream("ws_trades"), with_after(loader(), "loader-producer/ws_trades")]),
            "endless_stage",
            "requests[1].after",
        ),
        (
            json!([
                stream("ws_trades"),
                {"target": "arango-connector", "type": "ws_trades"},
                with_after(loader(), "arango-connector/ws_trades"),
            ]),
            "endless_stage",
            "requests[2].after",
        ),
        (json!([live_graph(&json!({}))]), "missing_field", "requests[0].interval"),
        (json!([with_after(stream("ws_trades"), "loader-ws/live")]), "endless_stage", "requests[0].after"),
        (json!([loader(), same]), "duplicate_request", "requests[1].type"),
        (json!([connector]), "missing_loader", "requests[0].type"),
        (json!([graph()]), "missing_field", "requests[0].interval"),
        (json!([with_after(loader(), "x/y")]), "unknown_stage", "requests[0].after"),
        (json!([with_after(loader(), "graph-builder/gnn_graph"), graph()]), "circular_order", "requests[0].after"),
    ];
    for (requests, code, field) in cases {
        assert_eq!(refused(&requests), (code.to_owned(), field.to_owned()), "{requests}");
    }
}

#[test]
fn a_request_for_half_the_world_is_refused() {
    let body = json!({
        "symbol": "BTCUSDT", "time_range": "1970-01-02:2025-01-01",
        "requests": [{"target": "loader-producer", "type": "api_candles_1s"}],
    });
    let error = plan(&WorkflowRequest::parse(&body).unwrap(), &BTreeMap::new(), NOW).unwrap_err();
    assert_eq!((&*error.code, &*error.field), ("too_much", "time_range"));
}

#[test]
fn the_queue_id_follows_from_the_cause() {
    let cause =
        |id: &str| Request { source: "/me".to_owned(), id: id.to_owned(), body: Value::Null, traceparent: None };
    let of = |requests: &Value, id| pending(&request(requests), &cause(id), NOW).id.to_string();
    let id = of(&json!([loader()]), "1");
    assert!(id.starts_with("wf-multi-api_candles_15m-20240101-"), "{id}");
    assert_eq!(id, of(&json!([loader()]), "1"));
    assert_ne!(id, of(&json!([loader()]), "2"));
    // Capital letters whose lower case is longer, or carries a mark of its own.
    for letter in ["\u{23a}", "\u{130}"] {
        let body = json!({
            "symbol": letter.repeat(32), "time_range": "2024-01-01:2024-01-02",
            "requests": [{"target": "x".repeat(100), "type": "y".repeat(100)}],
        });
        let request = WorkflowRequest::parse(&body).unwrap();
        assert!(pending(&request, &cause("1"), NOW).id.as_str().len() <= 200);
    }
}

fn training(fields: &Value) -> Value {
    with(json!({"target": "gnn-trainer", "type": "gnn_train"}), fields)
}

fn prediction(fields: &Value) -> Value {
    with(json!({"target": "predictor", "type": "gnn_infer"}), fields)
}

fn with(mut entry: Value, fields: &Value) -> Value {
    entry.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    entry
}

/// The last day of the requests here.
const LAST_DAY: Millis = 1_735_603_200_000;

#[test]
fn training_and_prediction_build_on_what_comes_before_them() {
    let stages = planned(&json!([prediction(&json!({})), training(&json!({"horizon": 8})), graph(), loader()]));
    let order: Vec<usize> = stages.iter().map(|stage| stage.after.len()).collect();
    // Prediction, training, graph, loader, connector: each waits for all that come before it.
    assert_eq!(order, [4, 3, 2, 0, 0]);
    let [prediction, training] = [&stages[0], &stages[1]];
    assert_eq!(
        (&training.work, training.takes.as_slice(), training.makes),
        (&Work::Job, &[Product::Graph][..], Some(Product::Model))
    );
    assert_eq!(stages[2].makes, Some(Product::Graph));
    let told = Value::Object(training.parameters.clone());
    assert_eq!(
        told,
        json!({
            "symbols": ["BTCUSDT", "ETHUSDT"], "interval": "15m", "from": 1_704_067_200_000_i64,
            "to": 1_735_689_600_000_i64, "model": "gnn_multi_15m", "horizon": 8,
        })
    );
    assert_eq!((&prediction.work, prediction.takes.as_slice()), (&Work::Compute, &[Product::Model][..]));
    let told = Value::Object(prediction.parameters.clone());
    assert_eq!(
        told,
        json!({
            "symbols": ["BTCUSDT", "ETHUSDT"], "interval": "15m", "from": LAST_DAY, "to": 1_735_689_600_000_i64,
            "model": "gnn_multi_15m",
        })
    );
    assert_eq!(prediction.tasks[0].range, TimeRange::new(LAST_DAY, 1_735_689_600_000).unwrap());
}

#[test]
fn what_the_user_names_is_taken_instead() {
    // The graph of the same request under its own name, and the model of the same request under its own.
    let stages = planned(&json!([
        loader(),
        graph(),
        training(&json!({"graph_collection": "g", "model_output": "m"})),
        prediction(&json!({"model": "m", "range": "2024-06-01:2024-06-02", "after": ["gnn-trainer/gnn_train"]})),
    ]));
    assert_eq!((stages[3].takes.as_slice(), &stages[3].parameters["graph"]), (&[Product::Graph][..], &json!("g")));
    assert_eq!((&stages[3].parameters["model"], stages[4].takes.as_slice()), (&json!("m"), &[Product::Model][..]));
    assert_eq!(stages[4].after, ["gnn-trainer/gnn_train"]);
    assert_eq!(stages[4].tasks[0].range, "2024-06-01:2024-06-02".parse().unwrap());
    assert!(!stages[4].parameters.contains_key("range"));
    // Another graph and another model: nothing is taken from the request, and the order need not wait.
    let loaded = json!(["loader-producer/api_candles_15m"]);
    let stages = planned(&json!([
        loader(),
        graph(),
        training(&json!({"graph_collection": "other", "after": loaded})),
        prediction(&json!({"model": "other", "version": "3", "after": loaded})),
    ]));
    for stage in &stages[3..] {
        assert_eq!((stage.takes.as_slice(), stage.after.len()), (&[][..], 1), "{}", stage.name);
    }
    assert_eq!((&stages[3].parameters["graph"], &stages[4].parameters["version"]), (&json!("other"), &json!("3")));
    // An order of one's own does not undo what a training builds on.
    let stages = planned(&json!([loader(), graph(), training(&json!({"after": loaded}))]));
    assert!(stages[3].after.contains(&"graph-builder/gnn_graph".to_owned()), "{:?}", stages[3].after);
}

#[test]
fn who_predicts_live_knows_the_model_and_follows_its_versions() {
    let live = json!({"target": "predictor", "type": "realtime_gnn_infer", "inference_interval": "1m"});
    let stages = planned(&json!([loader(), graph(), training(&json!({})), live]));
    let live = &stages[4];
    assert_eq!((&live.work, live.takes.as_slice()), (&Work::Live, &[][..]));
    assert!(live.after.contains(&"gnn-trainer/gnn_train".to_owned()));
    let told = Value::Object(live.parameters.clone());
    assert_eq!(
        told,
        json!({"symbols": ["BTCUSDT", "ETHUSDT"], "interval": "15m", "model": "gnn_multi_15m", "inference_interval": "1m"})
    );
}

#[test]
fn the_last_day_of_long_bars_is_their_last_one() {
    let body = json!({
        "symbol": "BTCUSDT", "time_range": "2024-01-01:2024-12-29",
        "requests": [{"target": "predictor", "type": "gnn_infer", "model": "m", "interval": "1w"}],
    });
    let stages = plan(&WorkflowRequest::parse(&body).unwrap(), &BTreeMap::new(), NOW).unwrap();
    assert_eq!(stages[0].tasks[0].range, "2024-12-23:2024-12-29".parse().unwrap());
}

#[test]
fn all_that_is_live_is_one_stage_that_nobody_waits_for() {
    let connector = json!({"target": "arango-connector", "type": "ws_trades"});
    let stages = planned(&json!([
        connector,
        stream("ws_trades"),
        loader(),
        graph(),
        stream("ws_candles_1m"),
        {"target": "loader-ws", "type": "ws_orderbook"},
    ]));
    let first = vec!["loader-api-candles/api_candles_15m", "arango-connector/api_candles_15m"];
    assert_eq!(
        outline(&stages),
        [
            ("loader-ws/live", vec![]),
            ("loader-api-candles/api_candles_15m", vec![]),
            ("arango-connector/api_candles_15m", vec![]),
            ("graph-builder/gnn_graph", first),
        ]
    );
    let live = &stages[0];
    assert_eq!((live.function.as_str(), live.r#type.as_str(), &live.work), ("loader-ws", "live", &Work::Stream));
    assert_eq!(
        Value::Object(live.parameters.clone()),
        json!({"streams": ["ws_trades", "ws_candles_1m", "ws_orderbook"]})
    );
    let [task] = &live.tasks[..] else { panic!("two symbols are one shard") };
    assert_eq!((task.id.as_str(), task.symbols.len()), ("loader-ws-live-multi-0000", 2));
    assert_eq!(stages[3].parameters["interval"], "15m");
}

#[test]
fn an_order_of_one_s_own_holds_for_all_that_is_live() {
    let mut late = stream("ws_trades");
    late["after"] = json!(["loader-producer/api_candles_15m"]);
    let stages = planned(&json!([loader(), late, stream("ws_orderbook")]));
    assert_eq!(outline(&stages)[2], ("loader-ws/live", vec!["loader-api-candles/api_candles_15m"]));
}

#[test]
fn a_task_listens_to_so_many_symbols_and_streams_at_most() {
    let shards = |symbols: usize, types: &[&str]| -> Vec<usize> {
        let symbols: Vec<String> = (0..symbols).map(|number| format!("S{number}USDT")).collect();
        let requests: Vec<Value> = types.iter().map(|kind| stream(kind)).collect();
        let body = json!({"symbols": symbols, "time_range": "2024-01-01:2024-12-31", "requests": requests});
        let stages = plan(&WorkflowRequest::parse(&body).unwrap(), &BTreeMap::new(), NOW).unwrap();
        let tasks = &stages[0].tasks;
        let told: Vec<String> = tasks.iter().flat_map(|task| task.symbols.iter().map(ToString::to_string)).collect();
        assert_eq!(told, symbols);
        assert!(tasks.iter().all(|task| task.symbol == task.symbols[0]));
        tasks.iter().map(|task| task.symbols.len()).collect()
    };
    assert_eq!(shards(1, &["ws_trades"]), [1]);
    assert_eq!(shards(450, &["ws_trades"]), [200, 200, 50]);
    let five = ["ws_trades", "ws_orderbook", "ws_candles_1m", "ws_candles_5m", "ws_candles_1h"];
    assert_eq!(shards(400, &five), [200, 200]);
    let six = [&five[..], &["ws_candles_1d"]].concat();
    assert_eq!(shards(400, &six), [166, 166, 68]);
}

#[test]
fn a_live_graph_moves_with_the_live_bars_and_nobody_waits_for_it() {
    let requests = json!([
        loader(),
        stream("ws_candles_1m"),
        live_graph(&json!({"window": 60, "k": 2})),
        training(&json!({"graph_collection": "g"})),
        {"target": "predictor", "type": "realtime_gnn_infer"},
    ]);
    let stages = planned(&requests);
    let live = stages.iter().find(|stage| stage.name == "graph-builder/realtime_graph").unwrap();
    assert_eq!((&live.work, live.makes, live.after.len()), (&Work::Live, None, 2));
    assert_eq!(
        Value::Object(live.parameters.clone()),
        json!({"symbols": ["BTCUSDT", "ETHUSDT"], "interval": "1m", "window": 60, "k": 2})
    );
    let training = stages.iter().find(|stage| stage.function == "gnn-trainer").unwrap();
    assert!(!training.after.contains(&live.name), "{:?}", training.after);
    // The model was trained on the bars that were loaded; only without any are the live ones meant.
    let predictor = |stages: &[Stage]| stages.iter().find(|stage| stage.function == "predictor").unwrap().clone();
    assert_eq!(predictor(&stages).parameters["interval"], "15m");
    let alone = planned(&json!([
        stream("ws_candles_1m"), {"target": "predictor", "type": "realtime_gnn_infer", "model": "m"},
    ]));
    assert_eq!((&predictor(&alone).parameters["interval"], predictor(&alone).after.len()), (&json!("1m"), 0));
}
