//! The document API: one document or an array of them, each with an answer of its own.
//!
//! # Source
//! <https://docs.arangodb.com/3.12/develop/http-api/documents/>

use serde_json::{Map, Value, json};

use super::{
    Fault,
    request::{No, Reply, Request},
    schema::NO_COLLECTION,
    state::{Collection, Server, Stored},
};

pub(super) fn read(server: &Server, database: &str, collection: &str, key: &str) -> Result<Reply, No> {
    let collection = server.databases[database].collections.get(collection).ok_or(NO_COLLECTION)?;
    let stored = collection.documents.get(key).ok_or(NO_DOCUMENT)?;
    let mut reply = Reply::new(200, stored.whole());
    reply.headers.push(("etag", format!("\"{}\"", stored.revision)));
    Ok(reply)
}

pub(super) fn insert(
    server: &mut Server,
    request: &Request,
    database: &str,
    name: &str,
    fault: Option<Fault>,
) -> Result<Reply, No> {
    let body = request.json()?;
    let status = written(request);
    if !server.databases[database].collections.contains_key(name) {
        return Err(NO_COLLECTION);
    }
    let Value::Array(documents) = body else {
        let revision = revision(server);
        let collection = collection(server, database, name);
        let answer = insert_one(collection, request, body, revision)?;
        let mut reply = Reply::new(status, answer.clone());
        reply.headers.push(("etag", format!("\"{}\"", answer["_rev"].as_str().unwrap_or_default())));
        return Ok(reply);
    };
    let count = documents.len();
    let mut answers = vec![Value::Null; count];
    let mut numbers = std::collections::BTreeMap::<u32, usize>::new();
    // The order inside of a batch is not guaranteed; this one is the least convenient.
    for (index, document) in documents.into_iter().enumerate().rev() {
        let revision = revision(server);
        let collection = collection(server, database, name);
        let outcome = match fault {
            Some(Fault::LockSome { every }) if index % every == 0 => Err(No(409, 1200, "write-write conflict")),
            Some(Fault::RefuseSome { every, number }) if index % every == 0 => Err(No(400, number, "a trap")),
            _ => insert_one(collection, request, document, revision),
        };
        answers[index] = outcome.unwrap_or_else(|No(_, number, message)| {
            *numbers.entry(number).or_default() += 1;
            json!({"error": true, "errorNum": number, "errorMessage": message})
        });
    }
    let mut reply = Reply::new(status, Value::Null);
    if !numbers.is_empty() {
        let counts: Map<String, Value> =
            numbers.iter().map(|(number, count)| (number.to_string(), json!(count))).collect();
        reply.headers.push(("x-arango-error-codes", Value::Object(counts).to_string()));
    }
    reply.body = if request.flag("silent", false) || fault == Some(Fault::Silent) {
        answers.retain(|answer| answer["error"] == true);
        if answers.is_empty() { json!({}) } else { Value::Array(answers) }
    } else {
        Value::Array(answers)
    };
    Ok(reply)
}

fn insert_one(collection: &mut Collection, request: &Request, body: Value, revision: String) -> Result<Value, No> {
    let Value::Object(mut fields) = body else { return Err(No(400, 1227, "invalid document type")) };
    let key = match fields.remove("_key") {
        None => format!("{}", 100_000 + collection.documents.len()),
        Some(Value::String(key)) if is_key(&key) => key,
        Some(_) => return Err(No(400, 1221, "illegal document key")),
    };
    fields.remove("_id");
    fields.remove("_rev");
    let is_end = |end: &str| fields.get(end).and_then(Value::as_str).is_some_and(|id| id.split_once('/').is_some());
    if collection.is_edges && !(is_end("_from") && is_end("_to")) {
        return Err(No(400, 1233, "edge attribute missing or invalid"));
    }
    let mode = request.query.get("overwriteMode").map_or("conflict", String::as_str);
    let id = format!("{}/{key}", collection.name);
    let fresh = Stored { id, key: key.clone(), revision, fields };
    let Some(old) = collection.documents.get(&key).cloned() else {
        let identity = fresh.identity();
        collection.documents.insert(key, fresh);
        return Ok(identity);
    };
    match mode {
        "ignore" => Ok(old.identity()),
        "replace" if !is_newer(request, &old.fields, &fresh.fields) => {
            let mut answer = old.identity();
            answer["_oldRev"] = json!(old.revision);
            Ok(answer)
        }
        "replace" => {
            let mut answer = fresh.identity();
            answer["_oldRev"] = json!(old.revision);
            if request.flag("returnOld", false) {
                answer["old"] = old.whole();
            }
            collection.documents.insert(key, fresh);
            Ok(answer)
        }
        "conflict" => Err(No(409, 1210, "unique constraint violated - in index primary of type primary")),
        _ => Err(No(400, 10, "bad parameter")),
    }
}

/// A version that is no number does not count, on either side: then the write is applied.
fn is_newer(request: &Request, old: &Map<String, Value>, fresh: &Map<String, Value>) -> bool {
    let Some(attribute) = request.query.get("versionAttribute") else { return true };
    let number =
        |fields: &Map<String, Value>| fields.get(attribute).and_then(Value::as_f64).filter(|number| *number >= 0.0);
    match (number(old), number(fresh)) {
        (Some(old), Some(fresh)) => fresh.floor() > old.floor(),
        _ => true,
    }
}

/// Replaces a document or, with PATCH, the fields that are named.
pub(super) fn change(
    server: &mut Server,
    request: &Request,
    database: &str,
    name: &str,
    key: &str,
) -> Result<Reply, No> {
    let Value::Object(mut fields) = request.json()? else { return Err(No(400, 1227, "invalid document type")) };
    let found = server.databases[database].collections.get(name).ok_or(NO_COLLECTION)?;
    let old = found.documents.get(key).cloned().ok_or(NO_DOCUMENT)?;
    if request.if_match.as_ref().is_some_and(|expected| *expected != old.revision) {
        let mut reply = Reply::from(No(412, 1200, "conflict, _rev values do not match"));
        for name in ["_id", "_key", "_rev"] {
            reply.body[name] = old.identity()[name].clone();
        }
        return Ok(reply);
    }
    for name in ["_id", "_key", "_rev"] {
        fields.remove(name);
    }
    let mut whole = Map::new();
    if request.method == axum::http::Method::PATCH {
        whole.clone_from(&old.fields);
        let merges = request.flag("mergeObjects", true);
        for (name, value) in fields {
            match (whole.get_mut(&name), value) {
                (Some(Value::Object(before)), Value::Object(after)) if merges => before.extend(after),
                (_, Value::Null) if !request.flag("keepNull", true) => drop(whole.remove(&name)),
                (_, value) => drop(whole.insert(name, value)),
            }
        }
    } else {
        whole.extend(fields);
    }
    let revision = revision(server);
    let fresh = Stored { revision, fields: whole, ..old.clone() };
    let mut answer = fresh.identity();
    answer["_oldRev"] = json!(old.revision);
    collection(server, database, name).documents.insert(key.to_owned(), fresh);
    Ok(Reply::new(written(request), answer))
}

fn written(request: &Request) -> u16 {
    if request.flag("waitForSync", false) { 201 } else { 202 }
}

fn revision(server: &mut Server) -> String {
    format!("_j{:x}---", server.number())
}

fn collection<'a>(server: &'a mut Server, database: &str, name: &str) -> &'a mut Collection {
    let database = server.databases.get_mut(database).expect("the path was checked");
    database.collections.get_mut(name).expect("the collection was looked at")
}

const NO_DOCUMENT: No = No(404, 1202, "document not found");

/// # Source
/// <https://docs.arangodb.com/3.12/concepts/data-structure/documents/#document-keys>
fn is_key(key: &str) -> bool {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.@()+,=;$!*'%:".contains(&byte);
    (1..=254).contains(&key.len()) && key.bytes().all(sound)
}
