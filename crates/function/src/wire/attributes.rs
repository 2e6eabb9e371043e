//! The rules for context attributes, the same in both modes.
//!
//! # Source
//! <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md#context-attributes>

use chrono::{DateTime, Utc};
use cloudevents::{AttributesWriter, EventBuilder, EventBuilderV10};
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
    require(|name| map.contains_key(name))?;
    if map["specversion"] != "1.0" {
        return Err(unsupported_version());
    }
    serde_json::from_value(Value::Object(map)).map_err(|error| invalid(&error))
}

/// Builds the event of attributes that are all texts, without data, after checking the same rules.
pub(super) fn event_of_texts(attributes: Vec<(&str, String)>) -> Result<Event, Refusal> {
    for (name, text) in &attributes {
        check_name(name)?;
        check_text(name, text)?;
    }
    require(|wanted| attributes.iter().any(|(name, _)| *name == wanted))?;
    let mut builder = EventBuilderV10::new();
    let (mut time, mut schema) = (None, None);
    for (name, text) in attributes {
        builder = match name {
            "specversion" if text != "1.0" => return Err(unsupported_version()),
            "specversion" => builder,
            "id" => builder.id(text),
            "source" => builder.source(text),
            "type" => builder.ty(text),
            "subject" => builder.subject(text),
            // Twice parsed, as it is checked before: few events come with a time.
            "time" => {
                time = Some(parse_time(&text)?);
                builder
            }
            "dataschema" => {
                schema = Some(text);
                builder
            }
            _ => builder.extension(name, text),
        };
    }
    let mut event = builder.build().map_err(|error| invalid(&error))?;
    event.set_time(time);
    if let Some(schema) = schema {
        let schema = schema.parse::<reqwest::Url>().map_err(|error| invalid(&error))?;
        event.set_dataschema(Some(schema));
    }
    Ok(event)
}

/// Refuses an event without what every event has.
fn require(has: impl Fn(&str) -> bool) -> Result<(), Refusal> {
    match ["specversion", "id", "source", "type"].into_iter().find(|name| !has(name)) {
        Some(name) => Err(Refusal::bad_request("MISSING_ATTRIBUTE", format!("attribute `{name}` is missing"))),
        None => Ok(()),
    }
}

fn unsupported_version() -> Refusal {
    Refusal::bad_request("UNSUPPORTED_SPECVERSION", "only specversion 1.0 is supported")
}

fn invalid(error: &dyn std::error::Error) -> Refusal {
    Refusal::bad_request("INVALID_ATTRIBUTE", format!("the event is not valid: {error}"))
}

fn parse_time(text: &str) -> Result<DateTime<Utc>, Refusal> {
    let time = DateTime::parse_from_rfc3339(text);
    time.map(DateTime::from)
        .map_err(|_| Refusal::bad_request("INVALID_TIME", "attribute `time` is not an RFC 3339 timestamp"))
}

/// Longer values are not carried by every intermediary; the specification itself sets no bound.
///
/// # Units
/// Bytes.
const LONGEST_VALUE: usize = 4096;

/// Attributes of the specification that must not be empty where they are given.
const NEVER_EMPTY: [&str; 7] = ["id", "source", "type", "specversion", "subject", "dataschema", "datacontenttype"];

fn check(name: &str, value: &Value) -> Result<(), Refusal> {
    check_name(name)?;
    match value {
        Value::String(text) => check_text(name, text),
        Value::Bool(_) | Value::Number(_) if name != "time" && !NEVER_EMPTY.contains(&name) => Ok(()),
        _ => Err(unfit(format!("attribute `{name}` has the wrong type"))),
    }
}

fn check_name(name: &str) -> Result<(), Refusal> {
    if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
        return Ok(());
    }
    Err(unfit(format!("attribute name `{}` is not lower-case letters and digits", printable(name))))
}

fn check_text(name: &str, text: &str) -> Result<(), Refusal> {
    if text.is_empty() && NEVER_EMPTY.contains(&name) {
        return Err(Refusal::bad_request("EMPTY_ATTRIBUTE", format!("attribute `{name}` is empty")));
    }
    if text.len() > LONGEST_VALUE {
        return Err(unfit(format!("attribute `{name}` is longer than {LONGEST_VALUE} bytes")));
    }
    if text.chars().any(char::is_control) {
        return Err(unfit(format!("attribute `{name}` holds control characters")));
    }
    match name {
        "source" if text.contains(char::is_whitespace) => {
            Err(unfit("attribute `source` is not a URI reference".to_owned()))
        }
        "time" => parse_time(text).map(drop),
        _ => Ok(()),
    }
}

fn unfit(reason: String) -> Refusal {
    Refusal::bad_request("INVALID_ATTRIBUTE", reason)
}

fn printable(name: &str) -> String {
    name.chars().take(64).map(|character| if character.is_control() { '?' } else { character }).collect()
}
