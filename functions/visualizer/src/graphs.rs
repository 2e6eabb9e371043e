//! `GET /views/graphs`: graphs of symbols, and one of them with its nodes and edges.

use std::{collections::HashMap, sync::Arc};

use serde::Serialize;
use serde_json::{Value, json};
use streamforge_events::{Interval, Millis, Symbol};
use streamforge_function::{
    api::{PathName, Problem, name_in_path, success},
    axum::{extract::State, http::StatusCode, response::Response},
};
use streamforge_store::{GraphDocument, GraphSummary, Node};

use crate::Views;

/// A graph as a page draws it.
#[derive(Serialize)]
struct Drawn {
    id: String,
    version: u64,
    interval: Interval,
    from: Millis,
    to: Millis,
    parameters: Value,
    nodes: Vec<Node>,
    edges: Vec<Edge>,
}

/// An edge between two nodes, by their numbers.
#[derive(Serialize)]
struct Edge {
    from: usize,
    to: usize,
    correlation: f64,
    weight: f64,
    observations: u64,
}

pub(crate) async fn list(State(views): State<Arc<Views>>) -> Result<Response, Problem> {
    let mut graphs = views.store.graphs().await.map_err(|error| Problem::unavailable(&error))?;
    // Those of one end stay in the order of their versions.
    graphs.sort_by_key(|graph| std::cmp::Reverse(graph.range.to()));
    let graphs: Vec<Value> = graphs.iter().map(listed).collect();
    Ok(success(StatusCode::OK, "graphs, newest first", &json!({"graphs": graphs})))
}

pub(crate) async fn show(State(views): State<Arc<Views>>, path: PathName) -> Result<Response, Problem> {
    let id = name_in_path(path)?;
    let graph = views.store.graph(Some(&id)).await.map_err(|error| Problem::unavailable(&error))?;
    let shown: String = id.chars().take(200).collect();
    let message = format!("there is no graph `{shown}`; /views/graphs lists them");
    let graph = graph.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "unknown_graph", message))?;
    Ok(success(StatusCode::OK, "graph", &drawn(graph)))
}

fn listed(graph: &GraphSummary) -> Value {
    let GraphSummary { id, version, interval, range, nodes, edges } = graph;
    json!({
        "id": id, "version": version, "interval": interval, "from": range.from(), "to": range.to(),
        "nodes": nodes, "edges": edges,
    })
}

fn drawn(graph: GraphDocument) -> Drawn {
    let GraphDocument { id, version, interval, range, parameters, nodes, edges } = graph;
    let numbers: HashMap<&Symbol, usize> = nodes.iter().map(|node| &node.symbol).zip(0..).collect();
    // Every edge of a stored graph ends at two of its nodes.
    let edges = edges.iter().filter_map(|edge| {
        let (from, to) = (*numbers.get(&edge.from)?, *numbers.get(&edge.to)?);
        let streamforge_store::Edge { correlation, weight, observations, .. } = *edge;
        Some(Edge { from, to, correlation, weight, observations })
    });
    let edges = edges.collect();
    Drawn { id, version, interval, from: range.from(), to: range.to(), parameters, nodes, edges }
}
