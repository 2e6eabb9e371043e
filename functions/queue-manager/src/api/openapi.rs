//! The `OpenAPI` document and the page that lists the calls, both made from the table of routes.

use serde_json::{Map, Value, json};

/// One call as it is documented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) summary: &'static str,
    /// Query parameters, name and meaning.
    pub(crate) query: &'static [(&'static str, &'static str)],
    /// Name of the schema of the body.
    pub(crate) body: Option<&'static str>,
    /// Status of the good answer.
    pub(crate) status: u16,
    /// Media type of the good answer.
    pub(crate) media_type: &'static str,
}

/// The `OpenAPI` 3.1 document of these routes.
pub(crate) fn document(routes: &[Route]) -> Value {
    let mut paths = Map::new();
    for route in routes {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "StreamForge queue-manager",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Starts, stops and shows workflows.",
        },
        "paths": paths,
        "components": {"schemas": schemas()},
    })
}

/// A page for people that lists the calls.
pub(crate) fn page(routes: &[Route]) -> String {
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

fn operation(route: &Route) -> Value {
    let in_path = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let path = in_path.map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}));
    let query = route.query.iter().map(|(name, description)| {
        json!({"name": name, "in": "query", "description": description, "schema": {"type": "string"}})
    });
    let mut parameters: Vec<Value> = path.chain(query).collect();
    if matches!(route.body, Some("WorkflowRequest" | "ShortRequest" | "TestFlow")) {
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
            "required": body != "QueueReference",
            "content": {"application/json": {"schema": reference(body)}},
        });
    }
    operation
}

fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

fn schemas() -> Value {
    let text = json!({"type": "string"});
    json!({
        "Answer": {
            "type": "object", "required": ["status", "message", "data"],
            "properties": {"status": {"const": "success"}, "message": text, "data": {}},
        },
        "Problem": {
            "type": "object", "required": ["status", "code", "message", "data"],
            "properties": {
                "status": {"const": "error"}, "code": text, "message": text,
                "field": {"type": "string", "description": "the field that is wrong"}, "data": {"type": "null"},
            },
        },
        "WorkflowRequest": {
            "type": "object", "additionalProperties": false, "required": ["time_range"],
            "properties": {
                "symbol": text,
                "symbols": {"type": "array", "items": text},
                "time_range": {"type": "string", "description":
                    "YYYY-MM-DD:YYYY-MM-DD, both days inclusive, UTC; or two RFC 3339 instants joined by /, half-open"},
                "requests": {"type": "array", "items": reference("StageRequest")},
                "microservices": {"type": "array", "items": reference("StageRequest")},
            },
        },
        "StageRequest": {
            "type": "object", "required": ["target", "type"],
            "properties": {
                "target": {"type": "string", "description": "loader-producer, or the name of a function"},
                "type": {"type": "string", "description": "such as api_candles_15m, api_trades, gnn_graph"},
                "after": {"type": "array", "items": text, "description": "<target>/<type> of what must be finished first"},
                "refresh": {"type": "boolean", "description": "load what is stored already, too"},
            },
        },
        "ShortRequest": {
            "type": "object", "additionalProperties": false, "required": ["type", "time_range"],
            "properties": {
                "symbol": text, "symbols": {"type": "array", "items": text}, "type": text, "time_range": text,
            },
        },
        "TestFlow": {
            "type": "object", "additionalProperties": false, "required": ["flow"],
            "properties": {
                "flow": {"enum": ["default_candles_flow", "default_trade_flow"]},
                "symbol": text, "time_range": text, "type": text,
            },
        },
        "QueueReference": {
            "type": "object", "additionalProperties": false, "properties": {"queue_id": text},
        },
        "ControlRequest": {
            "type": "object", "additionalProperties": false, "required": ["queue_id", "command"],
            "properties": {
                "queue_id": text, "command": {"enum": ["ping", "stop"]},
                "target": {"type": "string", "description": "the function; without it all functions of the workflow"},
            },
        },
    })
}
