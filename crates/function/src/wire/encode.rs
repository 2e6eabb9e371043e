//! From an event to the headers and body of a request in binary mode.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use chrono::SecondsFormat;
use cloudevents::event::AttributeValue;
use cloudevents::{AttributesReader, Data};
use streamforge_events::Event;

use super::header_text;

/// Writes an event in binary mode.
///
/// # Errors
/// The name of the attribute that cannot be a header, or what is wrong with the data.
pub fn encode(event: &Event) -> Result<(HeaderMap, Vec<u8>), String> {
    let mut headers = HeaderMap::new();
    for (name, value) in event.iter() {
        if name == "datacontenttype" {
            continue;
        }
        let text = match value {
            AttributeValue::Time(time) => time.to_rfc3339_opts(SecondsFormat::AutoSi, true),
            other => other.to_string(),
        };
        let unfit = || format!("attribute `{name}` cannot be written as a header");
        let header = HeaderName::try_from(format!("ce-{name}")).map_err(|_| unfit())?;
        let value = HeaderValue::try_from(header_text::encode(&text)).map_err(|_| unfit())?;
        headers.insert(header, value);
    }
    let body = match event.data() {
        None => return Ok((headers, Vec::new())),
        Some(Data::Binary(bytes)) => bytes.clone(),
        Some(Data::String(text)) => text.clone().into_bytes(),
        Some(Data::Json(value)) => serde_json::to_vec(value).map_err(|error| error.to_string())?,
    };
    let content_type = HeaderValue::try_from(event.datacontenttype().unwrap_or("application/json"))
        .map_err(|_| "attribute `datacontenttype` cannot be written as a header".to_owned())?;
    headers.insert(CONTENT_TYPE, content_type);
    Ok((headers, body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::decode;

    #[test]
    fn what_is_encoded_decodes_to_the_same_event() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("ce-specversion", "1.0"),
            ("ce-id", "a%20b"),
            ("ce-source", "/streamforge/echo"),
            ("ce-type", "io.streamforge.queue.reported.v1"),
            ("ce-subject", "%E8%BF%99"),
            ("ce-time", "2024-06-01T00:00:00.123Z"),
            ("ce-partitionkey", "wf-1"),
            ("content-type", "application/json"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let event = decode(&headers, br#"{"a":"1.00"}"#).unwrap();
        let (encoded, body) = encode(&event).unwrap();
        assert_eq!(encoded, headers);
        assert_eq!(decode(&encoded, &body).unwrap(), event);
    }
}
