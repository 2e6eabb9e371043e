//! What coverage and a graph are by their definitions, computed from recorded rows alone.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Gaps between ascending open times, given when the next bar opens.
pub(crate) fn gaps(open_times: &[i64], next_open: impl Fn(i64) -> i64) -> Value {
    let mut gaps = Vec::new();
    for pair in open_times.windows(2) {
        let (from, to) = (next_open(pair[0]), pair[1]);
        let missing = std::iter::successors(Some(from), |open| Some(next_open(*open))).take_while(|open| *open < to);
        let missing = missing.count();
        if missing > 0 {
            gaps.push(json!({"from": from, "to": to, "missing": missing}));
        }
    }
    Value::from(gaps)
}

/// Log returns by the open time of the later bar.
///
/// With `is_filled` a return also spans a gap, as if the bars that are missing were flat: what must not be done.
pub(crate) fn returns(
    closes: &BTreeMap<i64, f64>,
    next_open: impl Fn(i64) -> i64,
    is_filled: bool,
) -> BTreeMap<i64, f64> {
    let bars: Vec<(i64, f64)> = closes.iter().map(|(time, close)| (*time, *close)).collect();
    let pairs = bars.windows(2).filter(|pair| is_filled || next_open(pair[0].0) == pair[1].0);
    pairs.map(|pair| (pair[1].0, (pair[1].1 / pair[0].1).ln())).collect()
}

/// Pearson's correlation over the times that both have, and their number.
pub(crate) fn correlation(left: &BTreeMap<i64, f64>, right: &BTreeMap<i64, f64>) -> (f64, u32) {
    let common: Vec<(f64, f64)> = left.iter().filter_map(|(time, value)| Some((*value, *right.get(time)?))).collect();
    let rows = u32::try_from(common.len()).unwrap();
    let mean = |side: fn(&(f64, f64)) -> f64| common.iter().map(side).sum::<f64>() / f64::from(rows);
    let (left_mean, right_mean) = (mean(|pair| pair.0), mean(|pair| pair.1));
    let sum = |term: fn(f64, f64) -> f64| {
        common.iter().map(|(left, right)| term(left - left_mean, right - right_mean)).sum::<f64>()
    };
    let squares = sum(|left, _| left * left) * sum(|_, right| right * right);
    (sum(|left, right| left * right) / squares.sqrt(), rows)
}

/// Holds each edge of a graph of all pairs against the definition; returns how many a filled gap would change.
pub(crate) fn assert_graph(
    graph: &Value,
    closes: &BTreeMap<String, BTreeMap<i64, f64>>,
    next_open: impl Fn(i64) -> i64,
) -> usize {
    let nodes: Vec<_> =
        graph["nodes"].as_array().unwrap().iter().map(|node| node["symbol"].as_str().unwrap()).collect();
    assert_eq!(nodes, closes.keys().collect::<Vec<_>>());
    let edges = graph["edges"].as_array().unwrap();
    assert_eq!(edges.len(), nodes.len() * (nodes.len() - 1) / 2, "each pair is an edge");
    let mut changed = 0;
    for edge in edges {
        let [from, to] = ["from", "to"].map(|name| &closes[edge[name].as_str().unwrap()]);
        let by = |is_filled| correlation(&returns(from, &next_open, is_filled), &returns(to, &next_open, is_filled));
        let (expected, observations) = by(false);
        let found = edge["correlation"].as_f64().unwrap();
        assert_eq!(edge["observations"], observations, "{edge}");
        assert!((found - expected).abs() < 1e-9, "{edge} should be {expected}");
        changed += usize::from((by(true).0 - found).abs() > 1e-6);
    }
    changed
}
