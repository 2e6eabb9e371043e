//! The `OpenAPI` document and the page that lists the calls, both made from the table of routes.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// One call as it is documented.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// Method, in lower case.
    pub method: &'static str,
    /// Path, with the names of its parts in braces.
    pub path: &'static str,
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// What is given in the path and the query.
    pub parameters: &'static [Parameter],
    /// The body, if it takes one.
    pub body: Option<Body>,
    /// The good answer.
    pub answer: Answer,
    /// Another good answer: its status and the schema of its `data`.
    pub also: Option<(u16, &'static str)>,
    /// Statuses of refusals, beside those that follow from what the call takes.
    pub refusals: &'static [u16],
}

/// What is given in the path, if its name stands there in braces, or else in the query.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub description: &'static str,
    /// What may be given.
    pub schema: fn() -> Value,
    /// Whether a call without it is refused.
    pub presence: Presence,
}

/// Whether something has to be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// A call without it is refused.
    Required,
    /// A call without it is served.
    Optional,
}

/// A body in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Body {
    /// Name of its schema.
    pub schema: &'static str,
    /// Whether it has to be given.
    pub presence: Presence,
}

/// What a call answers when all is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// An envelope with this status, whose `data` has the schema of this name.
    Data(u16, &'static str),
    /// Server-sent events, for as long as there are any.
    Events,
    /// A connection that is a WebSocket from then on.
    Socket,
    /// A document that is the same for everybody, with its media type.
    Document(&'static str),
}

/// What a document says beside its routes.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Whose interface it is.
    pub title: &'static str,
    /// What it is for, in a sentence.
    pub description: &'static str,
}

impl Route {
    /// A call that only looks.
    #[must_use]
    pub const fn get(path: &'static str, summary: &'static str, answer: Answer) -> Self {
        Self { method: "get", path, summary, parameters: &[], body: None, answer, also: None, refusals: &[] }
    }

    /// A call that changes something, with a body that has to be given.
    #[must_use]
    pub const fn post(path: &'static str, summary: &'static str, schema: &'static str, answer: Answer) -> Self {
        let body = Some(Body { schema, presence: Presence::Required });
        Self { method: "post", body, ..Self::get(path, summary, answer) }
    }

    /// Whether a parameter is a part of the path.
    fn has_in_path(&self, parameter: &Parameter) -> bool {
        self.path
            .split('/')
            .any(|part| part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) == Some(parameter.name))
    }

    /// Statuses of all refusals, ascending.
    fn all_refusals(&self) -> BTreeSet<u16> {
        // Every call's body is read within its bounds, and the pages of other sites are refused.
        let mut all = BTreeSet::from([400, 403, 408, 413]);
        all.extend(self.path.contains('{').then_some(404));
        all.extend((!matches!(self.answer, Answer::Document(_))).then_some(503));
        all.extend(self.parameters.iter().any(|parameter| !self.has_in_path(parameter)).then_some(422));
        all.extend(self.body.iter().flat_map(|_| [415, 422]));
        all.extend(self.refusals);
        all
    }
}

impl Parameter {
    /// One without which a call is refused.
    #[must_use]
    pub const fn required(name: &'static str, description: &'static str, schema: fn() -> Value) -> Self {
        Self { name, description, schema, presence: Presence::Required }
    }

    /// One that may be left out.
    #[must_use]
    pub const fn optional(name: &'static str, description: &'static str, schema: fn() -> Value) -> Self {
        Self { name, description, schema, presence: Presence::Optional }
    }
}

/// The `OpenAPI` 3.1 document of these routes; `schemas` are those of bodies and of `data`, by name.
#[must_use]
pub fn document(about: &About, routes: &[Route], schemas: Value) -> Value {
    let mut paths = Map::new();
    for route in routes {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": about.title,
            "version": env!("CARGO_PKG_VERSION"),
            "description": about.description,
        },
        "paths": paths,
        "components": {"schemas": with_answers(schemas)},
    })
}

/// A page for people that lists the calls.
#[must_use]
pub fn page(routes: &[Route]) -> String {
    let row = |route: &Route| {
        let method = route.method.to_uppercase();
        format!("<tr><td>{method}<td><code>{}</code><td>{}", route.path, route.summary)
    };
    let rows = routes.iter().map(row).collect::<Vec<_>>().join("\n");
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>StreamForge API</title>\
         <style>body{{font:16px system-ui;margin:2rem}}td{{padding:.3rem 1rem;border-top:1px solid #ccc}}</style>\
         <h1>StreamForge API</h1><p>The machine-readable form is <a href=/openapi.json>/openapi.json</a>.\
         <table>{rows}</table></html>"
    )
}

/// Name of a call for programs, such as `post-queues-start`.
#[must_use]
pub fn operation_id(method: &str, path: &str) -> String {
    let words = path.split(|character: char| !character.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    std::iter::once(method).chain(words).collect::<Vec<_>>().join("-")
}

/// A place that a named schema stands in.
#[must_use]
pub fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

fn operation(route: &Route) -> Value {
    let parameters = route.parameters.iter().map(|parameter| {
        let place = if route.has_in_path(parameter) { "path" } else { "query" };
        json!({
            "name": parameter.name, "in": place, "description": parameter.description,
            "required": parameter.presence == Presence::Required, "schema": (parameter.schema)(),
        })
    });
    let mut operation = json!({
        "operationId": operation_id(route.method, route.path),
        "summary": route.summary,
        "parameters": parameters.collect::<Vec<_>>(),
        "responses": responses(route),
    });
    if let Some(Body { schema, presence }) = route.body {
        operation["requestBody"] = json!({
            "required": presence == Presence::Required,
            "content": {"application/json": {"schema": reference(schema)}},
        });
    }
    operation
}

/// The good answers and all refusals, by status.
fn responses(route: &Route) -> Value {
    let envelope = |data: &str| {
        let schema = json!({"allOf": [reference("Answer"), {"properties": {"data": reference(data)}}]});
        json!({"description": "done", "content": {"application/json": {"schema": schema}}})
    };
    let (status, good) = match route.answer {
        Answer::Data(status, data) => (status, envelope(data)),
        Answer::Events => {
            let content = json!({"text/event-stream": {"schema": reference("ServerSentEvent")}});
            (200, json!({"description": "each event of the stream", "content": content}))
        }
        Answer::Socket => (101, json!({"description": "what comes is a WebSocket"})),
        Answer::Document(media_type) => {
            let is_json = media_type == "application/json";
            let schema = json!({"type": if is_json { "object" } else { "string" }});
            (200, json!({"description": "done", "content": {media_type: {"schema": schema}}}))
        }
    };
    let mut responses = json!({status.to_string(): good});
    if let Some((status, data)) = route.also {
        responses[status.to_string()] = envelope(data);
    }
    for status in route.all_refusals() {
        responses[status.to_string()] = json!({
            "description": refusal(status),
            "content": {"application/json": {"schema": reference("Problem")}},
        });
    }
    responses
}

fn refusal(status: u16) -> &'static str {
    match status {
        400 => "what came cannot be read: a body that is no JSON, escapes that are no text",
        403 => "the page of another site sent it",
        404 => "there is no such thing",
        408 => "the body came too slowly",
        409 => "something else stands in the way; `code` says what",
        413 => "the body is too large",
        415 => "the body is not application/json",
        422 => "a field is wrong, or what it asks for cannot be done; `field` names it",
        426 => "this is for WebSockets",
        501 => "this place does not have it; the message says where it is",
        503 => "the store or the broker does not answer, or there are too many at once; try again",
        _ => "not done; `code` says why and does not change",
    }
}

/// The schemas of a document, with those that all calls have in common.
fn with_answers(mut schemas: Value) -> Value {
    let text = json!({"type": "string"});
    schemas["Answer"] = json!({
        "type": "object", "required": ["status", "message", "data"],
        "properties": {"status": {"const": "success"}, "message": text, "data": {}},
    });
    schemas["Problem"] = json!({
        "type": "object", "required": ["status", "code", "message", "data"],
        "properties": {
            "status": {"const": "error"}, "code": {"type": "string", "pattern": "^[a-z_]+$"}, "message": text,
            "field": {"type": "string", "description": "the field that is wrong"}, "data": {"type": "null"},
        },
    });
    schemas["ServerSentEvent"] = json!({
        "type": "object",
        "properties": {
            "event": text, "id": text, "data": {"type": "string", "contentMediaType": "application/json"},
        },
    });
    schemas
}
