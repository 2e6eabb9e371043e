//! [`GraphStore`] on `SQLite`: nodes and edges as rows, walked breadth first.

use std::collections::{BTreeMap, HashSet};

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};
use streamforge_events::{Symbol, TimeRange};

use super::{
    SqliteStore,
    failure::{Failure, parse, signed, unsigned},
};
use crate::{Applied, Edge, Error, GraphDocument, GraphStore, GraphSummary, Hop, Node};

const SUMMARIES: &str = "
    SELECT id, version, interval, from_time, to_time,
        (SELECT COUNT(*) FROM graph_nodes WHERE graph_id = id),
        (SELECT COUNT(*) FROM graph_edges WHERE graph_id = id)
    FROM graphs ORDER BY version DESC, id DESC";

#[async_trait]
impl GraphStore for SqliteStore {
    async fn put_graph(&self, graph: &GraphDocument) -> Result<Applied, Error> {
        graph.check()?;
        let graph = graph.clone();
        let rows = 1 + graph.nodes.len() + graph.edges.len();
        self.writer.run(rows, move |connection| put(connection, &graph)).await
    }

    async fn graph(&self, id: Option<&str>) -> Result<Option<GraphDocument>, Error> {
        let id = id.map(str::to_owned);
        self.readers
            .run(move |connection| match resolve(connection, id)? {
                Some(id) => read(connection, &id),
                None => Ok(None),
            })
            .await
    }

    async fn graphs(&self) -> Result<Vec<GraphSummary>, Error> {
        self.readers.run(summaries).await
    }

    async fn neighbours(
        &self,
        id: Option<&str>,
        symbol: &Symbol,
        depth: u32,
        limit: usize,
    ) -> Result<Option<Vec<Hop>>, Error> {
        let (id, symbol) = (id.map(str::to_owned), symbol.clone());
        self.readers
            .run(move |connection| match resolve(connection, id)? {
                Some(id) if has_node(connection, &id, &symbol)? => {
                    walk(connection, &id, &symbol, depth, limit).map(Some)
                }
                _ => Ok(None),
            })
            .await
    }
}

fn put(connection: &Connection, graph: &GraphDocument) -> Result<Applied, Failure> {
    let stored: Option<i64> = connection
        .prepare_cached("SELECT version FROM graphs WHERE id = ?1")?
        .query_row([&graph.id], |row| row.get(0))
        .optional()?;
    if stored.is_some_and(|version| version >= signed(graph.version)) {
        return Ok(Applied::Unchanged);
    }
    for table in ["graph_edges", "graph_nodes"] {
        connection.prepare_cached(&format!("DELETE FROM {table} WHERE graph_id = ?1"))?.execute([&graph.id])?;
    }
    connection
        .prepare_cached(
            "INSERT INTO graphs (id, version, interval, from_time, to_time, parameters)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (id) DO UPDATE SET (version, interval, from_time, to_time, parameters)
                = (?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            graph.id,
            signed(graph.version),
            graph.interval.as_str(),
            graph.range.from(),
            graph.range.to(),
            graph.parameters.to_string(),
        ])?;
    insert_parts(connection, graph)?;
    Ok(if stored.is_some() { Applied::Updated } else { Applied::Inserted })
}

fn insert_parts(connection: &Connection, graph: &GraphDocument) -> Result<(), Failure> {
    let mut insert_node = connection.prepare_cached(
        "INSERT INTO graph_nodes (graph_id, position, symbol, observations, mean_return, volatility)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for (position, node) in (0_i64..).zip(&graph.nodes) {
        let Node { symbol, observations, mean_return, volatility } = node;
        insert_node.execute(params![
            graph.id,
            position,
            symbol.as_str(),
            signed(*observations),
            mean_return,
            volatility
        ])?;
    }
    let mut insert_edge = connection.prepare_cached(
        "INSERT INTO graph_edges (graph_id, position, from_symbol, to_symbol, correlation, weight, observations)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for (position, edge) in (0_i64..).zip(&graph.edges) {
        let Edge { from, to, correlation, weight, observations } = edge;
        insert_edge.execute(params![
            graph.id,
            position,
            from.as_str(),
            to.as_str(),
            correlation,
            weight,
            signed(*observations)
        ])?;
    }
    Ok(())
}

/// The id itself, or that of the graph with the highest version.
fn resolve(connection: &Connection, id: Option<String>) -> Result<Option<String>, Failure> {
    if id.is_some() {
        return Ok(id);
    }
    let mut statement = connection.prepare_cached("SELECT id FROM graphs ORDER BY version DESC, id DESC LIMIT 1")?;
    Ok(statement.query_row([], |row| row.get(0)).optional()?)
}

fn read(connection: &Connection, id: &str) -> Result<Option<GraphDocument>, Failure> {
    let mut statement = connection
        .prepare_cached("SELECT version, interval, from_time, to_time, parameters FROM graphs WHERE id = ?1")?;
    let mut rows = statement.query([id])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let parameters: String = row.get(4)?;
    Ok(Some(GraphDocument {
        id: id.to_owned(),
        version: unsigned(row.get(0)?)?,
        interval: parse(&row.get::<_, String>(1)?)?,
        range: range(row.get(2)?, row.get(3)?)?,
        parameters: serde_json::from_str(&parameters)
            .map_err(|error| Failure::Damaged(format!("parameters of graph `{id}` are not JSON: {error}")))?,
        nodes: nodes(connection, id)?,
        edges: edges(connection, id)?,
    }))
}

fn nodes(connection: &Connection, id: &str) -> Result<Vec<Node>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT symbol, observations, mean_return, volatility FROM graph_nodes WHERE graph_id = ?1 ORDER BY position",
    )?;
    let mut rows = statement.query([id])?;
    let mut nodes = Vec::new();
    while let Some(row) = rows.next()? {
        nodes.push(Node {
            symbol: symbol(row, 0)?,
            observations: unsigned(row.get(1)?)?,
            mean_return: row.get(2)?,
            volatility: row.get(3)?,
        });
    }
    Ok(nodes)
}

fn edges(connection: &Connection, id: &str) -> Result<Vec<Edge>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT from_symbol, to_symbol, correlation, weight, observations FROM graph_edges
         WHERE graph_id = ?1 ORDER BY position",
    )?;
    let mut rows = statement.query([id])?;
    let mut edges = Vec::new();
    while let Some(row) = rows.next()? {
        edges.push(Edge {
            from: symbol(row, 0)?,
            to: symbol(row, 1)?,
            correlation: row.get(2)?,
            weight: row.get(3)?,
            observations: unsigned(row.get(4)?)?,
        });
    }
    Ok(edges)
}

fn summaries(connection: &Connection) -> Result<Vec<GraphSummary>, Failure> {
    let mut statement = connection.prepare_cached(SUMMARIES)?;
    let mut rows = statement.query([])?;
    let mut summaries = Vec::new();
    while let Some(row) = rows.next()? {
        summaries.push(GraphSummary {
            id: row.get(0)?,
            version: unsigned(row.get(1)?)?,
            interval: parse(&row.get::<_, String>(2)?)?,
            range: range(row.get(3)?, row.get(4)?)?,
            nodes: unsigned(row.get(5)?)?,
            edges: unsigned(row.get(6)?)?,
        });
    }
    Ok(summaries)
}

fn has_node(connection: &Connection, id: &str, symbol: &Symbol) -> Result<bool, Failure> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM graph_nodes WHERE graph_id = ?1 AND symbol = ?2")?;
    Ok(statement.exists(params![id, symbol.as_str()])?)
}

/// Goes one ring of symbols after the other, until nothing new is reached.
fn walk(connection: &Connection, id: &str, start: &Symbol, depth: u32, limit: usize) -> Result<Vec<Hop>, Failure> {
    let mut seen = HashSet::from([start.clone()]);
    let mut ring = vec![start.clone()];
    let mut hops = Vec::new();
    for distance in 1..=depth {
        let mut next: BTreeMap<Symbol, Hop> = BTreeMap::new();
        for through in &ring {
            for (symbol, correlation, weight) in touching(connection, id, through)? {
                if !seen.contains(&symbol) {
                    let hop = Hop { symbol: symbol.clone(), distance, through: through.clone(), correlation, weight };
                    next.entry(symbol).or_insert(hop);
                }
            }
        }
        ring = next.keys().cloned().collect();
        seen.extend(ring.iter().cloned());
        hops.extend(next.into_values());
        if ring.is_empty() || hops.len() >= limit {
            break;
        }
    }
    hops.truncate(limit);
    Ok(hops)
}

fn touching(connection: &Connection, id: &str, symbol_name: &Symbol) -> Result<Vec<(Symbol, f64, f64)>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT to_symbol, correlation, weight FROM graph_edges WHERE graph_id = ?1 AND from_symbol = ?2
         UNION ALL
         SELECT from_symbol, correlation, weight FROM graph_edges WHERE graph_id = ?1 AND to_symbol = ?2",
    )?;
    let mut rows = statement.query(params![id, symbol_name.as_str()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push((symbol(row, 0)?, row.get(1)?, row.get(2)?));
    }
    Ok(found)
}

fn symbol(row: &Row<'_>, column: usize) -> Result<Symbol, Failure> {
    parse(&row.get::<_, String>(column)?)
}

fn range(from: i64, to: i64) -> Result<TimeRange, Failure> {
    TimeRange::new(from, to).map_err(|_| Failure::Damaged(format!("stored range {from}:{to} is not valid")))
}
