//! The table of calls: what is served and what is documented are the same entries.

use std::sync::Arc;

use streamforge_function::{
    api::openapi::{self, Route},
    axum::{
        Json, Router,
        response::Html,
        routing::{MethodRouter, get, post},
    },
};

use super::{ApiState, control, coverage, live, read, schemas, start};

const JSON: &str = "application/json";

const LIST_QUERY: &[(&str, &str)] = &[
    ("limit", "how many at most, 1 to 500, 50 if not given"),
    ("cursor", "`next_cursor` of the page before"),
    ("status", "pending, loading, finished, stopped or error"),
];

const COVERAGE_QUERY: &[(&str, &str)] = &[
    ("symbol", "the symbol, as the exchange writes it"),
    ("interval", "klines of this interval alone"),
    ("from", "first instant, RFC 3339 or milliseconds; else all that is stored"),
    ("to", "first instant that is left out"),
];

/// All calls with their handlers.
fn table() -> Vec<(Route, MethodRouter<Arc<ApiState>>)> {
    vec![
        (posts("/queues/start-pipeline", "Starts a workflow.", "WorkflowRequest", 202), post(start::pipeline)),
        (posts("/queues/start", "Starts one loader with its connector.", "ShortRequest", 202), post(start::short)),
        (posts("/queues/start-test-flow", "Starts one of the test flows.", "TestFlow", 202), post(start::test_flow)),
        (
            Route {
                query: &[("queue_id", "the workflow, unless the body names it")],
                ..posts("/queues/stop", "Stops a workflow.", "QueueReference", 200)
            },
            post(control::stop),
        ),
        (
            posts("/queues/retry", "Starts the request of an ended workflow again.", "RetryRequest", 202),
            post(start::retry),
        ),
        (
            posts("/queues/control", "Sends ping or stop to the functions of a workflow.", "ControlRequest", 202),
            post(control::send),
        ),
        (Route { query: LIST_QUERY, ..gets("/queues", "Lists workflows, newest first.", JSON) }, get(read::list)),
        (Route { query: LIST_QUERY, ..gets("/queues/list", "The same list.", JSON) }, get(read::list)),
        (gets("/queues/{queue_id}", "Shows one workflow with its stages and tasks.", JSON), get(read::show)),
        (
            gets("/queues/{queue_id}/events", "Live progress until the workflow ends.", "text/event-stream"),
            get(live::progress),
        ),
        (
            Route {
                query: COVERAGE_QUERY,
                ..gets("/coverage", "Shows how complete what is stored of a symbol is.", JSON)
            },
            get(coverage::show),
        ),
        (
            Route {
                status: 101,
                ..gets("/ws/topic/{topic}", "Live messages of a public topic, over a WebSocket.", "text/plain")
            },
            get(live::topic),
        ),
        (gets("/openapi.json", "This interface for programs.", JSON), get(async || Json(document()))),
        (gets("/docs", "This interface for people.", "text/html"), get(async || Html(openapi::page(&documented())))),
    ]
}

/// All calls as they are documented.
pub(super) fn documented() -> Vec<Route> {
    table().into_iter().map(|(route, _)| route).collect()
}

/// The `OpenAPI` document of all calls.
pub(super) fn document() -> serde_json::Value {
    openapi::document(&schemas::ABOUT, &documented(), schemas::schemas())
}

/// All calls as they are served.
pub(super) fn router(state: Arc<ApiState>) -> Router {
    let router = table().into_iter().fold(Router::new(), |router, (route, handler)| router.route(route.path, handler));
    router.with_state(state)
}

fn posts(path: &'static str, summary: &'static str, body: &'static str, status: u16) -> Route {
    Route { method: "post", path, summary, query: &[], body: Some(body), status, media_type: JSON }
}

fn gets(path: &'static str, summary: &'static str, media_type: &'static str) -> Route {
    Route { method: "get", path, summary, query: &[], body: None, status: 200, media_type }
}
