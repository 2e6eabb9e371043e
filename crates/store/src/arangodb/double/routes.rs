//! Which part of the server a request goes to, and who may ask.

use axum::http::Method;
use serde_json::json;

use super::{
    Fault, documents, queries,
    request::{No, Reply, Request},
    schema,
    state::Server,
};

/// Carries a request out.
pub(super) fn handle(server: &mut Server, request: &Request, fault: Option<Fault>) -> Reply {
    match fault {
        Some(Fault::ForgetTokens) => server.tokens.clear(),
        Some(Fault::ForgetCursors) => server.cursors.clear(),
        _ => {}
    }
    if request.body.len() > server.largest_body {
        return No(413, 413, "request too large").into();
    }
    let (database, parts) = request.place();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    if parts.as_slice() == ["_open", "auth"] {
        return log_in(server, request).unwrap_or_else(Reply::from);
    }
    if server.user.is_some() && !request.token.as_ref().is_some_and(|token| server.tokens.contains(token)) {
        let mut reply = Reply::from(No(401, 11, "not authorized to execute this request"));
        reply.headers.push(("www-authenticate", "Bearer token_type=\"JWT\", realm=\"ArangoDB\"".to_owned()));
        return reply;
    }
    if !server.databases.contains_key(&database) {
        return No(404, 1228, "database not found").into();
    }
    route(server, request, &database, &parts, fault).unwrap_or_else(Reply::from)
}

fn log_in(server: &mut Server, request: &Request) -> Result<Reply, No> {
    let Some((user, password)) = server.user.clone() else { return Err(No(404, 404, "unknown path")) };
    let body = request.json()?;
    if body["username"] != user || body["password"] != password {
        return Err(No(401, 401, "Wrong credentials"));
    }
    let token = format!("double.{}", server.number());
    server.tokens.insert(token.clone());
    Ok(Reply::new(200, json!({"jwt": token})))
}

fn route(
    server: &mut Server,
    request: &Request,
    database: &str,
    parts: &[&str],
    fault: Option<Fault>,
) -> Result<Reply, No> {
    match (&request.method, parts) {
        (&Method::GET, ["_api", "version"]) => {
            let body = json!({"server": "arango", "license": "community", "version": server.version});
            Ok(Reply::new(200, body))
        }
        (&Method::GET, ["_api", "database", "current"]) => Ok(schema::current(database)),
        (&Method::POST, ["_api", "database"]) => schema::create_database(server, request, database),
        (&Method::DELETE, ["_api", "database", name]) => schema::drop_database(server, database, name),
        (&Method::GET, ["_api", "collection"]) => Ok(schema::collections(server, database)),
        (&Method::POST, ["_api", "collection"]) => schema::create_collection(server, request, database),
        (&Method::GET, ["_api", "collection", name]) => schema::collection(server, database, name),
        (&Method::POST, ["_api", "index"]) => schema::create_index(server, request, database),
        (&Method::POST, ["_api", "gharial"]) => schema::create_graph(server, request, database),
        (&Method::GET, ["_api", "gharial", name]) => schema::graph(server, database, name),
        (&Method::POST, ["_api", "document", collection]) => {
            documents::insert(server, request, database, collection, fault)
        }
        (&Method::GET, ["_api", "document", collection, key]) => documents::read(server, database, collection, key),
        (&Method::PATCH | &Method::PUT, ["_api", "document", collection, key]) => {
            documents::change(server, request, database, collection, key)
        }
        (&Method::POST, ["_api", "cursor"]) => queries::ask(server, request, database),
        (&Method::POST | &Method::PUT, ["_api", "cursor", id]) => queries::next(server, id),
        (&Method::DELETE, ["_api", "cursor", id]) => queries::forget(server, id),
        _ => {
            server.unknown.push(format!("{} {}", request.method, request.path));
            Err(No(404, 404, "unknown path"))
        }
    }
}
