//! Statuses of the ingress and the records that its requests become.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    measured,
    platform::{Platform, broker, shown},
    raw_http, rows,
};

const STRUCTURED: &str = "application/cloudevents+json";
const EVENT: &str =
    r#"{"specversion":"1.0","id":"i","source":"/s","type":"ing","datacontenttype":"application/json","data":{}}"#;

/// One request of a row.
struct Request {
    method: &'static str,
    path: String,
    headers: BTreeMap<&'static str, String>,
    body: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ingress_answers_and_records_as_measured() {
    let measured = measured();
    let rows = rows(&measured, "ingress");
    let brokers: Vec<Value> = rows.iter().map(|(name, _)| broker(&broker_of(name))).collect();
    let platform = Platform::start(&brokers).await;
    for (name, row) in &rows {
        let request = request(name);
        let headers: Vec<(&str, &str)> = request.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let body = request.body.as_bytes();
        let answer = raw_http::send(platform.address, request.method, &request.path, &headers, body).await;
        assert_eq!(u64::from(answer.status()), row["status"], "{name}");
        assert_eq!(answer.body, b"", "{name}");
        let records: Vec<Value> = platform.records(&broker_of(name)).await.iter().map(shown).collect();
        let expected = match &row["record"] {
            // The recording shows no record for structured requests; they are to become the same as binary ones.
            Value::Null if row["status"] == 202 => {
                vec![measured["ingress"]["binary"]["record"].clone()]
            }
            Value::Null => Vec::new(),
            record => vec![record.clone()],
        };
        let expected: Vec<Value> = expected.into_iter().map(cut).collect();
        assert_eq!(records, expected, "{name}");
    }
    assert_eq!(rows.len(), 32);
}

/// The rows show the first characters of a value.
fn cut(mut record: Value) -> Value {
    let value: String = record["value"].as_str().unwrap_or_default().chars().take(60).collect();
    record["value"] = json!(value);
    record
}

fn broker_of(row: &str) -> String {
    row.replace('.', "-")
}

fn request(row: &str) -> Request {
    let mut request = Request {
        method: "POST",
        path: format!("/default/{}", broker_of(row)),
        headers: [
            ("ce-specversion", "1.0"),
            ("ce-id", "i"),
            ("ce-source", "/s"),
            ("ce-type", "ing"),
            ("content-type", "application/json"),
        ]
        .into_iter()
        .map(|(name, value)| (name, value.to_owned()))
        .collect(),
        body: "{}".to_owned(),
    };
    let mut set = |name, value: &str| {
        request.headers.insert(name, value.to_owned());
    };
    match row {
        "specversion-0.3" => set("ce-specversion", "0.3"),
        "specversion-9" => set("ce-specversion", "9"),
        "empty-id" => set("ce-id", ""),
        "empty-type" => set("ce-type", ""),
        "bad-time" => set("ce-time", "yesterday"),
        "bad-source-uri" => set("ce-source", "not a URI"),
        "upper-ext" => set("ce-Color", "red"),
        "ext-underscore" => set("ce-my_ext", "x"),
        "percent" => set("ce-subject", "%E2%82%AC"),
        "not-json-body" => "{not json".clone_into(&mut request.body),
        "no-body" => request.body.clear(),
        "900k" => request.body = format!("\"{}\"", "x".repeat(900_000)),
        "1100k" => request.body = format!("\"{}\"", "x".repeat(1_100_000)),
        "no-id" => drop(request.headers.remove("ce-id")),
        "no-type" => drop(request.headers.remove("ce-type")),
        "no-source" => drop(request.headers.remove("ce-source")),
        "no-specversion" => drop(request.headers.remove("ce-specversion")),
        "plain-post" => request.headers.retain(|name, _| *name == "content-type"),
        "structured" => request.document(STRUCTURED, EVENT),
        "structured-charset" => {
            request.document("application/cloudevents+json; charset=utf-8", EVENT);
        }
        "structured-broken" => request.document(STRUCTURED, "{\"specversion\""),
        "structured-no-id" => request.document(STRUCTURED, &EVENT.replace("\"id\":\"i\",", "")),
        "batch" => {
            request.document("application/cloudevents-batch+json", &format!("[{EVENT}]"));
        }
        "get" => request.method = "GET",
        "put" => request.method = "PUT",
        "options" => request.method = "OPTIONS",
        "unknown-broker" => "/default/nobody".clone_into(&mut request.path),
        "root" => "/".clone_into(&mut request.path),
        "trailing-slash" => request.path.push('/'),
        "healthz" | "readyz" => {
            request.method = "GET";
            request.path = format!("/{row}");
        }
        "binary" => {}
        _ => panic!("row {row} has no request here"),
    }
    request
}

impl Request {
    fn document(&mut self, content_type: &str, body: &str) {
        self.headers = [("content-type", content_type.to_owned())].into();
        body.clone_into(&mut self.body);
    }
}
