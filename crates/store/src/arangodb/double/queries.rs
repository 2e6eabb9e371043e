//! The queries of this crate, each by its exact text, and the cursors over their rows.
//!
//! Texts are compared without regard to case at first, as a language would, which is how the server compares them.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet, VecDeque},
};

use serde_json::{Value, json};

use super::{
    request::{No, Reply, Request},
    state::{Database, Server},
};
use crate::arangodb::aql;

/// Rows of a query; each is a document, or what the query makes of it.
type Rows = Vec<Value>;

pub(super) fn ask(server: &mut Server, request: &Request, database: &str) -> Result<Reply, No> {
    let body = request.json()?;
    let text = body["query"].as_str().ok_or(No(400, 600, "expecting a query"))?;
    let variables = &body["bindVars"];
    let batch_size = body["batchSize"].as_u64().map_or(1000, |size| usize::try_from(size).unwrap_or(usize::MAX));
    if batch_size == 0 {
        return Err(No(400, 10, "batchSize must be positive"));
    }
    let given: BTreeSet<&str> =
        variables.as_object().map(|given| given.keys().map(String::as_str).collect()).unwrap_or_default();
    if given != declared(text) {
        return Err(No(400, 1552, "bind parameters do not match"));
    }
    let Some(run) = known(text) else {
        server.unknown.push(text.to_owned());
        return Err(No(501, 9, "the double does not know this query"));
    };
    let rows = run(server.databases.get_mut(database).expect("the path was checked"), variables);
    let size = batch_size.min(server.cursor_rows);
    let mut batches: VecDeque<Rows> = rows.chunks(size).map(<[Value]>::to_vec).collect();
    let first = batches.pop_front().unwrap_or_default();
    let mut reply = json!({"result": first, "hasMore": !batches.is_empty(), "cached": false, "extra": {}});
    if !batches.is_empty() {
        let id = server.number().to_string();
        reply["id"] = json!(id);
        server.cursors.insert(id, batches);
    }
    Ok(Reply::marked(201, reply))
}

pub(super) fn next(server: &mut Server, id: &str) -> Result<Reply, No> {
    let batches = server.cursors.get_mut(id).ok_or(NO_CURSOR)?;
    let batch = batches.pop_front().ok_or(NO_CURSOR)?;
    let mut reply = json!({"result": batch, "hasMore": !batches.is_empty(), "cached": false, "extra": {}});
    if batches.is_empty() {
        server.cursors.remove(id);
    } else {
        reply["id"] = json!(id);
    }
    Ok(Reply::marked(200, reply))
}

pub(super) fn forget(server: &mut Server, id: &str) -> Result<Reply, No> {
    server.cursors.remove(id).ok_or(NO_CURSOR)?;
    Ok(Reply::marked(202, json!({"id": id})))
}

const NO_CURSOR: No = No(404, 1600, "cursor not found");

const KLINE: [&str; 12] = [
    "open_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "close_time",
    "quote_asset_volume",
    "number_of_trades",
    "taker_buy_base_asset_volume",
    "taker_buy_quote_asset_volume",
    "version",
];

const TRADE: [&str; 6] = ["trade_id", "price", "quantity", "timestamp", "is_buyer_maker", "version"];

/// The names behind each `@` of a query.
fn declared(text: &str) -> BTreeSet<&str> {
    let name =
        |part: &'_ str| part.len() - part.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_').len();
    text.split('@').skip(1).map(|part| &part[..name(part)]).collect()
}

fn known(text: &str) -> Option<fn(&mut Database, &Value) -> Rows> {
    let run: fn(&mut Database, &Value) -> Rows = match text {
        aql::KLINES => |database, variables| arrays(candles(database, variables), &KLINE),
        aql::KLINES_BEFORE => |database, variables| {
            let mut rows = candles(database, &unlimited(variables));
            rows.reverse();
            arrays(limited(rows, variables), &KLINE)
        },
        aql::CLOSES => |database, variables| arrays(candles(database, variables), &["open_time", "close"]),
        aql::OPEN_TIMES => {
            |database, variables| candles(database, variables).into_iter().map(|row| row["open_time"].clone()).collect()
        }
        aql::TRADES => trades,
        aql::TRADES_BEFORE => trades_before,
        aql::TRADE_NUMBERS => trade_numbers,
        aql::SERIES => |database, _| arrays(all(database, "series"), &["symbol", "kind", "interval"]),
        aql::WORKFLOWS => workflows,
        aql::STATUSES => statuses,
        aql::OVERDUE => overdue,
        aql::GRAPHS => |database, variables| {
            let mut rows = all(database, "graphs");
            rows.sort_by(|a, b| by(b, a, "version").then(by(b, a, "id")));
            limited(rows, variables)
        },
        aql::NODES => |database, variables| {
            let fields = ["position", "symbol", "observations", "mean_return", "volatility"];
            arrays(parts(database, "assets", variables), &fields)
        },
        aql::EDGES => |database, variables| {
            let fields = ["position", "from", "to", "correlation", "weight", "observations"];
            arrays(parts(database, "asset_relations", variables), &fields)
        },
        aql::NEIGHBOURS => neighbours,
        aql::DROP_NODES => |database, variables| drop_parts(database, "assets", variables),
        aql::DROP_EDGES => |database, variables| drop_parts(database, "asset_relations", variables),
        aql::PREDICTIONS => predictions,
        aql::GAPS => gaps,
        _ => return None,
    };
    Some(run)
}

fn all(database: &Database, collection: &str) -> Rows {
    database
        .collections
        .get(collection)
        .map(|found| found.documents.values().map(super::state::Stored::whole).collect())
        .unwrap_or_default()
}

fn arrays(rows: Rows, fields: &[&str]) -> Rows {
    rows.into_iter().map(|row| fields.iter().map(|field| row[*field].clone()).collect()).collect()
}

fn limited(mut rows: Rows, variables: &Value) -> Rows {
    rows.truncate(variables["limit"].as_u64().map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX)));
    rows
}

/// The same variables without a limit.
fn unlimited(variables: &Value) -> Value {
    let mut variables = variables.clone();
    variables["limit"] = Value::Null;
    variables
}

fn candles(database: &mut Database, variables: &Value) -> Rows {
    let Some(candles) = database.collections.get("candles") else { return Rows::new() };
    let (from, to) = (text(&variables["from"]), text(&variables["to"]));
    let found = candles.documents.values().filter(|stored| {
        stored.fields["symbol"] == variables["symbol"]
            && stored.fields["interval"] == variables["interval"]
            && collate(&stored.key, from).is_ge()
            && collate(&stored.key, to).is_lt()
    });
    let mut found: Vec<_> = found.collect();
    found.sort_by(|a, b| collate(&a.key, &b.key));
    let limit = variables["limit"].as_u64().map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    found.into_iter().take(limit).map(super::state::Stored::whole).collect()
}

fn trades(database: &mut Database, variables: &Value) -> Rows {
    let mut rows = all(database, "trades");
    let (time, id) = (&variables["time"], &variables["id"]);
    rows.retain(|row| {
        row["symbol"] == variables["symbol"]
            && order(&row["timestamp"], &variables["from"]).is_ge()
            && order(&row["timestamp"], &variables["to"]).is_lt()
            && (order(&row["timestamp"], time).is_gt() || order(&row["trade_id"], id).is_gt())
    });
    rows.sort_by(|a, b| by(a, b, "timestamp").then(by(a, b, "trade_id")));
    arrays(limited(rows, variables), &TRADE)
}

fn trades_before(database: &mut Database, variables: &Value) -> Rows {
    let mut rows = all(database, "trades");
    rows.retain(|row| {
        order(&row["_key"], &variables["from"]).is_ge()
            && order(&row["_key"], &variables["last"]).is_le()
            && row["symbol"] == variables["symbol"]
    });
    rows.sort_by(|a, b| by(b, a, "_key"));
    arrays(limited(rows, variables), &TRADE)
}

fn trade_numbers(database: &mut Database, variables: &Value) -> Rows {
    let mut rows = all(database, "trades");
    rows.retain(|row| {
        order(&row["_key"], &variables["after"]).is_gt()
            && order(&row["_key"], &variables["last"]).is_le()
            && row["symbol"] == variables["symbol"]
            && order(&row["timestamp"], &variables["from"]).is_ge()
            && order(&row["timestamp"], &variables["to"]).is_lt()
    });
    rows.sort_by(|a, b| by(a, b, "_key"));
    arrays(limited(rows, variables), &["trade_id", "timestamp"])
}

fn workflows(database: &mut Database, variables: &Value) -> Rows {
    let mut rows = all(database, "queue_state");
    rows.retain(|row| {
        let age = order(&row["created_at"], &variables["time"]);
        (variables["status"].is_null() || row["status"] == variables["status"])
            && (age.is_lt() || age.is_eq() && order(&row["id"], &variables["id"]).is_lt())
    });
    rows.sort_by(|a, b| by(b, a, "created_at").then(by(b, a, "id")));
    limited(rows, variables)
}

fn statuses(database: &mut Database, _: &Value) -> Rows {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for row in all(database, "queue_state") {
        *counts.entry(row["status"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    counts.into_iter().map(|(status, count)| json!([status, count])).collect()
}

fn overdue(database: &mut Database, variables: &Value) -> Rows {
    let mut rows = all(database, "queue_state");
    rows.retain(|row| !row["next_deadline"].is_null() && order(&row["next_deadline"], &variables["now"]).is_le());
    rows.sort_by(|a, b| by(a, b, "next_deadline").then(by(a, b, "id")));
    rows
}

fn parts(database: &mut Database, collection: &str, variables: &Value) -> Rows {
    let mut rows = all(database, collection);
    rows.retain(|row| {
        row["graph_key"] == variables["graph"]
            && row["generation"] == variables["generation"]
            && order(&row["position"], &variables["after"]).is_gt()
    });
    rows.sort_by(|a, b| by(a, b, "position"));
    limited(rows, variables)
}

fn neighbours(database: &mut Database, variables: &Value) -> Rows {
    let mut rows = Rows::new();
    let symbol = |id: &Value| {
        let key = text(id).strip_prefix("assets/").unwrap_or_default();
        database.collections["assets"].documents.get(key).map_or(Value::Null, |stored| stored.fields["symbol"].clone())
    };
    for start in variables["ring"].as_array().into_iter().flatten() {
        for edge in all(database, "asset_relations") {
            for (near, far) in [("_from", "_to"), ("_to", "_from")] {
                if edge[near] == *start {
                    rows.push(json!([start, symbol(&edge[far]), edge["correlation"], edge["weight"]]));
                }
            }
        }
    }
    // A traversal promises no order among the edges of one vertex.
    rows.reverse();
    rows
}

fn drop_parts(database: &mut Database, collection: &str, variables: &Value) -> Rows {
    if let Some(found) = database.collections.get_mut(collection) {
        found.documents.retain(|_, stored| {
            stored.fields["graph_key"] != variables["graph"]
                || order(&stored.fields["version"], &variables["version"]).is_gt()
                || stored.fields["generation"] == variables["generation"]
        });
    }
    Rows::new()
}

fn predictions(database: &mut Database, variables: &Value) -> Rows {
    let mut rows = all(database, "predictions");
    let fits =
        |row: &Value, variable: &str, field: &str| variables[variable].is_null() || row[field] == variables[variable];
    rows.retain(|row| {
        order(&row["order"], &variables["after"]).is_gt()
            && order(&row["order"], &variables["end"]).is_lt()
            && fits(row, "model", "model")
            && fits(row, "version", "model_version")
            && fits(row, "split", "split")
            && fits(row, "symbol", "symbol")
            && fits(row, "interval", "interval")
            && order(&row["open_time"], &variables["from"]).is_ge()
            && order(&row["open_time"], &variables["to"]).is_lt()
    });
    rows.sort_by(|a, b| by(a, b, "order"));
    limited(rows, variables)
}

fn gaps(database: &mut Database, variables: &Value) -> Rows {
    let mut rows = all(database, "gaps");
    rows.retain(|row| {
        order(&row["order"], &variables["after"]).is_gt()
            && order(&row["order"], &variables["end"]).is_lt()
            && (variables["stream"].is_null() || row["stream"] == variables["stream"])
            && order(&row["to"], &variables["first"]).is_ge()
            && order(&row["from"], &variables["last"]).is_le()
    });
    rows.sort_by(|a, b| by(a, b, "order"));
    limited(rows, variables)
}

fn by(a: &Value, b: &Value, field: &str) -> Ordering {
    order(&a[field], &b[field])
}

/// Null before numbers before texts.
///
/// # Source
/// <https://docs.arangodb.com/3.12/aql/fundamentals/type-and-value-order/>
fn order(a: &Value, b: &Value) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    };
    match (a, b) {
        (Value::String(a), Value::String(b)) => collate(a, b),
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => a.as_f64().unwrap_or_default().total_cmp(&b.as_f64().unwrap_or_default()),
        },
        _ => rank(a).cmp(&rank(b)),
    }
}

/// Letters without their case first, then lower case before upper case.
fn collate(a: &str, b: &str) -> Ordering {
    let folded = |byte: u8| byte.to_ascii_lowercase();
    a.bytes().map(folded).cmp(b.bytes().map(folded)).then_with(|| b.cmp(a))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
