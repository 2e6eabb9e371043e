//! Events as one JSON document: `CloudEvents`' structured mode, turned into the binary one.

use std::{collections::BTreeMap, fmt};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Value, value::RawValue};

use super::{Malformed, Message};

impl Message {
    /// Whether the content type announces an event as one document.
    pub(super) fn is_structured(&self) -> bool {
        let content_type = self.content_type.as_deref().unwrap_or_default();
        media_type(content_type).starts_with("application/cloudevents")
    }

    /// Whether the content type is exactly the one of a single JSON event.
    pub(super) fn is_json_event(&self) -> bool {
        let content_type = self.content_type.as_deref().unwrap_or_default();
        media_type(content_type) == "application/cloudevents+json"
    }

    /// Reads a JSON document; its `data` keeps the very bytes it has there.
    ///
    /// # Source
    /// <https://github.com/cloudevents/spec/blob/main/cloudevents/formats/json-format.md>
    pub(super) fn from_json(document: &[u8]) -> Result<Self, Malformed> {
        let Members(mut members) =
            serde_json::from_slice(document).map_err(|error| Malformed(format!("broken JSON: {error}")))?;
        let data = members.remove("data");
        let base64 = members.remove("data_base64");
        let mut message = Self::default();
        for (name, raw) in members {
            let Some(value) = attribute(&name, &raw)? else {
                continue;
            };
            match name.as_str() {
                "datacontenttype" => message.content_type = Some(value),
                _ => message.set(&name, value),
            }
        }
        if message.is_structured() {
            // In the log it would be taken for the event that it only carries.
            return Err(Malformed("an event as the data of an event".to_owned()));
        }
        message.body = match (data, base64) {
            (None, None) => Bytes::new(),
            (Some(data), None) => message.payload(&data),
            (None, Some(base64)) => {
                let text: String =
                    serde_json::from_str(base64.get()).map_err(|_| Malformed("data_base64 is no string".to_owned()))?;
                let bytes = STANDARD.decode(text).map_err(|_| Malformed("data_base64 is no base64".to_owned()))?;
                Bytes::from(bytes)
            }
            (Some(_), Some(_)) => {
                return Err(Malformed("both data and data_base64".to_owned()));
            }
        };
        message.validated()
    }

    /// JSON payloads keep their text; strings of any other content type lose their quotes.
    fn payload(&mut self, data: &RawValue) -> Bytes {
        let content_type = self.content_type.get_or_insert_with(|| "application/json".to_owned());
        let is_json = {
            let media_type = media_type(content_type);
            media_type == "application/json" || media_type == "text/json" || media_type.ends_with("+json")
        };
        let text = match serde_json::from_str::<String>(data.get()) {
            Ok(text) if !is_json => text,
            _ => data.get().to_owned(),
        };
        Bytes::from(text)
    }
}

/// The members of a JSON object, none of them twice: readers differ in which of two they take.
struct Members(BTreeMap<String, Box<RawValue>>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor).map(Self)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = BTreeMap<String, Box<RawValue>>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((name, value)) = access.next_entry::<String, Box<RawValue>>()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a member occurs twice"));
            }
        }
        Ok(members)
    }
}

/// An attribute's canonical spelling; `null` is an absent attribute.
fn attribute(name: &str, raw: &RawValue) -> Result<Option<String>, Malformed> {
    let refuse = || Malformed(format!("{name} has no value that an attribute can have"));
    let is_core = ["specversion", "id", "source", "type", "subject", "time", "datacontenttype"].contains(&name);
    match serde_json::from_str(raw.get()).map_err(|_| refuse())? {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        Value::Bool(flag) if !is_core => Ok(Some(flag.to_string())),
        Value::Number(number) if !is_core && !number.is_f64() => Ok(Some(number.to_string())),
        _ => Err(refuse()),
    }
}

/// Type and subtype in lower case, without parameters.
fn media_type(content_type: &str) -> String {
    let media_type = content_type.split(';').next().unwrap_or_default();
    media_type.trim().to_ascii_lowercase()
}
