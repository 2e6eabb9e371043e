//! Edges between symbols as a matrix: those of a stored graph, or those that a part of the returns shows.

use streamforge_dataset::Panel;
use streamforge_events::Symbol;
use streamforge_store::GraphDocument;

use std::ops::Range;

/// How pairs become edges, as the graph's builder has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct EdgeRule {
    /// Pairs with at least this magnitude of correlation are edges.
    pub(crate) threshold: f64,
    /// Each symbol keeps this many of its strongest pairs.
    pub(crate) nearest: usize,
    /// Pairs with fewer common returns are never edges.
    pub(crate) least_observations: usize,
}

impl EdgeRule {
    /// The rule by which a stored graph was built; what it does not say is as its builder would have it.
    #[must_use]
    pub(crate) fn of(graph: &GraphDocument) -> Self {
        let rule = &graph.parameters["edges"];
        let count = |name: &str, usual: usize| {
            rule[name].as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or(usual)
        };
        Self {
            threshold: rule["threshold"].as_f64().unwrap_or(0.5),
            nearest: count("k", 3),
            least_observations: count("minimum_observations", 30),
        }
    }
}

/// Weights of the edges of a stored graph.
///
/// # Shape
/// symbols × symbols, row by row; 0 where there is no edge.
#[must_use]
pub(crate) fn of_graph(graph: &GraphDocument, symbols: &[Symbol]) -> Vec<f32> {
    let mut weights = vec![0.0; symbols.len() * symbols.len()];
    let place = |symbol: &Symbol| symbols.iter().position(|other| other == symbol);
    for edge in &graph.edges {
        if let (Some(from), Some(to)) = (place(&edge.from), place(&edge.to)) {
            set(&mut weights, symbols.len(), from, to, edge.weight);
        }
    }
    weights
}

/// Weights of the edges that the returns of some rows show, and no others: a graph of the whole series would tell a
/// test's symbols how they are going to move together.
///
/// # Shape
/// symbols × symbols, row by row; 0 where there is no edge.
#[must_use]
pub(crate) fn of_rows(panel: &Panel, rows: Range<usize>, rule: EdgeRule) -> Vec<f32> {
    let symbols = panel.symbols().len();
    let returns: Vec<Vec<f64>> = (0..symbols).map(|symbol| panel.returns(symbol)[rows.clone()].to_vec()).collect();
    let mut magnitudes = vec![0.0; symbols * symbols];
    for from in 0..symbols {
        for to in from + 1..symbols {
            let magnitude = correlation(&returns[from], &returns[to], rule.least_observations).unwrap_or(0.0).abs();
            magnitudes[from * symbols + to] = magnitude;
            magnitudes[to * symbols + from] = magnitude;
        }
    }
    let mut weights = vec![0.0; symbols * symbols];
    for from in 0..symbols {
        let own = &magnitudes[from * symbols..(from + 1) * symbols];
        let mut others: Vec<usize> = (0..symbols).filter(|to| own[*to] > 0.0).collect();
        others.sort_by(|left, right| own[*right].total_cmp(&own[*left]));
        for (rank, to) in others.into_iter().enumerate() {
            if rank < rule.nearest || own[to] >= rule.threshold {
                set(&mut weights, symbols, from, to, own[to]);
            }
        }
    }
    weights
}

/// Pearson's correlation over the rows where both have a return; none if there are too few or one never moves.
fn correlation(left: &[f64], right: &[f64], least: usize) -> Option<f64> {
    let both: Vec<(f64, f64)> =
        left.iter().zip(right).filter(|(a, b)| !a.is_nan() && !b.is_nan()).map(|(a, b)| (*a, *b)).collect();
    if both.len() < least.max(2) {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "fewer than 2^53 bars")]
    let count = both.len() as f64;
    let mean_left = both.iter().map(|(a, _)| a).sum::<f64>() / count;
    let mean_right = both.iter().map(|(_, b)| b).sum::<f64>() / count;
    let (mut product, mut square_left, mut square_right) = (0.0, 0.0, 0.0);
    for (a, b) in both {
        let (a, b) = (a - mean_left, b - mean_right);
        product += a * b;
        square_left += a * a;
        square_right += b * b;
    }
    let scale = (square_left * square_right).sqrt();
    (scale > 0.0).then(|| product / scale)
}

fn set(weights: &mut [f32], symbols: usize, from: usize, to: usize, weight: f64) {
    #[expect(clippy::cast_possible_truncation, reason = "a network computes in single precision")]
    let weight = weight as f32;
    weights[from * symbols + to] = weight;
    weights[to * symbols + from] = weight;
}
