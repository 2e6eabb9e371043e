//! One request from its file to the exported klines and the graph, held against the exchange itself.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{Exchange, Folder};

const SYMBOLS: [&str; 3] = ["BTCUSDT", "ETHUSDT", "SOLUSDT"];
const DAYS: &str = "2026-03-01:2026-03-12";
const FROM: i64 = 1_772_323_200_000;
const TO: i64 = FROM + 12 * 86_400_000;
const STEP: i64 = 900_000;
const ROWS: i64 = (TO - FROM) / STEP;

#[test]
fn a_request_becomes_klines_and_a_graph() {
    let folder = Folder::new();
    let request = folder.request(&SYMBOLS, "15m", DAYS);
    let report = folder.run(&request, "synthetic:42");
    assert_report(&report);

    let exchange = Exchange::start(std::time::Duration::ZERO);
    let mut closes = BTreeMap::new();
    for symbol in SYMBOLS {
        let exported = folder.candles(symbol, "15m");
        let rows: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(i64::try_from(rows.len()).unwrap(), ROWS);
        for (row, served) in rows.iter().zip(exchange.klines(symbol, "15m", FROM, TO)) {
            // Prices are texts in both, so equal means equal to the last decimal.
            assert_eq!(*row, served, "{symbol}");
            assert_eq!(row.as_array().map(Vec::len), Some(12));
        }
        let csv = ["export", "candles", "--symbol", symbol, "--interval", "15m", "--format", "csv"];
        let csv = folder.command(&csv).succeeded();
        assert_eq!(csv, exported.replace(['[', ']', '"'], ""));
        closes.insert(symbol, rows);
    }
    assert_graph(&folder.graph(), &closes);
}

fn assert_report(report: &Value) {
    let keys: Vec<&String> = report.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["coverage", "queue_id", "records_written", "seconds", "stages", "status"]);
    assert_eq!((&report["status"], &report["records_written"]), (&json!("finished"), &json!(3 * ROWS)));
    let queue_id = report["queue_id"].as_str().unwrap();
    assert!(queue_id.starts_with("wf-multi-api_candles_15m-20260301-"), "{queue_id}");
    assert!(report["seconds"].as_f64().unwrap() > 0.0);
    let stages: Vec<_> = report["stages"].as_array().unwrap().iter().map(|stage| &stage["status"]).collect();
    assert_eq!(stages, ["finished"; 3]);
    let coverage = report["coverage"].as_object().unwrap();
    assert_eq!(coverage.keys().collect::<Vec<_>>(), SYMBOLS);
    for series in coverage.values() {
        let found = [&series["rows"], &series["first"], &series["last"], &series["gaps"]];
        assert_eq!(found, [&json!(ROWS), &json!(FROM), &json!(TO - STEP), &json!([])]);
    }
}

fn assert_graph(graph: &Value, rows: &BTreeMap<&str, Vec<Value>>) {
    let nodes: Vec<_> = graph["nodes"].as_array().unwrap().iter().map(|node| &node["symbol"]).collect();
    assert_eq!(nodes, SYMBOLS);
    let edges = graph["edges"].as_array().unwrap();
    let pairs = [(0, 1), (0, 2), (1, 2)].map(|(from, to)| (SYMBOLS[from], SYMBOLS[to]));
    assert_eq!(edges.len(), pairs.len());
    for (edge, (from, to)) in edges.iter().zip(pairs) {
        let keys: Vec<&String> = edge.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["correlation", "from", "observations", "to", "weight"]);
        assert_eq!((&edge["from"], &edge["to"]), (&json!(from), &json!(to)));
        let (correlation, observations) = correlation(&returns(&rows[from]), &returns(&rows[to]));
        assert_eq!(edge["observations"], observations);
        let [stored, weight] = ["correlation", "weight"].map(|name| edge[name].as_f64().unwrap());
        assert!((stored - correlation).abs() < 1e-9, "{from} {to}: {stored} is not {correlation}");
        assert!((weight - correlation.abs()).abs() < 1e-9);
    }
}

/// Log returns by the open time of the later bar, only between adjacent bars.
fn returns(rows: &[Value]) -> BTreeMap<i64, f64> {
    let close = |row: &Value| row[4].as_str().unwrap().parse::<f64>().unwrap();
    let time = |row: &Value| row[0].as_i64().unwrap();
    let pairs = rows.windows(2).filter(|pair| time(&pair[1]) - time(&pair[0]) == STEP);
    pairs.map(|pair| (time(&pair[1]), (close(&pair[1]) / close(&pair[0])).ln())).collect()
}

/// Pearson's correlation by its definition, and the number of common returns.
fn correlation(left: &BTreeMap<i64, f64>, right: &BTreeMap<i64, f64>) -> (f64, u32) {
    let common: Vec<(f64, f64)> = left.iter().filter_map(|(time, value)| Some((*value, *right.get(time)?))).collect();
    let observations = u32::try_from(common.len()).unwrap();
    let mean = |side: fn(&(f64, f64)) -> f64| common.iter().map(side).sum::<f64>() / f64::from(observations);
    let (left_mean, right_mean) = (mean(|pair| pair.0), mean(|pair| pair.1));
    let sum = |term: &dyn Fn(f64, f64) -> f64| {
        common.iter().map(|(left, right)| term(left - left_mean, right - right_mean)).sum::<f64>()
    };
    let covariance = sum(&|left, right| left * right);
    let (left_square, right_square) = (sum(&|left, _| left * left), sum(&|_, right| right * right));
    (covariance / (left_square * right_square).sqrt(), observations)
}
