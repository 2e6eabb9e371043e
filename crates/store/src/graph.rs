//! Graphs of assets: symbols as nodes, correlations as edges, each graph of one range of time.

use std::collections::HashSet;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use streamforge_events::{Interval, Symbol, TimeRange};

use crate::{Applied, Error, MAX_VERSION};

/// A graph and all that is needed to build it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GraphDocument {
    /// Names the graph; 1 to 254 bytes.
    pub id: String,
    /// Of two graphs of one id the higher version stays. Below [`MAX_VERSION`].
    pub version: u64,
    /// Interval of the klines it was built from.
    pub interval: Interval,
    /// The time that it describes.
    pub range: TimeRange,
    /// How it was built, in the words of its builder.
    pub parameters: Value,
    /// Its symbols, each once.
    pub nodes: Vec<Node>,
    /// Its edges, each pair of symbols at most once.
    pub edges: Vec<Edge>,
}

/// A symbol of a graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// The symbol.
    pub symbol: Symbol,
    /// How many returns it had in the range.
    pub observations: u64,
    /// Mean of its log returns per interval.
    pub mean_return: f64,
    /// Standard deviation of its log returns per interval.
    pub volatility: f64,
}

/// Two symbols that move together; without direction, whichever of them is named first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Edge {
    /// One symbol.
    pub from: Symbol,
    /// The other one.
    pub to: Symbol,
    /// Correlation of their log returns, in `[-1, 1]`.
    pub correlation: f64,
    /// Strength of the edge.
    pub weight: f64,
    /// How many returns both had at the same time.
    pub observations: u64,
}

/// A graph without its nodes and edges.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GraphSummary {
    /// Names the graph.
    pub id: String,
    /// Its version.
    pub version: u64,
    /// Interval of the klines it was built from.
    pub interval: Interval,
    /// The time that it describes.
    pub range: TimeRange,
    /// Number of nodes.
    pub nodes: u64,
    /// Number of edges.
    pub edges: u64,
}

/// A symbol reached by a walk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hop {
    /// The symbol.
    pub symbol: Symbol,
    /// Number of edges from the start.
    pub distance: u32,
    /// The symbol one edge nearer to the start; of several the first by name.
    pub through: Symbol,
    /// Correlation of the edge from there.
    pub correlation: f64,
    /// Weight of the edge from there.
    pub weight: f64,
}

/// Graphs of assets.
#[async_trait]
pub trait GraphStore: Send + Sync {
    /// Stores a graph whole, in place of an older version of it.
    ///
    /// The same or an older version changes nothing.
    ///
    /// # Errors
    /// [`Error::Graph`] as from [`GraphDocument::check`], or a failure of the store.
    async fn put_graph(&self, graph: &GraphDocument) -> Result<Applied, Error>;

    /// Reads a graph; without an id the one with the highest version.
    ///
    /// # Errors
    /// A failure of the store.
    async fn graph(&self, id: Option<&str>) -> Result<Option<GraphDocument>, Error>;

    /// Lists all graphs, the highest version first.
    ///
    /// # Errors
    /// A failure of the store.
    async fn graphs(&self) -> Result<Vec<GraphSummary>, Error>;

    /// Walks a graph breadth first from a symbol, at most `depth` edges far, and answers the first `limit` symbols by
    /// distance, then name.
    ///
    /// Without an id it is the graph with the highest version. None if the graph or the symbol in it is unknown.
    ///
    /// # Errors
    /// A failure of the store.
    async fn neighbours(
        &self,
        id: Option<&str>,
        symbol: &Symbol,
        depth: u32,
        limit: usize,
    ) -> Result<Option<Vec<Hop>>, Error>;
}

impl GraphDocument {
    /// Checks that the graph agrees with itself.
    ///
    /// # Errors
    /// [`Error::Graph`] for a bad id or version, a node or edge that is there twice, an edge of a symbol with itself or
    /// with one that is no node, and numbers that are not finite.
    pub fn check(&self) -> Result<(), Error> {
        self.fault().map_or(Ok(()), |reason| Err(Error::Graph { id: self.id.chars().take(64).collect(), reason }))
    }

    fn fault(&self) -> Option<String> {
        if self.id.is_empty() || self.id.len() > 254 || self.id.chars().any(char::is_control) {
            return Some("its id must be 1 to 254 bytes without control characters".to_owned());
        }
        if self.version >= MAX_VERSION {
            return Some(format!("its version {} is too large", self.version));
        }
        let mut symbols = HashSet::new();
        for node in &self.nodes {
            let symbol = &node.symbol;
            if !symbols.insert(symbol) {
                return Some(format!("node `{symbol}` is there twice"));
            }
            if !(node.mean_return.is_finite() && node.volatility.is_finite() && fits(node.observations)) {
                return Some(format!("a number of node `{symbol}` is out of range"));
            }
        }
        let mut pairs = HashSet::new();
        for Edge { from, to, correlation, weight, observations } in &self.edges {
            if let Some(missing) = [from, to].into_iter().find(|symbol| !symbols.contains(symbol)) {
                return Some(format!("edge `{from}` to `{to}` ends at `{missing}`, which is no node"));
            }
            if from == to {
                return Some(format!("an edge joins `{from}` with itself"));
            }
            if !pairs.insert((from.min(to), from.max(to))) {
                return Some(format!("edge `{from}` to `{to}` is there twice"));
            }
            if !(correlation.is_finite() && weight.is_finite() && fits(*observations)) {
                return Some(format!("a number of edge `{from}` to `{to}` is out of range"));
            }
        }
        None
    }
}

fn fits(count: u64) -> bool {
    i64::try_from(count).is_ok()
}
