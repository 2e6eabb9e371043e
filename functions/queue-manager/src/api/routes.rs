//! The table of calls: what is served and what is documented are the same entries.

use std::sync::Arc;

use serde_json::{Value, json};
use streamforge_events::Topic;
use streamforge_function::{
    api::{
        openapi::{
            self,
            Answer::{Data, Document, Events, Socket},
            Body, Parameter, Presence, Route,
        },
        schema,
    },
    axum::{
        Json, Router,
        response::Html,
        routing::{MethodRouter, get, post},
    },
};

use super::{
    ApiState, control, coverage, live,
    read::{self, LIMIT, MAX_LIMIT},
    schemas::{self, ABOUT, status},
    start, starting,
};

const QUEUE_ID: &[Parameter] = &[Parameter::required("queue_id", "the workflow", schema::queue_id)];

const STOP: &[Parameter] =
    &[Parameter::optional("queue_id", "the workflow, unless the body names it", schema::queue_id)];

const LIST: &[Parameter] = &[
    Parameter::optional("limit", "how many at most", || schema::limit(MAX_LIMIT, LIMIT)),
    Parameter::optional("cursor", "`next_cursor` of the page before", cursor),
    Parameter::optional("status", "only those of this status", status),
];

const COVERAGE: &[Parameter] = &[
    Parameter::required("symbol", "the symbol, as the exchange writes it", schema::symbol),
    Parameter::optional("interval", "klines of this interval alone", schema::interval),
    Parameter::optional("from", "first instant; else all that is stored", schema::instant),
    Parameter::optional("to", "first instant that is left out", schema::instant),
];

const TOPIC: &[Parameter] =
    &[Parameter::required("topic", "a public topic", || json!({"enum": Topic::PUBLIC.map(Topic::as_str)}))];

/// All calls with their handlers.
fn table() -> Vec<(Route, MethodRouter<Arc<ApiState>>)> {
    vec![
        (starts("/queues/start-pipeline", "Starts a workflow.", "WorkflowRequest"), post(start::pipeline)),
        (starts("/queues/start", "Starts one loader with its connector.", "ShortRequest"), post(start::short)),
        (starts("/queues/start-test-flow", "Starts one of the test flows.", "TestFlow"), post(start::test_flow)),
        (
            Route {
                parameters: STOP,
                body: Some(Body { schema: "QueueReference", presence: Presence::Optional }),
                refusals: &[404, 409],
                ..Route::post("/queues/stop", "Stops a workflow.", "QueueReference", Data(200, "Ended"))
            },
            post(control::stop),
        ),
        (
            Route {
                refusals: &[404, 409],
                ..starts("/queues/retry", "Starts the request of an ended workflow again.", "RetryRequest")
            },
            post(start::retry),
        ),
        (
            Route {
                also: Some((200, "Ended")),
                refusals: &[404, 409],
                ..Route::post(
                    "/queues/control",
                    "Sends ping or stop to the functions of a workflow.",
                    "ControlRequest",
                    Data(202, "Commanded"),
                )
            },
            post(control::send),
        ),
        (lists("/queues", "Lists workflows, newest first."), get(read::list)),
        (lists("/queues/list", "The same list."), get(read::list)),
        (
            Route {
                parameters: QUEUE_ID,
                ..Route::get(
                    "/queues/{queue_id}",
                    "Shows one workflow with its stages and tasks.",
                    Data(200, "Workflow"),
                )
            },
            get(read::show),
        ),
        (
            Route {
                parameters: QUEUE_ID,
                ..Route::get("/queues/{queue_id}/events", "Live progress until the workflow ends.", Events)
            },
            get(live::progress),
        ),
        (
            Route {
                parameters: COVERAGE,
                refusals: &[404],
                ..Route::get("/coverage", "Shows how complete what is stored of a symbol is.", Data(200, "Coverage"))
            },
            get(coverage::show),
        ),
        (
            Route {
                parameters: TOPIC,
                refusals: &[426],
                ..Route::get("/ws/topic/{topic}", "Live messages of a public topic, over a WebSocket.", Socket)
            },
            get(live::topic),
        ),
        (
            Route::get("/openapi.json", "This interface for programs.", Document("application/json")),
            get(async || Json(document())),
        ),
        (
            Route::get("/docs", "This interface for people.", Document("text/html")),
            get(async || Html(openapi::page(&documented()))),
        ),
    ]
}

/// All calls as they are documented.
pub(super) fn documented() -> Vec<Route> {
    table().into_iter().map(|(route, _)| route).collect()
}

/// The `OpenAPI` document of all calls.
pub(super) fn document() -> Value {
    let routes = documented();
    let mut document = openapi::document(&ABOUT, &routes, schemas::schemas());
    starting::describe(&mut document, &routes);
    document
}

/// All calls as they are served.
pub(super) fn router(state: Arc<ApiState>) -> Router {
    let router = table().into_iter().fold(Router::new(), |router, (route, handler)| router.route(route.path, handler));
    router.with_state(state)
}

/// A call that starts a workflow.
fn starts(path: &'static str, summary: &'static str, body: &'static str) -> Route {
    Route { refusals: &[409], ..Route::post(path, summary, body, starting::ACCEPTED) }
}

fn lists(path: &'static str, summary: &'static str) -> Route {
    Route { parameters: LIST, ..Route::get(path, summary, Data(200, "Page")) }
}

fn cursor() -> Value {
    json!({"type": "string", "pattern": r"^[+-]?[0-9]{1,18}~", "example": "1722500000123~wf-0"})
}
