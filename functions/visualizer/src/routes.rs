//! The table of views: what is served and what is documented are the same entries.

use std::sync::Arc;

use serde_json::Value;
use streamforge_function::{
    api::{
        openapi::{
            self, About,
            Answer::{Data, Document, Events},
            Parameter, Route,
        },
        schema,
    },
    axum::{
        Json, Router,
        routing::{MethodRouter, get, post},
    },
};

use crate::{
    Views,
    asked::{LINES, MESSAGES, ROWS},
    book, dead_letters, follow, graphs, klines, lineage, logs, models,
    pages::secured,
    platform, predictions,
    schemas::{self, places, text, whole_number},
    symbols, topics, trades,
};

const ABOUT: About = About { title: "StreamForge visualizer", description: "What the pages read." };

const SYMBOL: Parameter = Parameter::required("symbol", "the symbol, as the exchange writes it", schema::symbol);
const INTERVAL: Parameter = Parameter::required("interval", "the interval, case-sensitive", schema::interval);
const TOPIC: Parameter = Parameter::required("topic", "a public topic", schemas::topic);

const KLINES: &[Parameter] = &[
    SYMBOL,
    INTERVAL,
    Parameter::optional("before", "only bars that open before this instant", schema::instant),
    Parameter::optional("limit", "how many at most", || ROWS.schema()),
];

const TRADES: &[Parameter] = &[
    SYMBOL,
    Parameter::optional("before", "only trades with ids below this one", whole_number),
    Parameter::optional("limit", "how many at most", || ROWS.schema()),
];

const PREDICTIONS: &[Parameter] = &[
    SYMBOL,
    INTERVAL,
    Parameter::optional("from", "first instant", schema::instant),
    Parameter::optional("to", "first instant that is left out", schema::instant),
];

const GRAPH: &[Parameter] = &[Parameter::required("id", "the graph, as `/views/graphs` names it", text)];

const NAME: Parameter = Parameter::required("name", "the model", text);
const MODEL: &[Parameter] = &[NAME, Parameter::required("version", "one of its versions", text)];

const TYPE: Parameter = Parameter::optional("type", "only events of this type; may be repeated", text);
const SUBJECT: Parameter = Parameter::optional("subject", "only events with this subject; may be repeated", text);

const PAGE: &[Parameter] = &[
    TOPIC,
    TYPE,
    SUBJECT,
    Parameter::optional("before", "`before` of the page before", places),
    Parameter::optional("limit", "how many at most", || MESSAGES.schema()),
];

const FOLLOWED: &[Parameter] = &[
    TOPIC,
    TYPE,
    SUBJECT,
    Parameter::optional("from", "`end` of a page of messages, to begin there; `Last-Event-ID` wins over it", places),
];

const LETTERS: &[Parameter] = &[
    Parameter::optional("cursor", "`next_cursor` of the page before", places),
    Parameter::optional("limit", "how many at most", || MESSAGES.schema()),
];

const LINEAGE: &[Parameter] = &[Parameter::required("queue_id", "the workflow", schema::queue_id)];

const LOGS: &[Parameter] = &[
    Parameter::optional("task", "only lines that name this task", text),
    Parameter::optional("queue_id", "only lines that name this workflow; one of the two is needed", text),
    Parameter::optional("limit", "how many at most", || LINES.schema()),
];

/// All views with their handlers.
fn table() -> Vec<(Route, MethodRouter<Arc<Views>>)> {
    vec![
        (shows("/views/symbols", "Lists symbols with their series.", "Symbols", &[]), get(symbols::list)),
        (shows("/views/klines", "Shows bars of a series, the newest page first.", "Klines", KLINES), get(klines::show)),
        (
            shows("/views/trades", "Shows trades of a symbol, the newest page first.", "Trades", TRADES),
            get(trades::show),
        ),
        (
            refusing(&[404], shows("/views/book", "Shows the order book of a symbol as it is now.", "Book", &[SYMBOL])),
            get(book::show),
        ),
        (
            shows("/views/predictions", "Shows predictions beside what came.", "Predictions", PREDICTIONS),
            get(predictions::show),
        ),
        (shows("/views/graphs", "Lists graphs, newest first.", "Graphs", &[]), get(graphs::list)),
        (shows("/views/graphs/{id}", "Shows a graph with its nodes and edges.", "Graph", GRAPH), get(graphs::show)),
        (shows("/views/models", "Lists models with their versions.", "Models", &[]), get(models::list)),
        (
            // No version is called `promote`.
            refusing(
                &[405, 409],
                shows("/views/models/{name}/{version}", "Shows a version with its card.", "Model", MODEL),
            ),
            get(models::show),
        ),
        (
            Route {
                parameters: &[NAME],
                refusals: &[409],
                ..Route::post(
                    "/views/models/{name}/promote",
                    "Puts a version into use.",
                    "Promotion",
                    Data(200, "Promoted"),
                )
            },
            post(models::promote),
        ),
        (
            refusing(&[501], shows("/views/platform", "Shows functions with replicas and lag.", "Platform", &[])),
            get(platform::show),
        ),
        (
            // `Last-Event-ID` may be none of ours.
            refusing(
                &[422, 501],
                Route::get("/views/platform/events", "A sample of all functions each second.", Events),
            ),
            get(platform::events),
        ),
        (shows("/views/topics", "Lists topics with what they hold.", "Topics", &[]), get(topics::list)),
        (
            shows(
                "/views/topics/{topic}/messages",
                "Shows messages of a public topic, newest first; a page may be short while `before` has more.",
                "Messages",
                PAGE,
            ),
            get(topics::messages),
        ),
        (
            Route {
                parameters: FOLLOWED,
                ..Route::get("/views/topics/{topic}/events", "What is published on a public topic from now on.", Events)
            },
            get(follow::events),
        ),
        (
            shows("/views/dead-letters", "Lists dead letters, newest first.", "Letters", LETTERS),
            get(dead_letters::list),
        ),
        (
            Route {
                refusals: &[404, 409],
                ..Route::post(
                    "/views/dead-letters/replay",
                    "Publishes a dead letter again.",
                    "LetterReference",
                    Data(202, "Replayed"),
                )
            },
            post(dead_letters::replay),
        ),
        (
            shows(
                "/views/lineage/{queue_id}",
                "Shows the events of a workflow in the order of cause.",
                "Lineage",
                LINEAGE,
            ),
            get(lineage::show),
        ),
        (
            refusing(&[501], shows("/views/logs", "Shows log lines that name a task or a workflow.", "Lines", LOGS)),
            get(logs::show),
        ),
        (
            Route::get("/views/openapi.json", "This interface for programs.", Document("application/json")),
            get(async || Json(document())),
        ),
    ]
}

/// The views, for a server that guards them and has other routes beside them.
pub fn calls(views: Views) -> Router {
    let router = table().into_iter().fold(Router::new(), |router, (route, handler)| router.route(route.path, handler));
    secured(router.with_state(Arc::new(views)))
}

/// The `OpenAPI` document of the views.
fn document() -> Value {
    openapi::document(&ABOUT, &documented(), schemas::schemas())
}

fn documented() -> Vec<Route> {
    table().into_iter().map(|(route, _)| route).collect()
}

fn shows(path: &'static str, summary: &'static str, data: &'static str, parameters: &'static [Parameter]) -> Route {
    Route { parameters, ..Route::get(path, summary, Data(200, data)) }
}

fn refusing(refusals: &'static [u16], route: Route) -> Route {
    Route { refusals, ..route }
}
