//! `CloudEvents` over Kafka: from a record of the log to a checked event, for jobs that read the log themselves.
//!
//! # Source
//! <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md>

use axum::http::{HeaderMap, HeaderName, HeaderValue, header::CONTENT_TYPE};
use streamforge_events::Event;

use super::{decode, header_text};
use crate::answer::Refusal;

/// Reads one event from the headers and the value of a record, in binary or in structured mode.
///
/// The event is the one that a function would get: the data plane passes values on as they are recorded, so that what
/// was percent-encoded on the way in still is.
///
/// # Errors
/// As [`decode`].
pub fn decode_record<'a>(
    headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    value: &[u8],
) -> Result<Event, Refusal> {
    let mut request = HeaderMap::new();
    for (name, value) in headers {
        let header = if name.eq_ignore_ascii_case(CONTENT_TYPE.as_str()) {
            CONTENT_TYPE
        } else if let Some(attribute) = name.strip_prefix("ce_") {
            let invalid = |_| Refusal::bad_request("INVALID_ATTRIBUTE", format!("header `{name}` is no attribute"));
            HeaderName::try_from(format!("ce-{attribute}")).map_err(invalid)?
        } else {
            continue;
        };
        if request.contains_key(&header) {
            let reason = format!("header `{name}` is given more than once");
            return Err(Refusal::bad_request("DUPLICATE_ATTRIBUTE", reason));
        }
        let unreadable = || Refusal::bad_request("INVALID_ATTRIBUTE", format!("header `{name}` is not UTF-8"));
        let text = std::str::from_utf8(value).map_err(|_| unreadable())?;
        let is_visible = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        let value = if is_visible { text.to_owned() } else { header_text::encode(text) };
        request.insert(header, HeaderValue::try_from(value).map_err(|_| unreadable())?);
    }
    decode(&request, value)
}

#[cfg(test)]
mod tests {
    use streamforge_events::{AttributesReader, extension};

    use super::*;

    const SOUND: [(&str, &[u8]); 6] = [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"a%20b"),
        ("ce_source", b"/streamforge/queue-manager"),
        ("ce_type", b"io.streamforge.control.start.v1"),
        ("ce_task", "Zoë".as_bytes()),
        ("content-type", b"application/json"),
    ];

    #[test]
    fn a_record_is_the_event_that_a_function_would_get() {
        let other: (&str, &[u8]) = ("trace", b"\xff");
        let event = decode_record(SOUND.into_iter().chain([other]), br#"{"a":1}"#).unwrap();
        assert_eq!((event.id(), extension(&event, "task").as_deref()), ("a b", Some("Zoë")));
        let structured = r#"{"specversion": "1.0", "id": "i", "source": "/s", "type": "t", "data": {"a": 1}}"#;
        let content_type: (&str, &[u8]) = ("Content-Type", b"application/cloudevents+json");
        assert_eq!(decode_record([content_type], structured.as_bytes()).unwrap().id(), "i");
    }

    #[test]
    fn what_is_no_event_is_refused() {
        let refused = |headers: Vec<(&str, &[u8])>, body: &[u8]| decode_record(headers, body).unwrap_err().code;
        assert_eq!(refused(vec![], b"{}"), "NOT_A_CLOUDEVENT");
        let with = |header: (&'static str, &'static [u8])| SOUND.into_iter().chain([header]).collect();
        assert_eq!(refused(with(("ce_id", b"2")), b"{}"), "DUPLICATE_ATTRIBUTE");
        assert_eq!(refused(with(("ce_subject", b"\xff")), b"{}"), "INVALID_ATTRIBUTE");
        assert_eq!(refused(SOUND.to_vec(), b"{"), "INVALID_JSON");
    }
}
