//! What is live of a request: one stage that has no end, cut into tasks by symbols.

use serde_json::{Map, Value, json};
use streamforge_events::{Interval, Millis, RequestKind, StreamKind, TimeRange, WorkflowRequest};

use super::function;
use crate::document::Task;

/// The function that listens.
pub(super) const LOADER: &str = "loader-ws";

/// Type of its one stage, whatever the request listens to.
pub(super) const TYPE: &str = "live";

/// Symbols that one task listens to.
const SYMBOLS_PER_TASK: usize = 200;

/// Streams that one task listens to, one for each of its symbols and types.
///
/// # Source
/// <https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams> allows 1024 on one connection.
const STREAMS_PER_TASK: usize = 1_000;

/// The types that a request wants loaded live, in its order.
pub(super) fn types(request: &WorkflowRequest) -> impl Iterator<Item = &str> {
    let parts = request.entries.iter().filter(|entry| function(entry) == Some(LOADER));
    parts.map(|entry| entry.r#type.as_str())
}

/// The interval of the first live klines.
pub(super) fn interval(request: &WorkflowRequest) -> Option<Interval> {
    request.entries.iter().find_map(|entry| match entry.kind {
        RequestKind::Stream(StreamKind::Klines(interval)) => Some(interval),
        _ => None,
    })
}

/// What all tasks are told; the symbols are each task's own.
pub(super) fn parameters(request: &WorkflowRequest) -> Map<String, Value> {
    let streams = json!(types(request).collect::<Vec<_>>());
    Map::from_iter([("streams".to_owned(), streams)])
}

/// A task for each shard of the symbols, in the order of the request.
pub(super) fn tasks(
    request: &WorkflowRequest,
    range: TimeRange,
    now: Millis,
    id: impl Fn(usize) -> String,
) -> Vec<Task> {
    let symbols = SYMBOLS_PER_TASK.min(STREAMS_PER_TASK / types(request).count().max(1)).max(1);
    let shards = request.symbols.chunks(symbols).enumerate();
    let task = |(number, shard): (usize, &[_])| Task {
        symbols: shard.to_vec(),
        ..Task::waiting(id(number), request.symbols[number * symbols].clone(), range, now)
    };
    shards.map(task).collect()
}
