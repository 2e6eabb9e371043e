//! [`GraphStore`] on `ArangoDB`: vertices and edges of a named graph, and one document that says which of them count.
//!
//! Nothing joins the writing of many documents. So each writing of a graph has vertices and edges of its own, a
//! generation, and becomes visible whole with the graph's own document, which is written last.

use std::collections::{BTreeMap, HashSet};

use async_trait::async_trait;
use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::{Value, json};
use streamforge_events::{Interval, Millis, Symbol, TimeRange};

use super::{
    ArangoStore, aql,
    bulk::Row,
    documents::json as bytes,
    failure::Failure,
    names::{self, digest_key},
    retry::Tries,
};
use crate::{Applied, Edge, Error, GraphDocument, GraphStore, GraphSummary, Hop, Node};

/// A graph without its nodes and edges, as it is stored.
#[derive(Clone, Serialize, Deserialize)]
struct Head {
    #[serde(rename = "_key")]
    key: String,
    id: String,
    version: u64,
    generation: String,
    interval: Interval,
    from_time: Millis,
    to_time: Millis,
    parameters: Value,
    nodes: u64,
    edges: u64,
}

/// A symbol of a graph, as it is stored.
#[derive(Serialize)]
struct Vertex<'a> {
    #[serde(rename = "_key")]
    key: &'a str,
    graph_key: &'a str,
    version: u64,
    generation: &'a str,
    position: usize,
    #[serde(flatten)]
    node: &'a Node,
}

/// An edge of a graph, as it is stored.
#[derive(Serialize)]
struct Relation<'a> {
    #[serde(rename = "_key")]
    key: &'a str,
    #[serde(rename = "_from")]
    start: String,
    #[serde(rename = "_to")]
    end: String,
    graph_key: &'a str,
    version: u64,
    generation: &'a str,
    position: usize,
    #[serde(flatten)]
    edge: &'a Edge,
}

/// In the order of [`aql::NODES`].
#[derive(Deserialize)]
struct NodeRow(i64, Symbol, u64, f64, f64);

/// In the order of [`aql::EDGES`].
#[derive(Deserialize)]
struct EdgeRow(i64, Symbol, Symbol, f64, f64, u64);

/// In the order of [`aql::NEIGHBOURS`].
#[derive(Deserialize)]
struct NeighbourRow(String, Symbol, f64, f64);

#[async_trait]
impl GraphStore for ArangoStore {
    async fn put_graph(&self, graph: &GraphDocument) -> Result<Applied, Error> {
        graph.check()?;
        self.named(self.put(graph).await)
    }

    async fn graph(&self, id: Option<&str>) -> Result<Option<GraphDocument>, Error> {
        self.named(self.whole(id).await)
    }

    async fn graphs(&self) -> Result<Vec<GraphSummary>, Error> {
        let heads = self.named(self.heads(u32::MAX as usize).await)?;
        self.named(heads.into_iter().map(summary).collect())
    }

    async fn neighbours(
        &self,
        id: Option<&str>,
        symbol: &Symbol,
        depth: u32,
        limit: usize,
    ) -> Result<Option<Vec<Hop>>, Error> {
        self.named(self.walk(id, symbol, depth, limit).await)
    }
}

impl ArangoStore {
    async fn put(&self, graph: &GraphDocument) -> Result<Applied, Failure> {
        let key = digest_key(&[&graph.id]);
        let before = self.find::<Head>(names::GRAPHS, &key).await?;
        if before.is_some_and(|head| head.value.version >= graph.version) {
            return Ok(Applied::Unchanged);
        }
        let generation = format!("{:016x}", fastrand::u64(..));
        self.put_parts(graph, &key, &generation).await?;
        let head = Head {
            key: key.clone(),
            id: graph.id.clone(),
            version: graph.version,
            generation: generation.clone(),
            interval: graph.interval,
            from_time: graph.range.from(),
            to_time: graph.range.to(),
            parameters: graph.parameters.clone(),
            nodes: graph.nodes.len() as u64,
            edges: graph.edges.len() as u64,
        };
        let row = Row { key: key.clone(), body: bytes(&head)?, value: &Value::Null };
        let outcome = self.upsert_heads(row).await?;
        // A reply that was lost makes the writing look as if it had changed nothing.
        let current = self.find::<Head>(names::GRAPHS, &key).await?.map(|found| found.value);
        let is_ours = current.as_ref().is_some_and(|head| head.generation == generation);
        if let Some(current) = current {
            self.drop_parts(&current).await;
        }
        Ok(match outcome {
            Applied::Unchanged if is_ours => Applied::Updated,
            outcome => outcome,
        })
    }

    /// Writes the document of a graph, of which nothing is ever the same twice.
    async fn upsert_heads(&self, row: Row<'_, Value>) -> Result<Applied, Failure> {
        let outcomes = self.upsert_always(names::GRAPHS, &[row]).await?;
        Ok(outcomes.into_iter().next().unwrap_or(Applied::Unchanged))
    }

    /// Writes nodes and edges under the key of their graph.
    async fn put_parts(&self, document: &GraphDocument, graph_key: &str, generation: &str) -> Result<(), Failure> {
        let GraphDocument { version, nodes, edges, .. } = document;
        let vertices = nodes.iter().enumerate().map(|(position, node)| {
            let key = vertex_key(graph_key, generation, &node.symbol);
            let vertex = Vertex { key: &key, graph_key, version: *version, generation, position, node };
            Ok(Row { body: bytes(&vertex)?, key, value: &Value::Null })
        });
        let vertices: Vec<_> = vertices.collect::<Result<_, Failure>>()?;
        self.upsert_always(names::ASSETS, &vertices).await?;
        let id_of = |symbol: &Symbol| vertex_id(graph_key, generation, symbol);
        let relations = edges.iter().enumerate().map(|(position, edge)| {
            let key = format!("{}-{generation}-{position}", &graph_key[..32]);
            let (start, end) = (id_of(&edge.from), id_of(&edge.to));
            let relation = Relation { key: &key, start, end, graph_key, version: *version, generation, position, edge };
            Ok(Row { body: bytes(&relation)?, key, value: &Value::Null })
        });
        let relations: Vec<_> = relations.collect::<Result<_, Failure>>()?;
        self.upsert_always(names::ASSET_RELATIONS, &relations).await?;
        Ok(())
    }

    /// Stores documents of our own making, of which none can be refused.
    async fn upsert_always(&self, collection: &str, rows: &[Row<'_, Value>]) -> Result<Vec<Applied>, Failure> {
        let outcomes = self.upsert(collection, rows).await?;
        outcomes
            .into_iter()
            .map(|outcome| outcome.map_err(|reject| Failure::Unfit(format!("a part of a graph: {reject}"))))
            .collect()
    }

    /// Removes what earlier writings of a graph have left; what cannot be removed now is removed the next time.
    async fn drop_parts(&self, head: &Head) {
        let variables = json!({"graph": head.key, "version": head.version, "generation": head.generation});
        for text in [aql::DROP_EDGES, aql::DROP_NODES] {
            if let Err(failure) = self.query::<Value>(text, variables.clone(), 1).await {
                tracing::warn!(graph = head.id, ?failure, "older parts of a graph were not removed");
            }
        }
    }

    async fn heads(&self, limit: usize) -> Result<Vec<Head>, Failure> {
        self.query(aql::GRAPHS, json!({"limit": limit}), limit.min(self.session.options.page_rows)).await
    }

    async fn head(&self, id: Option<&str>) -> Result<Option<Head>, Failure> {
        match id {
            Some(id) => Ok(self.find(names::GRAPHS, &digest_key(&[id])).await?.map(|found| found.value)),
            None => Ok(self.heads(1).await?.into_iter().next()),
        }
    }

    async fn whole(&self, id: Option<&str>) -> Result<Option<GraphDocument>, Failure> {
        let mut tries = Tries::start(&self.session.options);
        loop {
            let Some(head) = self.head(id).await? else { return Ok(None) };
            let nodes = self.nodes(&head).await?;
            let edges = self.edges(&head).await?;
            if (nodes.len() as u64, edges.len() as u64) == (head.nodes, head.edges) {
                let summary = summary(head.clone())?;
                let GraphSummary { id, version, interval, range, .. } = summary;
                return Ok(Some(GraphDocument {
                    id,
                    version,
                    interval,
                    range,
                    parameters: head.parameters,
                    nodes,
                    edges,
                }));
            }
            tries.wait("a graph was replaced while it was read").await?;
        }
    }

    async fn nodes(&self, head: &Head) -> Result<Vec<Node>, Failure> {
        let variables = |last: Option<&NodeRow>, limit| part(head, last.map(|last| last.0), limit);
        let rows: Vec<NodeRow> = self.pages(aql::NODES, usize::MAX, variables).await?;
        let node = |NodeRow(_, symbol, observations, mean_return, volatility)| Node {
            symbol,
            observations,
            mean_return,
            volatility,
        };
        Ok(rows.into_iter().map(node).collect())
    }

    async fn edges(&self, head: &Head) -> Result<Vec<Edge>, Failure> {
        let variables = |last: Option<&EdgeRow>, limit| part(head, last.map(|last| last.0), limit);
        let rows: Vec<EdgeRow> = self.pages(aql::EDGES, usize::MAX, variables).await?;
        let edge = |EdgeRow(_, from, to, correlation, weight, observations)| Edge {
            from,
            to,
            correlation,
            weight,
            observations,
        };
        Ok(rows.into_iter().map(edge).collect())
    }

    /// Goes one ring of symbols after the other, until nothing new is reached.
    async fn walk(
        &self,
        id: Option<&str>,
        start: &Symbol,
        depth: u32,
        limit: usize,
    ) -> Result<Option<Vec<Hop>>, Failure> {
        let Some(head) = self.head(id).await? else { return Ok(None) };
        let first = vertex_key(&head.key, &head.generation, start);
        if self.find::<IgnoredAny>(names::ASSETS, &first).await?.is_none() {
            return Ok(None);
        }
        let mut seen = HashSet::from([start.clone()]);
        let mut ring = vec![start.clone()];
        let mut hops = Vec::new();
        for distance in 1..=depth {
            let next = self.next_ring(&head, &ring, distance, &seen).await?;
            ring = next.iter().map(|hop| hop.symbol.clone()).collect();
            seen.extend(ring.iter().cloned());
            hops.extend(next);
            if ring.is_empty() || hops.len() >= limit {
                break;
            }
        }
        hops.truncate(limit);
        Ok(Some(hops))
    }

    /// The symbols one edge away from a ring that were not seen, by name; of several ways to one the first by name.
    async fn next_ring(
        &self,
        head: &Head,
        ring: &[Symbol],
        distance: u32,
        seen: &HashSet<Symbol>,
    ) -> Result<Vec<Hop>, Failure> {
        let ids: BTreeMap<String, &Symbol> =
            ring.iter().map(|symbol| (vertex_id(&head.key, &head.generation, symbol), symbol)).collect();
        let variables = json!({"ring": ids.keys().collect::<Vec<_>>()});
        let rows: Vec<NeighbourRow> = self.query(aql::NEIGHBOURS, variables, self.session.options.page_rows).await?;
        let mut next: BTreeMap<Symbol, Hop> = BTreeMap::new();
        for NeighbourRow(from, symbol, correlation, weight) in rows {
            let Some(&through) = ids.get(&from) else { continue };
            if seen.contains(&symbol) || next.get(&symbol).is_some_and(|hop| hop.through <= *through) {
                continue;
            }
            let hop = Hop { symbol: symbol.clone(), distance, through: through.clone(), correlation, weight };
            next.insert(symbol, hop);
        }
        Ok(next.into_values().collect())
    }
}

fn part(head: &Head, after: Option<i64>, limit: usize) -> Value {
    json!({"graph": head.key, "generation": head.generation, "after": after.unwrap_or(-1), "limit": limit})
}

fn vertex_key(graph: &str, generation: &str, symbol: &Symbol) -> String {
    format!("{}-{generation}-{}", &graph[..32], names::text_key(symbol.as_str()))
}

fn vertex_id(graph: &str, generation: &str, symbol: &Symbol) -> String {
    format!("{}/{}", names::ASSETS, vertex_key(graph, generation, symbol))
}

fn summary(head: Head) -> Result<GraphSummary, Failure> {
    let Head { id, version, interval, from_time, to_time, nodes, edges, .. } = head;
    let range = TimeRange::new(from_time, to_time)
        .map_err(|_| Failure::Unfit(format!("range {from_time}:{to_time} of graph `{id}` is not valid")))?;
    Ok(GraphSummary { id, version, interval, range, nodes, edges })
}
