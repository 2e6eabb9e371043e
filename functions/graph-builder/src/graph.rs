//! From closes to a graph: returns, correlations, edges, node statistics.

use serde_json::{Value, json};
use streamforge_events::{Millis, Symbol, short_code};
use streamforge_store::{Edge, GraphDocument, Node};

use crate::{correlation::Pair, edges::edges, parameters::Parameters, returns::Returns};

/// Closes of one symbol, ascending by open time.
#[derive(Debug, Clone, PartialEq)]
pub struct Closes {
    /// The symbol.
    pub symbol: Symbol,
    /// Open time of each bar.
    pub open_times: Vec<Millis>,
    /// Close of each bar.
    pub closes: Vec<f64>,
}

/// Builds the graph of symbols that one range of klines shows.
///
/// Nodes are the symbols with at least one return, ascending by name. A return is the logarithm of the ratio of two
/// closes of adjacent bars, so none spans a gap, a halt or the relaunch of an asset behind one. An edge joins two
/// symbols whose returns correlate over the bars that both have: with at least `rule.minimum_observations` common
/// returns, and a magnitude that reaches `rule.threshold` or is among the `rule.k` largest of either symbol.
///
/// # Shape
/// - `nodes`: ascending by `symbol`; `volatility` is the sample standard deviation, 0 for a single return.
/// - `edges`: `from` is less than `to`, ascending by (`from`, `to`), each pair at most once; `weight` is the magnitude
///   of `correlation`.
///
/// # Units
/// Returns per interval, as natural logarithms; times in UTC milliseconds since the Unix epoch; `version` is the
/// time of the command, in milliseconds.
///
/// # Errors
/// The reason, in words for a report, if fewer than two symbols have a return.
///
/// # Source
/// Pearson correlation of log returns: R. N. Mantegna, "Hierarchical structure in financial markets" (1999).
pub fn build_graph(parameters: &Parameters, closes: &[Closes], version: u64) -> Result<GraphDocument, String> {
    let mut symbols: Vec<(&Symbol, Returns)> = closes
        .iter()
        .map(|closes| (&closes.symbol, Returns::of(parameters.interval, &closes.open_times, &closes.closes)))
        .filter(|(_, returns)| !returns.values.is_empty())
        .collect();
    symbols.sort_by_key(|(symbol, _)| *symbol);
    symbols.dedup_by_key(|(symbol, _)| *symbol);
    let (names, returns): (Vec<&Symbol>, Vec<Returns>) = symbols.into_iter().unzip();
    let kept = if names.len() < 2 { Vec::new() } else { edges(&returns, parameters.rule) };
    let described = json!({ "symbols": parameters.symbols, "edges": parameters.rule });
    assembled(graph_id(parameters), version, parameters, described, &names, &returns, &kept)
}

/// The graph of symbols whose returns and edges are known; a symbol without a return is no node.
///
/// # Errors
/// The reason, in words for a report, if fewer than two symbols have a return.
pub(crate) fn assembled(
    id: String,
    version: u64,
    parameters: &Parameters,
    described: Value,
    names: &[&Symbol],
    returns: &[Returns],
    kept: &[Pair],
) -> Result<GraphDocument, String> {
    let (interval, range) = (parameters.interval, parameters.range);
    let with_returns = names.iter().zip(returns).filter(|(_, returns)| !returns.values.is_empty());
    let nodes: Vec<Node> = with_returns.map(|(symbol, returns)| node(symbol, returns)).collect();
    if nodes.len() < 2 {
        let found = nodes.first().map_or_else(|| "none has".to_owned(), |node| format!("only {} has", node.symbol));
        return Err(format!("a graph needs two symbols with {interval} klines in {range}, and {found}"));
    }
    let edges = kept.iter().map(|pair| edge(names, pair)).collect();
    Ok(GraphDocument { id, version, interval, range, parameters: described, nodes, edges })
}

/// Names the graph: what the user called it, else its interval, range and a code of its symbols and rule.
#[must_use]
pub fn graph_id(parameters: &Parameters) -> String {
    if let Some(name) = &parameters.collection_output {
        return name.clone();
    }
    let rule = parameters.rule;
    let rule = format!("{} {} {}", rule.threshold, rule.k, rule.minimum_observations);
    let mut parts: Vec<&str> = parameters.symbols.iter().map(Symbol::as_str).collect();
    parts.push(&rule);
    let (interval, range) = (parameters.interval, parameters.range);
    format!("graph-{interval}-{}-{}-{}", range.from(), range.to(), short_code(&parts))
}

/// The strongest edges first, for reports: at most `count`.
#[must_use]
pub fn strongest(graph: &GraphDocument, count: usize) -> Vec<Value> {
    let mut edges: Vec<&Edge> = graph.edges.iter().collect();
    edges.sort_by(|left, right| {
        right.weight.total_cmp(&left.weight).then_with(|| (&left.from, &left.to).cmp(&(&right.from, &right.to)))
    });
    edges
        .iter()
        .take(count)
        .map(|edge| {
            json!({
                "from": edge.from, "to": edge.to, "correlation": edge.correlation, "observations": edge.observations,
            })
        })
        .collect()
}

fn node(symbol: &Symbol, returns: &Returns) -> Node {
    Node {
        symbol: symbol.clone(),
        observations: returns.values.len() as u64,
        mean_return: returns.mean().unwrap_or_default(),
        volatility: returns.volatility().unwrap_or_default(),
    }
}

fn edge(names: &[&Symbol], pair: &Pair) -> Edge {
    Edge {
        from: names[pair.first].clone(),
        to: names[pair.second].clone(),
        correlation: pair.correlation,
        weight: pair.correlation.abs(),
        observations: pair.observations as u64,
    }
}

#[cfg(test)]
mod tests {
    use streamforge_events::{Interval, TimeRange};

    use super::*;
    use crate::parameters::EdgeRule;

    const MINUTE: Millis = 60_000;

    /// Closes from log returns, one per minute from minute 0; `None` is a missing bar.
    fn closes(symbol: &str, returns: &[Option<f64>]) -> Closes {
        let mut closes = Closes { symbol: symbol.parse().unwrap(), open_times: vec![0], closes: vec![100.0] };
        let mut close = 100.0_f64;
        for (minute, value) in (1..).zip(returns) {
            let Some(value) = value else { continue };
            close *= value.exp();
            closes.open_times.push(minute * MINUTE);
            closes.closes.push(close);
        }
        closes
    }

    fn parameters(rule: EdgeRule) -> Parameters {
        Parameters {
            symbols: ["A", "B", "C"].iter().map(|symbol| symbol.parse().unwrap()).collect(),
            interval: Interval::M1,
            range: TimeRange::new(0, 60 * MINUTE).unwrap(),
            rule,
            collection_output: None,
        }
    }

    fn rule(threshold: f64, k: usize, minimum_observations: usize) -> EdgeRule {
        EdgeRule { threshold, k, minimum_observations }
    }

    fn some(values: &[f64]) -> Vec<Option<f64>> {
        values.iter().copied().map(Some).collect()
    }

    fn market() -> Vec<Closes> {
        vec![
            closes("C", &some(&[0.06, 0.04, 0.02])),
            closes("A", &some(&[0.01, 0.02, 0.03])),
            closes("B", &some(&[0.01, 0.03, 0.02])),
        ]
    }

    fn edges(graph: &GraphDocument) -> Vec<(&str, &str, u64)> {
        graph.edges.iter().map(|edge| (edge.from.as_str(), edge.to.as_str(), edge.observations)).collect()
    }

    #[test]
    fn hand_computed_graph() {
        let graph = build_graph(&parameters(rule(0.6, 0, 2)), &market(), 7).unwrap();
        graph.check().unwrap();
        assert_eq!(graph.version, 7);
        let nodes: Vec<&str> = graph.nodes.iter().map(|node| node.symbol.as_str()).collect();
        assert_eq!(nodes, ["A", "B", "C"]);
        assert_eq!(graph.nodes[0].observations, 3);
        assert!((graph.nodes[0].mean_return - 0.02).abs() < 1e-12);
        assert!((graph.nodes[0].volatility - 0.01).abs() < 1e-12);
        assert_eq!(edges(&graph), [("A", "C", 3)]);
        assert!((graph.edges[0].correlation + 1.0).abs() < 1e-12);
        assert!((graph.edges[0].weight - 1.0).abs() < 1e-12);
        let all = build_graph(&parameters(rule(0.4, 0, 2)), &market(), 7).unwrap();
        assert_eq!(edges(&all), [("A", "B", 3), ("A", "C", 3), ("B", "C", 3)]);
        assert!((all.edges[0].correlation - 0.5).abs() < 1e-12);
        assert!((all.edges[2].correlation + 0.5).abs() < 1e-12);
    }

    #[test]
    fn order_of_the_input_changes_no_byte() {
        let mut turned = market();
        turned.reverse();
        turned.push(market().remove(0));
        let bytes = |market: &[Closes]| {
            serde_json::to_vec(&build_graph(&parameters(EdgeRule::default()), market, 1).unwrap()).unwrap()
        };
        assert_eq!(bytes(&market()), bytes(&turned));
    }

    #[test]
    fn a_halt_leaves_out_its_bars_and_the_jump_behind_it() {
        let moves = [0.01, -0.02, 0.03, 0.01, -0.01, 0.02];
        let mut halted = some(&moves);
        halted[2] = None;
        let mut relaunched = closes("B", &halted);
        for close in relaunched.closes.iter_mut().skip(3) {
            *close *= 20_000.0;
        }
        let graph = build_graph(&parameters(rule(0.0, 0, 2)), &[closes("A", &some(&moves)), relaunched], 1).unwrap();
        assert_eq!(edges(&graph), [("A", "B", 4)]);
        assert!((graph.edges[0].correlation - 1.0).abs() < 1e-9);
        assert_eq!(graph.nodes[1].observations, 4);
    }

    #[test]
    fn too_few_common_returns_make_no_edge() {
        let graph = build_graph(&parameters(EdgeRule::default()), &market(), 1).unwrap();
        assert_eq!((graph.nodes.len(), graph.edges.len()), (3, 0));
    }

    #[test]
    fn fewer_than_two_symbols_with_returns_are_no_graph() {
        let empty = |symbol: &str| Closes { symbol: symbol.parse().unwrap(), open_times: vec![], closes: vec![] };
        let build = |closes: &[Closes]| build_graph(&parameters(EdgeRule::default()), closes, 1).unwrap_err();
        assert_eq!(
            build(&[closes("A", &some(&[0.1])), empty("B"), closes("C", &[])]),
            "a graph needs two symbols with 1m klines in 1970-01-01T00:00:00Z/1970-01-01T01:00:00Z, and only A has"
        );
        assert!(build(&[]).ends_with("and none has"));
    }

    #[test]
    fn ids_follow_from_what_the_graph_is() {
        let usual = parameters(EdgeRule::default());
        let id = graph_id(&usual);
        assert!(id.starts_with("graph-1m-0-3600000-"), "{id}");
        assert_eq!(id, graph_id(&usual.clone()));
        assert_ne!(id, graph_id(&parameters(rule(0.6, 3, 30))));
        let fewer = Parameters { symbols: usual.symbols[1..].to_vec(), ..usual.clone() };
        assert_ne!(id, graph_id(&fewer));
        let named = Parameters { collection_output: Some("btc_graph_2024_06".to_owned()), ..usual };
        assert_eq!(graph_id(&named), "btc_graph_2024_06");
    }

    #[test]
    fn the_strongest_edges_come_first_whatever_their_sign() {
        let graph = build_graph(&parameters(rule(0.0, 0, 2)), &market(), 1).unwrap();
        let shown = strongest(&graph, 1);
        assert_eq!(shown.len(), 1);
        assert_eq!((shown[0]["from"].as_str(), shown[0]["to"].as_str()), (Some("A"), Some("C")));
        assert_eq!(strongest(&graph, 9).len(), 3);
    }
}
