//! The rules for context attributes, the same in both modes.
//!
//! # Source
//! <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md#context-attributes>

use chrono::DateTime;
use serde_json::{Map, Value};
use streamforge_events::Event;

use crate::answer::Refusal;

/// Builds the event of these attributes, `data` and `data_base64` among them, after checking every rule.
pub(super) fn event(map: Map<String, Value>) -> Result<Event, Refusal> {
    for (name, value) in &map {
        if !matches!(name.as_str(), "data" | "data_base64") {
            check(name, value)?;
        }
    }
    for name in ["specversion", "id", "source", "type"] {
        if !map.contains_key(name) {
            let reason = format!("attribute `{name}` is missing");
            return Err(Refusal::bad_request("MISSING_ATTRIBUTE", reason));
        }
    }
    if map["specversion"] != "1.0" {
        let reason = "only specversion 1.0 is supported";
        return Err(Refusal::bad_request("UNSUPPORTED_SPECVERSION", reason));
    }
    serde_json::from_value(Value::Object(map))
        .map_err(|error| Refusal::bad_request("INVALID_ATTRIBUTE", format!("the event is not valid: {error}")))
}

/// Longer values are not carried by every intermediary; the specification itself sets no bound.
///
/// # Units
/// Bytes.
const LONGEST_VALUE: usize = 4096;

/// Attributes of the specification that must not be empty where they are given.
const NEVER_EMPTY: [&str; 7] = ["id", "source", "type", "specversion", "subject", "dataschema", "datacontenttype"];

fn check(name: &str, value: &Value) -> Result<(), Refusal> {
    let invalid = |reason: String| Err(Refusal::bad_request("INVALID_ATTRIBUTE", reason));
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if name.is_empty() || !name.bytes().all(allowed) {
        return invalid(format!("attribute name `{}` is not lower-case letters and digits", printable(name)));
    }
    let is_core = name == "time" || NEVER_EMPTY.contains(&name);
    let text = match value {
        Value::String(text) => text,
        Value::Bool(_) | Value::Number(_) if !is_core => return Ok(()),
        _ => return invalid(format!("attribute `{name}` has the wrong type")),
    };
    if text.is_empty() && NEVER_EMPTY.contains(&name) {
        return Err(Refusal::bad_request("EMPTY_ATTRIBUTE", format!("attribute `{name}` is empty")));
    }
    if text.len() > LONGEST_VALUE {
        return invalid(format!("attribute `{name}` is longer than {LONGEST_VALUE} bytes"));
    }
    if text.chars().any(char::is_control) {
        return invalid(format!("attribute `{name}` holds control characters"));
    }
    if name == "source" && text.contains(char::is_whitespace) {
        return invalid("attribute `source` is not a URI reference".to_owned());
    }
    if name == "time" && DateTime::parse_from_rfc3339(text).is_err() {
        return Err(Refusal::bad_request("INVALID_TIME", "attribute `time` is not an RFC 3339 timestamp"));
    }
    Ok(())
}

fn printable(name: &str) -> String {
    name.chars().take(64).map(|character| if character.is_control() { '?' } else { character }).collect()
}
