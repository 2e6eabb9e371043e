//! The `OpenAPI` document and the page that lists the calls, both made from the table of routes.

use serde_json::{Map, Value, json};

/// One call as it is documented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Method, in lower case.
    pub method: &'static str,
    /// Path, with the names of its parts in braces.
    pub path: &'static str,
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// Query parameters, name and meaning.
    pub query: &'static [(&'static str, &'static str)],
    /// Name of the schema of the body.
    pub body: Option<&'static str>,
    /// Status of the good answer.
    pub status: u16,
    /// Media type of the good answer.
    pub media_type: &'static str,
}

/// What a document says beside its routes.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Whose interface it is.
    pub title: &'static str,
    /// What it is for, in a sentence.
    pub description: &'static str,
    /// Bodies whose requests may carry an `Idempotency-Key`.
    pub idempotent: &'static [&'static str],
    /// Bodies that may be left out.
    pub optional: &'static [&'static str],
}

/// The `OpenAPI` 3.1 document of these routes; `schemas` are those of bodies, by name.
#[must_use]
pub fn document(about: &About, routes: &[Route], schemas: Value) -> Value {
    let mut paths = Map::new();
    for route in routes {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method] = operation(about, route);
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

fn operation(about: &About, route: &Route) -> Value {
    let in_path = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let path = in_path.map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}));
    let query = route.query.iter().map(|(name, description)| {
        json!({"name": name, "in": "query", "description": description, "schema": {"type": "string"}})
    });
    let mut parameters: Vec<Value> = path.chain(query).collect();
    if route.body.is_some_and(|body| about.idempotent.contains(&body)) {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "schema": {"type": "string", "minLength": 1, "maxLength": 255},
            "description": "the same key with the same body is one workflow",
        }));
    }
    let schema = if route.media_type == "application/json" { reference("Answer") } else { json!({"type": "string"}) };
    let mut operation = json!({
        "summary": route.summary,
        "parameters": parameters,
        "responses": {
            route.status.to_string(): {
                "description": "done",
                "content": {route.media_type: {"schema": schema}},
            },
            "default": {
                "description": "not done; `code` says why and does not change",
                "content": {"application/json": {"schema": reference("Problem")}},
            },
        },
    });
    if let Some(body) = route.body {
        operation["requestBody"] = json!({
            "required": !about.optional.contains(&body),
            "content": {"application/json": {"schema": reference(body)}},
        });
    }
    operation
}

/// A place that a named schema stands in.
#[must_use]
pub fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

/// The schemas of bodies, with those of the answers that all calls have in common.
fn with_answers(mut schemas: Value) -> Value {
    let text = json!({"type": "string"});
    schemas["Answer"] = json!({
        "type": "object", "required": ["status", "message", "data"],
        "properties": {"status": {"const": "success"}, "message": text, "data": {}},
    });
    schemas["Problem"] = json!({
        "type": "object", "required": ["status", "code", "message", "data"],
        "properties": {
            "status": {"const": "error"}, "code": text, "message": text,
            "field": {"type": "string", "description": "the field that is wrong"}, "data": {"type": "null"},
        },
    });
    schemas
}
