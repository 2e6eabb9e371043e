//! Events as HTTP messages: binary and structured in, binary out.
//!
//! Source: <https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/http-protocol-binding.md>

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header::CONTENT_TYPE};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::{Malformed, Message};

/// What the HTTP binding asks to escape; anything beyond ASCII always is.
const ESCAPED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');

impl Message {
    /// Whether the headers claim to belong to an event at all.
    #[must_use]
    pub fn is_announced(headers: &HeaderMap) -> bool {
        let is_structured = headers.get(CONTENT_TYPE).is_some_and(|value| {
            let value = value.as_bytes().to_ascii_lowercase();
            value.starts_with(b"application/cloudevents")
        });
        is_structured || headers.contains_key("ce-specversion")
    }

    /// Reads a request or an answer, in binary or in structured mode.
    ///
    /// Percent escapes in headers stay as they are, because the next hop gets them unchanged.
    ///
    /// # Errors
    /// [`Malformed`] if it is no single `CloudEvent`.
    pub fn from_http(headers: &HeaderMap, body: Bytes) -> Result<Self, Malformed> {
        let mut message = Self { body, ..Self::default() };
        if headers.get_all(CONTENT_TYPE).iter().nth(1).is_some() {
            return Err(Malformed("header content-type occurs twice".to_owned()));
        }
        if let Some(value) = headers.get(CONTENT_TYPE) {
            message.content_type = Some(text(&CONTENT_TYPE, value)?.to_owned());
        }
        if message.is_json_event() {
            return Self::from_json(&message.body);
        }
        if message.is_structured() {
            return Err(Malformed("only single JSON events are understood".to_owned()));
        }
        for (name, value) in headers {
            let Some(attribute) = name.as_str().strip_prefix("ce-") else {
                continue;
            };
            if message.attribute(attribute).is_some() {
                return Err(Malformed(format!("header {name} occurs twice")));
            }
            message.set(attribute, text(name, value)?);
        }
        message.validated()
    }

    /// Headers of a request in binary mode.
    ///
    /// Values of visible ASCII go as they are recorded. Others can only have come by structured mode or from another
    /// writer of the topic, so they are escaped here.
    #[must_use]
    pub fn to_headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(self.attributes.len() + 4);
        for (name, value) in &self.attributes {
            let name = HeaderName::try_from(format!("ce-{name}"));
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&escaped(value))) {
                headers.insert(name, value);
            }
        }
        if let Some(content_type) = &self.content_type
            && let Ok(value) = HeaderValue::from_str(&escaped(content_type))
        {
            headers.insert(CONTENT_TYPE, value);
        }
        headers
    }
}

fn text<'a>(name: &HeaderName, value: &'a HeaderValue) -> Result<&'a str, Malformed> {
    let text = std::str::from_utf8(value.as_bytes());
    text.map_err(|_| Malformed(format!("header {name} is not UTF-8")))
}

fn escaped(value: &str) -> Cow<'_, str> {
    if value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return Cow::Borrowed(value);
    }
    utf8_percent_encode(value, ESCAPED).into()
}
