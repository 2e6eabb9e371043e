//! Graphs listed by time, and one with its edges between numbers of nodes.

use serde_json::json;
use streamforge_events::TimeRange;
use streamforge_store::{Edge, GraphDocument, Node};

use crate::world::World;

fn graph(id: &str, version: u64, to: i64, nodes: usize) -> GraphDocument {
    let symbol = |number: usize| format!("S{number}USDT").parse().unwrap();
    let edge = |from: usize, to: usize| Edge {
        from: symbol(from),
        to: symbol(to),
        correlation: -0.25,
        weight: 0.5,
        observations: 7,
    };
    GraphDocument {
        id: id.to_owned(),
        version,
        interval: "1h".parse().unwrap(),
        range: TimeRange::new(0, to).unwrap(),
        parameters: json!({"threshold": 0.3}),
        nodes: (0..nodes)
            .map(|number| Node { symbol: symbol(number), observations: 9, mean_return: 0.0, volatility: 0.01 })
            .collect(),
        edges: (1..nodes)
            .flat_map(|to| (to.saturating_sub(41)..to).map(move |from| (from, to)))
            .map(|(a, b)| edge(b, a))
            .collect(),
    }
}

#[tokio::test]
async fn graphs_are_listed_by_their_end() {
    let world = World::new().await;
    for graph in [graph("older", 3, 1000, 2), graph("newer/<img>", 1, 3000, 3), graph("middle", 2, 2000, 2)] {
        world.store.put_graph(&graph).await.unwrap();
    }
    let (_, answer) = world.get("/views/graphs").await;
    let graphs = answer["data"]["graphs"].as_array().unwrap();
    let ids: Vec<&str> = graphs.iter().map(|graph| graph["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["newer/<img>", "middle", "older"]);
    let first =
        json!({"id": "newer/<img>", "version": 1, "interval": "1h", "from": 0, "to": 3000, "nodes": 3, "edges": 3});
    assert_eq!(graphs[0], first);
    let (status, shown) = world.get("/views/graphs/newer%2F%3Cimg%3E").await;
    assert_eq!((status, &shown["data"]["id"]), (200, &json!("newer/<img>")));
    let edge = json!({"from": 1, "to": 0, "correlation": -0.25, "weight": 0.5, "observations": 7});
    assert_eq!(shown["data"]["edges"][0], edge);
    let node = json!({"symbol": "S0USDT", "observations": 9, "mean_return": 0.0, "volatility": 0.01});
    assert_eq!((&shown["data"]["nodes"][0], &shown["data"]["parameters"]), (&node, &json!({"threshold": 0.3})));
    let (status, answer) = world.get("/views/graphs/none").await;
    assert_eq!((status, &answer["code"]), (404, &json!("unknown_graph")));
}

#[tokio::test]
async fn a_graph_of_five_hundred_symbols_comes_whole() {
    let world = World::new().await;
    let large = graph("large", 1, 1000, 500);
    world.store.put_graph(&large).await.unwrap();
    let (_, answer) = world.get("/views/graphs/large").await;
    let edges = answer["data"]["edges"].as_array().unwrap();
    assert!(edges.len() > 19_000 && edges.len() == large.edges.len(), "{}", edges.len());
    assert_eq!(answer["data"]["nodes"].as_array().unwrap().len(), 500);
}
