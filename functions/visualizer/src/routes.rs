//! The table of views: what is served and what is documented are the same entries.

use std::sync::Arc;

use serde_json::{Value, json};
use streamforge_function::{
    api::openapi::{self, About, Route},
    axum::{
        Json, Router,
        routing::{MethodRouter, get, post},
    },
};

use crate::{
    Views, dead_letters, follow, graphs, klines, lineage, logs, models, pages::secured, platform, predictions, symbols,
    topics, trades,
};

const ABOUT: About =
    About { title: "StreamForge visualizer", description: "What the pages read.", idempotent: &[], optional: &[] };

const JSON: &str = "application/json";

const KLINES: &[(&str, &str)] = &[
    ("symbol", "the symbol, as the exchange writes it"),
    ("interval", "the interval, case-sensitive"),
    ("before", "only bars that open before this instant, RFC 3339 or milliseconds"),
    ("limit", "how many at most, 1 to 5000, 500 if not given"),
];

const TRADES: &[(&str, &str)] = &[
    ("symbol", "the symbol, as the exchange writes it"),
    ("before", "only trades with ids below this one"),
    ("limit", "how many at most, 1 to 5000, 500 if not given"),
];

const PREDICTIONS: &[(&str, &str)] = &[
    ("symbol", "the symbol, as the exchange writes it"),
    ("interval", "the interval, case-sensitive"),
    ("from", "first instant, RFC 3339 or milliseconds"),
    ("to", "first instant that is left out"),
];

const MESSAGES: &[(&str, &str)] =
    &[("before", "`before` of the page before"), ("limit", "how many at most, 1 to 500, 50 if not given")];

const EVENTS: &[(&str, &str)] = &[
    ("type", "only events of this type; may be repeated"),
    ("subject", "only events with this subject; may be repeated"),
    ("from", "`end` of a page of messages, to begin there; `Last-Event-ID` wins over it"),
];

const LETTERS: &[(&str, &str)] =
    &[("cursor", "`next_cursor` of the page before"), ("limit", "how many at most, 1 to 500, 50 if not given")];

const LOGS: &[(&str, &str)] = &[
    ("task", "only lines that name this task"),
    ("queue_id", "only lines that name this workflow"),
    ("limit", "how many at most, 1 to 1000, 200 if not given"),
];

/// All views with their handlers.
fn table() -> Vec<(Route, MethodRouter<Arc<Views>>)> {
    vec![
        (gets("/views/symbols", "Lists symbols with their series."), get(symbols::list)),
        (
            Route { query: KLINES, ..gets("/views/klines", "Shows bars of a series, the newest page first.") },
            get(klines::show),
        ),
        (
            Route { query: TRADES, ..gets("/views/trades", "Shows trades of a symbol, the newest page first.") },
            get(trades::show),
        ),
        (
            Route { query: PREDICTIONS, ..gets("/views/predictions", "Shows predictions beside what came.") },
            get(predictions::show),
        ),
        (gets("/views/graphs", "Lists graphs, newest first."), get(graphs::list)),
        (gets("/views/graphs/{id}", "Shows a graph with its nodes and edges."), get(graphs::show)),
        (gets("/views/models", "Lists models with their versions."), get(models::list)),
        (gets("/views/models/{name}/{version}", "Shows a version with its card."), get(models::show)),
        (posts("/views/models/{name}/promote", "Puts a version into use.", "Promotion", 200), post(models::promote)),
        (gets("/views/platform", "Shows functions with replicas and lag."), get(platform::show)),
        (streams("/views/platform/events", "A sample of all functions each second."), get(platform::events)),
        (gets("/views/topics", "Lists topics with what they hold."), get(topics::list)),
        (
            Route {
                query: MESSAGES,
                ..gets("/views/topics/{topic}/messages", "Shows messages of a public topic, newest first.")
            },
            get(topics::messages),
        ),
        (
            Route {
                query: EVENTS,
                ..streams("/views/topics/{topic}/events", "What is published on a public topic from now on.")
            },
            get(follow::events),
        ),
        (
            Route { query: LETTERS, ..gets("/views/dead-letters", "Lists dead letters, newest first.") },
            get(dead_letters::list),
        ),
        (
            posts("/views/dead-letters/replay", "Publishes a dead letter again.", "LetterReference", 202),
            post(dead_letters::replay),
        ),
        (
            gets("/views/lineage/{queue_id}", "Shows the events of a workflow in the order of cause."),
            get(lineage::show),
        ),
        (
            Route { query: LOGS, ..gets("/views/logs", "Shows log lines that name a task or a workflow.") },
            get(logs::show),
        ),
        (gets("/views/openapi.json", "This interface for programs."), get(async || Json(document()))),
    ]
}

/// The views, for a server that guards them and has other routes beside them.
pub fn calls(views: Views) -> Router {
    let router = table().into_iter().fold(Router::new(), |router, (route, handler)| router.route(route.path, handler));
    secured(router.with_state(Arc::new(views)))
}

/// The `OpenAPI` document of the views.
fn document() -> Value {
    openapi::document(&ABOUT, &documented(), schemas())
}

fn documented() -> Vec<Route> {
    table().into_iter().map(|(route, _)| route).collect()
}

fn schemas() -> Value {
    json!({
        "Promotion": {
            "type": "object", "additionalProperties": false, "required": ["version"],
            "properties": {"version": {"type": "string"}},
        },
        "LetterReference": {
            "type": "object", "additionalProperties": false, "required": ["partition", "offset"],
            "properties": {
                "topic": {"const": "dead-letters"},
                "partition": {"type": "integer", "minimum": 0},
                "offset": {"type": "integer", "minimum": 0},
                "again": {"type": "boolean", "description": "replay even a letter that was replayed before"},
            },
        },
    })
}

fn posts(path: &'static str, summary: &'static str, body: &'static str, status: u16) -> Route {
    Route { method: "post", path, summary, query: &[], body: Some(body), status, media_type: JSON }
}

fn streams(path: &'static str, summary: &'static str) -> Route {
    Route { media_type: "text/event-stream", ..gets(path, summary) }
}

fn gets(path: &'static str, summary: &'static str) -> Route {
    Route { method: "get", path, summary, query: &[], body: None, status: 200, media_type: JSON }
}
