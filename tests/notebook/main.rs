//! The notebook of the examples from top to bottom, in a Python of its own, and its numbers held against other exports.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

#[path = "../support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "each target needs its own part")]
mod support;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};
use streamforge_events::Decimal;
use support::{Folder, binary, python};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const SYMBOLS: [&str; 6] = ["BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT", "XRPUSDT", "DOGEUSDT"];

#[test]
fn the_notebook_runs_and_its_numbers_are_those_of_the_store() {
    let folder = Folder::new();
    let executed = execute(&folder);
    let numbers = numbers(&executed);

    let rows: Vec<Value> = SYMBOLS.iter().flat_map(|symbol| lines(&folder.candles(symbol, "15m"))).collect();
    assert_eq!(numbers["candles"], rows.len());
    let quote = rows.iter().map(|row| decimal(&row[7])).reduce(|sum, volume| sum.checked_add(volume).unwrap());
    assert_eq!(numbers["quote_volume"], quote.unwrap().to_string());

    let trades = folder.command(&["export", "trades", "--symbol", "BTCUSDT", "--format", "ndjson"]).succeeded();
    let trades = lines(&trades);
    assert_eq!(numbers["trades"], trades.len());
    let volume = trades.iter().map(|trade| decimal(&trade["quantity"])).reduce(|sum, of| sum.checked_add(of).unwrap());
    assert_eq!(numbers["volume_of_trades"], volume.unwrap().to_string());
    assert_eq!(numbers["volume_of_trades"], numbers["volume_of_bars"]);

    let edges = folder.graph()["edges"].as_array().unwrap().clone();
    assert_eq!(numbers["edges"], edges.len());
    let strongest = edges.iter().map(|edge| edge["correlation"].as_f64().unwrap()).fold(f64::MIN, f64::max);
    assert!((number(&numbers["strongest"]) - strongest).abs() < 1e-12, "{numbers}");

    let predictions = lines(&folder.command(&["export", "predictions", "--format", "ndjson"]).succeeded());
    for split in ["live", "test"] {
        let count = predictions.iter().filter(|prediction| prediction["split"] == split).count();
        assert_eq!(numbers["predictions"][split], count, "{split}");
    }
    let inside = number(&numbers["inside_band"]);
    assert!((0.7..1.0).contains(&inside), "{inside} of the prices came inside their band");
    let model = folder.json(&["models", "show", "notebook"]);
    let error = &model["card"]["scores"]["volatility"]["network"]["mean"];
    assert!((number(&numbers["network_error"]) - number(error)).abs() < 1e-12, "{numbers}");

    for name in pictures(&executed) {
        let shown = Path::new(ROOT).join("docs/notebook").join(format!("{name}.png"));
        assert!(shown.is_file(), "{} is not there: make notebook", shown.display());
    }
}

#[test]
fn the_notebook_is_kept_without_what_came_out() {
    let notebook = fs::read_to_string(notebook()).unwrap();
    let notebook: Value = serde_json::from_str(&notebook).unwrap();
    for cell in notebook["cells"].as_array().unwrap().iter().filter(|cell| cell["cell_type"] == "code") {
        let kept = json!([cell["outputs"], cell["execution_count"]]);
        assert_eq!(kept, json!([[], null]), "clear the outputs of the cell {}", cell["id"]);
    }
}

/// Runs the notebook on the data folder, with the binary that was just built, and returns it with its outputs.
fn execute(folder: &Folder) -> Value {
    let programs = binary::path().parent().unwrap();
    let paths = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths([programs.to_path_buf()].into_iter().chain(env::split_paths(&paths))).unwrap();
    let executed = folder.path("executed.ipynb");
    let done = Command::new(python::interpreter("notebook"))
        .arg(Path::new(ROOT).join("tests/notebook/execute.py"))
        .args([&notebook(), &executed])
        .current_dir(folder.path(""))
        .env_remove("EXCHANGE")
        .env("PATH", path)
        .env("STREAMFORGE_DATA_DIR", folder.data())
        .env("IPYTHONDIR", folder.path("ipython"))
        .env("JUPYTER_RUNTIME_DIR", folder.path("jupyter"))
        .env("MPLCONFIGDIR", folder.path("matplotlib"))
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&fs::read(executed).unwrap()).unwrap()
}

fn notebook() -> PathBuf {
    Path::new(ROOT).join("examples/analysis.ipynb")
}

/// What the last cell prints.
fn numbers(executed: &Value) -> Value {
    let cell = executed["cells"].as_array().unwrap().iter().find(|cell| cell["id"] == "numbers").unwrap();
    let text: String = cell["outputs"][0]["text"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    serde_json::from_str(&text).unwrap()
}

/// Names of the cells that drew something.
fn pictures(executed: &Value) -> Vec<&str> {
    let draws = |cell: &&Value| {
        cell["outputs"]
            .as_array()
            .is_some_and(|outputs| outputs.iter().any(|output| !output["data"]["image/png"].is_null()))
    };
    let names: Vec<&str> =
        executed["cells"].as_array().unwrap().iter().filter(draws).map(|cell| cell["id"].as_str().unwrap()).collect();
    assert_eq!(names, ["candles", "graph", "returns", "predictions", "scores"]);
    names
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn decimal(value: &Value) -> Decimal {
    value.as_str().unwrap().parse().unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}
