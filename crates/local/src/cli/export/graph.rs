//! The text of an exported graph.

use serde_json::{Value, json};
use streamforge_store::GraphDocument;

/// Describes a graph as one object; times are UTC milliseconds.
///
/// Its version is left out: that is the moment at which it was commanded, and equal graphs shall print equal bytes.
pub(super) fn describe(graph: &GraphDocument) -> Value {
    json!({
        "id": graph.id,
        "interval": graph.interval,
        "from": graph.range.from(),
        "to": graph.range.to(),
        "parameters": graph.parameters,
        "nodes": graph.nodes,
        "edges": graph.edges,
    })
}
