//! A request as the server understands it, and its reply.

use std::collections::BTreeMap;

use axum::http::Method;
use bytes::Bytes;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

/// What was asked.
pub(super) struct Request {
    pub(super) method: Method,
    /// Path without query, as it was sent.
    pub(super) path: String,
    pub(super) query: BTreeMap<String, String>,
    pub(super) token: Option<String>,
    pub(super) if_match: Option<String>,
    pub(super) body: Bytes,
}

/// What is answered.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Value,
}

/// Why something was not done: status, number and words.
#[derive(Clone, Copy, Debug)]
pub(super) struct No(pub(super) u16, pub(super) u32, pub(super) &'static str);

impl Request {
    /// The database, and the parts of the path in it without their encoding.
    pub(super) fn place(&self) -> (String, Vec<String>) {
        let decoded = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
        let mut parts: Vec<String> = self.path.split('/').filter(|part| !part.is_empty()).map(decoded).collect();
        if parts.len() >= 2 && parts[0] == "_db" {
            let rest = parts.split_off(2);
            return (parts.swap_remove(1), rest);
        }
        ("_system".to_owned(), parts)
    }

    pub(super) fn flag(&self, name: &str, default: bool) -> bool {
        self.query.get(name).map_or(default, |value| matches!(value.as_str(), "true" | "1" | "yes" | "on"))
    }

    pub(super) fn json(&self) -> Result<Value, No> {
        serde_json::from_slice(&self.body).map_err(|_| No(400, 600, "VPackError error: Expecting digit"))
    }
}

impl Reply {
    pub(super) fn new(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body }
    }

    /// The reply with `error` and `code`, as most have it.
    pub(super) fn marked(status: u16, mut body: Value) -> Self {
        body["error"] = json!(false);
        body["code"] = json!(status);
        Self::new(status, body)
    }
}

impl From<No> for Reply {
    fn from(No(status, number, message): No) -> Self {
        let body = json!({"error": true, "code": status, "errorNum": number, "errorMessage": message});
        Self::new(status, body)
    }
}
