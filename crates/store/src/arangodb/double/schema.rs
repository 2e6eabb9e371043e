//! Databases, collections, indexes and named graphs.

use serde_json::{Value, json};

use super::{
    request::{No, Reply, Request},
    state::{Collection, Database, Server},
};

pub(super) fn current(database: &str) -> Reply {
    let result = json!({"name": database, "id": "1", "isSystem": database == "_system", "path": "none"});
    Reply::marked(200, json!({"result": result}))
}

pub(super) fn create_database(server: &mut Server, request: &Request, database: &str) -> Result<Reply, No> {
    if database != "_system" {
        return Err(No(403, 1230, "operation only allowed in system database"));
    }
    let body = request.json()?;
    let name = body["name"].as_str().filter(|name| is_name(name)).ok_or(No(400, 1229, "database name invalid"))?;
    if server.databases.contains_key(name) {
        return Err(No(409, 1207, "duplicate database name"));
    }
    server.databases.insert(name.to_owned(), Database::default());
    Ok(Reply::marked(201, json!({"result": true})))
}

pub(super) fn drop_database(server: &mut Server, database: &str, name: &str) -> Result<Reply, No> {
    if database != "_system" {
        return Err(No(403, 1230, "operation only allowed in system database"));
    }
    server.databases.remove(name).ok_or(No(404, 1228, "database not found"))?;
    Ok(Reply::marked(200, json!({"result": true})))
}

pub(super) fn collections(server: &Server, database: &str) -> Reply {
    let described = server.databases[database].collections.values().map(|found| described(found, &server.version));
    Reply::marked(200, json!({"result": described.collect::<Vec<_>>()}))
}

pub(super) fn collection(server: &Server, database: &str, name: &str) -> Result<Reply, No> {
    let found = server.databases[database].collections.get(name).ok_or(NO_COLLECTION)?;
    Ok(Reply::marked(200, described(found, &server.version)))
}

pub(super) fn create_collection(server: &mut Server, request: &Request, database: &str) -> Result<Reply, No> {
    let body = request.json()?;
    let name = body["name"].as_str().filter(|name| is_name(name)).ok_or(No(400, 1208, "illegal name"))?;
    let is_edges = match body.get("type").map_or(Some(2), Value::as_u64) {
        Some(2) => false,
        Some(3) => true,
        _ => return Err(No(400, 10, "bad parameter")),
    };
    let version = server.version.clone();
    let collections = &mut server.databases.get_mut(database).expect("the path was checked").collections;
    if collections.contains_key(name) {
        return Err(No(409, 1207, "duplicate name"));
    }
    let made = Collection::new(name, is_edges);
    let mut reply = described(&made, &version);
    collections.insert(name.to_owned(), made);
    reply["waitForSync"] = json!(false);
    reply["writeConcern"] = json!(1);
    reply["keyOptions"] = json!({"allowUserKeys": true, "type": "traditional", "lastValue": 0});
    Ok(Reply::marked(200, reply))
}

/// Servers from 4 on leave the status out.
fn described(collection: &Collection, version: &str) -> Value {
    let (name, kind) = (&collection.name, if collection.is_edges { 3 } else { 2 });
    let id = format!("{}", name.len() + 1000);
    let mut described =
        json!({"id": id, "globallyUniqueId": format!("h1/{id}"), "name": name, "type": kind, "isSystem": false});
    if version.starts_with('3') {
        described["status"] = json!(3);
        described["statusString"] = json!("loaded");
    }
    described
}

pub(super) fn create_index(server: &mut Server, request: &Request, database: &str) -> Result<Reply, No> {
    let body = request.json()?;
    let name = request.query.get("collection").ok_or(No(400, 1204, "collection missing"))?;
    let number = server.number();
    let collection = server.databases.get_mut(database).and_then(|database| database.collections.get_mut(name));
    let collection = collection.ok_or(NO_COLLECTION)?;
    let is_same =
        |index: &&Value| ["type", "fields", "unique", "sparse"].into_iter().all(|field| index[field] == body[field]);
    if body["type"] != "persistent" || body["fields"].as_array().is_none_or(Vec::is_empty) {
        return Err(No(400, 10, "bad parameter"));
    }
    if let Some(found) = collection.indexes.iter().find(is_same) {
        let mut found = found.clone();
        found["isNewlyCreated"] = json!(false);
        return Ok(Reply::marked(200, found));
    }
    let mut made = body.clone();
    made["id"] = json!(format!("{name}/{number}"));
    made["isNewlyCreated"] = json!(true);
    made["estimates"] = json!(true);
    made["cacheEnabled"] = json!(false);
    made["selectivityEstimate"] = json!(1);
    collection.indexes.push(made.clone());
    Ok(Reply::marked(201, made))
}

pub(super) fn create_graph(server: &mut Server, request: &Request, database: &str) -> Result<Reply, No> {
    let body = request.json()?;
    let name = body["name"].as_str().filter(|name| !name.is_empty()).ok_or(No(400, 1936, "graph name missing"))?;
    let database = server.databases.get_mut(database).expect("the path was checked");
    if database.graphs.contains_key(name) {
        return Err(No(409, 1925, "graph already exists"));
    }
    for definition in body["edgeDefinitions"].as_array().into_iter().flatten() {
        let mut ensure = |name: &Value, is_edges| -> Result<(), No> {
            let name = name.as_str().ok_or(No(400, 1923, "edge definition malformed"))?;
            database.collections.entry(name.to_owned()).or_insert_with(|| Collection::new(name, is_edges));
            Ok(())
        };
        ensure(&definition["collection"], true)?;
        for end in ["from", "to"] {
            for name in definition[end].as_array().into_iter().flatten() {
                ensure(name, false)?;
            }
        }
    }
    let graph = json!({
        "_key": name, "_id": format!("_graphs/{name}"), "_rev": "_1", "name": name,
        "edgeDefinitions": body["edgeDefinitions"], "orphanCollections": [],
    });
    database.graphs.insert(name.to_owned(), graph.clone());
    Ok(Reply::marked(if request.flag("waitForSync", false) { 201 } else { 202 }, json!({"graph": graph})))
}

pub(super) fn graph(server: &Server, database: &str, name: &str) -> Result<Reply, No> {
    let graph = server.databases[database].graphs.get(name).ok_or(No(404, 1924, "graph not found"))?;
    Ok(Reply::marked(200, json!({"graph": graph})))
}

pub(super) const NO_COLLECTION: No = No(404, 1203, "collection or view not found");

fn is_name(name: &str) -> bool {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    name.starts_with(|first: char| first.is_ascii_alphabetic()) && name.len() <= 256 && name.bytes().all(sound)
}
