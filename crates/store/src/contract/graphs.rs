//! Graphs: versioned whole, true to themselves, walked breadth first.

use super::{
    Backend,
    samples::{graph, symbol},
};
use crate::{Applied, Error, GraphDocument, GraphSummary, MAX_VERSION, Store};

/// Nodes, edges and numbers come back in their order and to the last bit.
pub async fn graph_is_read_as_it_was_put(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let put = graph("g/1:ü%", 3, &[("B", "A"), ("A", "C")]);
    assert_eq!(store.put_graph(&put).await?, Applied::Inserted);
    let again = backend.open().await?;
    assert_eq!(again.graph(Some(&put.id)).await?, Some(put.clone()));
    let GraphDocument { id, version, interval, range, .. } = put;
    assert_eq!(again.graphs().await?, [GraphSummary { id, version, interval, range, nodes: 6, edges: 2 }]);
    let empty = GraphDocument { nodes: vec![], ..graph("empty", 0, &[]) };
    store.put_graph(&empty).await?;
    assert_eq!(again.graph(Some("empty")).await?, Some(empty));
    Ok(())
}

/// A higher version replaces the graph whole; the same or a lower one changes nothing.
pub async fn older_graph_does_not_win(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let pairs: [&[(&str, &str)]; 4] = [&[("A", "B"), ("B", "C")], &[("A", "C")], &[("A", "D")], &[("A", "E")]];
    for (version, pairs, applied, stays) in [
        (2, pairs[0], Applied::Inserted, pairs[0]),
        (2, pairs[1], Applied::Unchanged, pairs[0]),
        (1, pairs[2], Applied::Unchanged, pairs[0]),
        (3, pairs[3], Applied::Updated, pairs[3]),
    ] {
        assert_eq!(store.put_graph(&graph("g", version, pairs)).await?, applied, "version {version}");
        let stored = store.graph(Some("g")).await?.expect("it was put");
        assert_eq!(stored.edges, graph("g", 0, stays).edges);
    }
    Ok(())
}

/// Without an id the graph with the highest version is meant.
pub async fn newest_graph_has_the_highest_version(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    assert_eq!(store.graph(None).await?, None);
    assert!(store.graphs().await?.is_empty());
    for (id, version) in [("b", 5), ("c", 9), ("a", 7)] {
        store.put_graph(&graph(id, version, &[("A", "B")])).await?;
    }
    assert_eq!(store.graph(None).await?.map(|graph| graph.id).as_deref(), Some("c"));
    let ids: Vec<_> = store.graphs().await?.into_iter().map(|graph| graph.id).collect();
    assert_eq!(ids, ["c", "a", "b"]);
    assert_eq!(reached(&*store, None, "A", 1, 9).await?, Some(vec![("B".to_owned(), 1, "A".to_owned())]));
    Ok(())
}

/// What contradicts itself is refused whole.
pub async fn contradictory_graph_is_refused(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let sound = || graph("g", 1, &[("A", "B")]);
    let mut cases = vec![
        ("stranger", graph("g", 1, &[("A", "B"), ("B", "STRANGER")])),
        ("loop", graph("g", 1, &[("A", "A")])),
        ("twice", graph("g", 1, &[("A", "B"), ("B", "A")])),
        ("no id", graph("", 1, &[])),
        ("long id", graph(&"g".repeat(255), 1, &[])),
        ("version", graph("g", MAX_VERSION, &[])),
    ];
    let mut doubled = sound();
    doubled.nodes.push(doubled.nodes[0].clone());
    cases.push(("node twice", doubled));
    let mut endless = sound();
    endless.edges[0].weight = f64::INFINITY;
    cases.push(("infinite weight", endless));
    let mut crowded = sound();
    crowded.nodes[0].observations = u64::MAX;
    cases.push(("too many observations", crowded));
    for (case, graph) in cases {
        let outcome = store.put_graph(&graph).await;
        assert!(matches!(outcome, Err(Error::Graph { .. })), "{case}: {outcome:?}");
    }
    assert!(store.graphs().await?.is_empty());
    Ok(())
}

type Reached = Option<Vec<(String, u32, String)>>;

async fn reached(store: &dyn Store, id: Option<&str>, from: &str, depth: u32, limit: usize) -> Result<Reached, Error> {
    let hops = store.neighbours(id, &symbol(from), depth, limit).await?;
    let short = |hop: crate::Hop| (hop.symbol.to_string(), hop.distance, hop.through.to_string());
    Ok(hops.map(|hops| hops.into_iter().map(short).collect()))
}

/// Nearer symbols come first, those equally near by name; depth and limit bound the walk.
pub async fn walk_is_breadth_first(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    // A joins B and C; both join D; D joins E. F stands alone.
    store.put_graph(&graph("g", 1, &[("C", "A"), ("A", "B"), ("D", "B"), ("C", "D"), ("D", "E")])).await?;
    let whole = [("B", 1, "A"), ("C", 1, "A"), ("D", 2, "B"), ("E", 3, "D")];
    for (depth, limit, count) in
        [(0, 9, 0), (1, 9, 2), (2, 9, 3), (3, 9, 4), (u32::MAX, 9, 4), (3, 3, 3), (3, 1, 1), (3, 0, 0)]
    {
        let expected: Vec<_> = whole[..count]
            .iter()
            .map(|&(name, distance, through)| (name.to_owned(), distance, through.to_owned()))
            .collect();
        assert_eq!(
            reached(&*store, Some("g"), "A", depth, limit).await?,
            Some(expected),
            "depth {depth} limit {limit}"
        );
    }
    assert_eq!(reached(&*store, Some("g"), "F", 9, 9).await?, Some(vec![]));
    let hops = store.neighbours(Some("g"), &symbol("A"), 1, 1).await?.expect("graph and symbol are there");
    assert_eq!((hops[0].correlation, hops[0].weight), (-0.75, 0.75));
    Ok(())
}

/// A symbol is reached once, whatever cycles lead to it.
pub async fn walk_of_a_cycle_ends(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    store.put_graph(&graph("g", 1, &[("A", "B"), ("B", "C"), ("C", "D"), ("D", "A")])).await?;
    let found = reached(&*store, Some("g"), "A", u32::MAX, usize::MAX).await?.expect("it was put");
    let names: Vec<_> = found.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names, ["B", "D", "C"]);
    Ok(())
}

/// What is not there is none, not an error and not empty.
pub async fn unknown_graph_or_symbol_is_none(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    assert_eq!(reached(&*store, None, "A", 1, 1).await?, None);
    store.put_graph(&graph("g", 1, &[])).await?;
    assert_eq!(store.graph(Some("other")).await?, None);
    assert_eq!(reached(&*store, Some("other"), "A", 1, 1).await?, None);
    assert_eq!(reached(&*store, Some("g"), "STRANGER", 1, 1).await?, None);
    Ok(())
}
