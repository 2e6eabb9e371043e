//! One request from the exchange to predictions, by the platform and the real trainer, and its scores computed again.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

#[path = "../../tests/support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "each target needs its own part")]
mod support;

use std::{fs, path::Path};

use serde_json::{Value, json};
use streamforge_dataset::{Card, VolatilityLoss};
use support::Folder;

const SYMBOLS: [&str; 3] = ["BTCUSDT", "ETHUSDT", "SOLUSDT"];
const BARS_OF_A_DAY: usize = 24;

fn request(folder: &Folder, graph: &str) -> String {
    let request = json!({
        "symbols": SYMBOLS, "time_range": "2026-01-01:2026-03-01",
        "requests": [
            {"target": "loader-producer", "type": "api_candles_1h"},
            {"target": "arango-connector", "type": "api_candles_1h"},
            {"target": "graph-builder", "type": "gnn_graph", "collection_output": "three"},
            {"target": "gnn-trainer", "type": "gnn_train", "graph_collection": graph, "model_output": "small",
             "horizon": 4, "hidden": 8, "epochs": 3, "batch": 64},
            {"target": "predictor", "type": "gnn_infer"},
        ],
    });
    folder.write(&format!("{graph}.json"), request.to_string())
}

/// Runs a request on a platform that finds the trainer where Cargo built it.
fn run(folder: &Folder, request: &str) -> support::Ended {
    let jobs = Path::new(env!("CARGO_BIN_EXE_gnn-trainer")).parent().unwrap().display().to_string();
    folder.command(&["run", request, "--exchange", "synthetic:42", "--job-path", &jobs])
}

#[test]
fn a_request_becomes_a_model_with_scores_that_anyone_can_compute_again() {
    let folder = Folder::new();
    let request = request(&folder, "three");
    let ended = run(&folder, &request);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let report = ended.last_json();
    assert_eq!(report["status"], "finished", "{report}");
    let stages: Vec<_> = report["stages"].as_array().unwrap().iter().map(|stage| &stage["status"]).collect();
    assert_eq!(stages, ["finished"; 5]);
    assert_eq!(report["model"]["name"], "small");
    let version = report["model"]["version"].as_str().unwrap();

    let files = folder.path("exported").display().to_string();
    folder.command(&["models", "export", "small", "--to", &files]).succeeded();
    let card: Card = serde_json::from_slice(&fs::read(Path::new(&files).join("card.json")).unwrap()).unwrap();
    card.check().unwrap();
    assert_eq!((card.version.as_str(), card.graph.as_deref()), (version, Some("three")));
    assert_eq!(report["scores"], serde_json::to_value(&card.scores).unwrap());
    for file in ["model.onnx", "weights.safetensors"] {
        assert!(fs::metadata(Path::new(&files).join(file)).unwrap().len() > 1_000);
    }

    let predictions = predictions(&folder, "test");
    assert!(predictions.iter().all(|row| row["version"] == version));
    for (fold, score) in card.folds.iter().zip(&card.scores.volatility["network"].windows) {
        let of_fold = predictions.iter().filter(|row| {
            let open_time = row["open_time"].as_i64().unwrap();
            (fold.test_from..=fold.test_last).contains(&open_time)
        });
        let logarithm = |row: &Value, name: &str| row[name].as_f64().unwrap().ln();
        let pairs = of_fold.map(|row| (logarithm(row, "realised_volatility"), logarithm(row, "volatility")));
        let again = VolatilityLoss::of(pairs).mse;
        assert!((again - score).abs() < 1e-3 * score, "the card says {score}, the predictions {again}");
    }
    let live = self::predictions(&folder, "live");
    assert_eq!(live.len(), BARS_OF_A_DAY * SYMBOLS.len());

    assert_ledger(&folder, &report, &live);

    let dataset = folder.path("dataset.parquet");
    folder
        .command(&["export", "dataset", "--graph", "three", "--format", "parquet", "--to", dataset.to_str().unwrap()])
        .succeeded();
    assert!(fs::read(dataset).unwrap().starts_with(b"PAR1"));

    // The same request again is the same workflow, and trains nothing.
    let again = run(&folder, &request).last_json();
    assert_eq!([&again["queue_id"], &again["model"]], [&report["queue_id"], &report["model"]]);
    assert!(folder.dead_letters().is_empty());
}

#[test]
fn a_training_on_a_graph_that_is_not_there_ends_its_workflow_with_words() {
    let folder = Folder::new();
    let ended = run(&folder, &request(&folder, "nowhere"));
    assert_ne!(ended.code, Some(0));
    let report = ended.last_json();
    assert_eq!(report["status"], "error", "{report}");
    let said = report.to_string();
    assert!(said.contains("graph `nowhere` is not stored; build it first"), "{said}");
    assert_eq!(folder.json(&["models", "list"]), json!([]));
}

/// Checks that the ledger holds the training as it was reported, and each prediction with what the export says of it.
fn assert_ledger(folder: &Folder, report: &Value, live: &[Value]) {
    let experiments = folder.json(&["experiments", "list"]);
    let [experiment] = &experiments.as_array().unwrap()[..] else { panic!("{experiments}") };
    assert_eq!((&experiment["state"], &experiment["queue_id"]), (&json!("finished"), &report["queue_id"]));
    assert_eq!((&experiment["scores"], &experiment["version"]), (&report["scores"], &report["model"]["version"]));
    assert_eq!((&experiment["parameters"]["epochs"], &experiment["graph"]), (&json!(3), &json!("three")));
    let rows = folder.command(&["roi", "--model", "small"]).succeeded();
    let rows: Vec<Value> = rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    assert_eq!(rows.len(), live.len());
    let open = live.iter().filter(|row| row["realised_class"].is_null()).count();
    assert_eq!(open, 4 * SYMBOLS.len(), "the last bars of the horizon are still to come");
    for (row, exported) in rows.iter().zip(live) {
        for name in ["symbol", "open_time", "volatility", "probabilities", "realised_volatility", "realised_class"] {
            assert_eq!(row[name], exported[name], "{name} of {row}");
        }
    }
}

/// Predictions as they are exported for other tools.
fn predictions(folder: &Folder, split: &str) -> Vec<Value> {
    let arguments = ["export", "predictions", "--model", "small", "--split", split, "--format", "ndjson"];
    let rows = folder.command(&arguments).succeeded();
    rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect()
}
