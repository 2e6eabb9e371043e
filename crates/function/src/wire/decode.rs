//! From headers and body to an event: binary and structured mode, refused with a reason where a rule is broken.
//!
//! The SDK's own reader accepts empty and repeated attributes, does not decode header values and takes a body of
//! any size, so only its event type and its JSON format are used.

use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use serde::de::IgnoredAny;
use serde_json::Value;
use streamforge_events::{Event, parse_json};

use super::{attributes, header_text, is_json, media_type};
use crate::answer::Refusal;

/// Reads one event; the caller has bounded the size of `body`.
///
/// # Errors
/// [`Refusal`] with 415 for a batch, another encoding or data that is not JSON, and 400 for whatever breaks a rule
/// of the specification.
pub fn decode(headers: &HeaderMap, body: &[u8]) -> Result<Event, Refusal> {
    if headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Err(unsupported("UNSUPPORTED_ENCODING", "the body must not be compressed"));
    }
    let content_type = single(headers, CONTENT_TYPE.as_str())?;
    let media_type = media_type(content_type.unwrap_or(JSON));
    match media_type.as_str() {
        "application/cloudevents+json" => structured(body),
        "application/cloudevents-batch+json" => {
            Err(unsupported("BATCH_MODE", "batch mode is not supported, send one event per request"))
        }
        other if other.starts_with("application/cloudevents") => {
            Err(unsupported("UNSUPPORTED_MEDIA_TYPE", "of the structured formats only JSON is supported"))
        }
        _ => binary(headers, content_type, body),
    }
}

const JSON: &str = "application/json";
const PREFIX: &str = "ce-";

fn binary(headers: &HeaderMap, content_type: Option<&str>, body: &[u8]) -> Result<Event, Refusal> {
    expect_json(content_type.unwrap_or(JSON))?;
    if !headers.contains_key("ce-specversion") {
        return Err(Refusal::bad_request("NOT_A_CLOUDEVENT", "header `ce-specversion` is missing"));
    }
    let mut texts = Vec::with_capacity(headers.keys_len());
    for header in headers.keys() {
        let Some(name) = header.as_str().strip_prefix(PREFIX) else {
            continue;
        };
        if matches!(name, "datacontenttype" | "data") {
            let reason = format!("header `ce-{name}` has no meaning, its content belongs elsewhere");
            return Err(Refusal::bad_request("INVALID_ATTRIBUTE", reason));
        }
        if let Some(value) = single(headers, header.as_str())? {
            texts.push((name, header_text::decode(name, value)?));
        }
    }
    let mut event = attributes::event_of_texts(texts)?;
    if !body.is_empty() {
        let text = std::str::from_utf8(body).map_err(|error| invalid_json(&error))?;
        serde_json::from_str::<IgnoredAny>(text).map_err(|error| invalid_json(&error))?;
        event.set_data(content_type.unwrap_or(JSON), body.to_vec());
    }
    Ok(event)
}

fn structured(body: &[u8]) -> Result<Event, Refusal> {
    let document = parse_json(body).map_err(|error| {
        let text = error.to_string();
        let code = if text.starts_with("duplicate field") { "DUPLICATE_ATTRIBUTE" } else { "INVALID_JSON" };
        Refusal::bad_request(code, format!("the event is not readable: {text}"))
    })?;
    let Value::Object(mut map) = document else {
        return Err(Refusal::bad_request("INVALID_JSON", "the event is not readable: it must be a JSON object"));
    };
    map.retain(|_, value| !value.is_null());
    if map.contains_key("data") && map.contains_key("data_base64") {
        let reason = "`data` and `data_base64` exclude each other";
        return Err(Refusal::bad_request("INVALID_ATTRIBUTE", reason));
    }
    if let Some(Value::String(content_type)) = map.get_mut("datacontenttype") {
        expect_json(content_type)?;
        if media_type(content_type).starts_with("application/cloudevents") {
            // In binary mode it would be taken for the event that it only carries.
            return Err(unsupported("UNSUPPORTED_MEDIA_TYPE", "the data of an event must not be an event"));
        }
        // The SDK compares media types by case.
        content_type.make_ascii_lowercase();
    }
    let event = attributes::event(map)?;
    if let Some(cloudevents::Data::Binary(_)) = event.data() {
        return Err(Refusal::bad_request("INVALID_JSON", "`data_base64` does not hold JSON"));
    }
    Ok(event)
}

/// Value of a header that may be given once.
fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let Some(first) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Refusal::bad_request("DUPLICATE_ATTRIBUTE", format!("header `{name}` is given more than once")));
    }
    let text = first.to_str().map_err(|_| {
        let reason = format!("header `{name}` holds characters that must be percent-encoded");
        Refusal::bad_request("INVALID_ATTRIBUTE", reason)
    })?;
    Ok(Some(text))
}

fn expect_json(content_type: &str) -> Result<(), Refusal> {
    if is_json(&media_type(content_type)) {
        return Ok(());
    }
    Err(unsupported("UNSUPPORTED_MEDIA_TYPE", "the data of an event must be JSON"))
}

fn unsupported(code: &'static str, reason: &str) -> Refusal {
    Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, code, reason)
}

fn invalid_json(error: &dyn std::error::Error) -> Refusal {
    Refusal::bad_request("INVALID_JSON", format!("the data is not JSON: {error}"))
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
