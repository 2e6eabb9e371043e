//! An event between the wire and the log: attributes, content type and payload, all as they came.
//!
//! The data plane passes events on without changing them, so this is no typed event: values keep their spelling and
//! the payload keeps its bytes.

mod backwards;
mod http_binding;
mod json_format;
mod kafka_binding;
mod letter;
mod places;
mod replays;
mod shown;
#[cfg(test)]
mod tests;
mod uri;

use bytes::Bytes;

pub use backwards::{Page, newest};
pub use letter::{DEAD_LETTERS, Letter, LetterId, read_letters};
pub use places::Places;
pub use replays::Replays;
pub use shown::{shown, shown_within};

/// A `CloudEvent` in its wire spelling.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    attributes: Vec<(String, String)>,
    content_type: Option<String>,
    body: Bytes,
}

/// Why something is no `CloudEvent`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is no CloudEvent: {0}")]
pub struct Malformed(String);

impl Message {
    /// Value of an attribute or extension; `datacontenttype` is the content type.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        if name == "datacontenttype" {
            return self.content_type.as_deref();
        }
        let (_, value) = self.attributes.iter().find(|(known, _)| known == name)?;
        Some(value)
    }

    /// Sets an attribute or extension other than `datacontenttype`, in place of an older value.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        match self.attributes.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value.into(),
            None => self.attributes.push((name.to_owned(), value.into())),
        }
    }

    /// The same for a name that is owned already.
    fn put(&mut self, name: String, value: String) {
        match self.attributes.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.attributes.push((name, value)),
        }
    }

    /// Drops an attribute or extension.
    pub fn remove(&mut self, name: &str) {
        self.attributes.retain(|(known, _)| known != name);
    }

    /// The payload.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Checks what an intermediary must be able to rely on. Empty values pass: Knative's ingress takes them.
    ///
    /// # Source
    /// <https://github.com/cloudevents/spec/blob/main/cloudevents/spec.md#required-attributes>
    fn validated(self) -> Result<Self, Malformed> {
        match self.attribute("specversion") {
            Some("0.3" | "1.0") => {}
            Some(other) => return Err(Malformed(format!("specversion `{other}` is unknown"))),
            None => return Err(Malformed("specversion is missing".to_owned())),
        }
        for required in ["id", "source", "type"] {
            if self.attribute(required).is_none() {
                return Err(Malformed(format!("{required} is missing")));
            }
        }
        for (name, value) in &self.attributes {
            if !is_attribute_name(name) {
                return Err(Malformed(format!("`{name}` is no attribute name")));
            }
            match name.as_str() {
                "source" | "dataschema" | "schemaurl" if !uri::is_reference(value) => {
                    return Err(Malformed(format!("{name} `{value}` is no URI reference")));
                }
                "time" if chrono::DateTime::parse_from_rfc3339(value).is_err() => {
                    return Err(Malformed(format!("time `{value}` is not RFC 3339")));
                }
                "data" | "datacontenttype" => {
                    return Err(Malformed(format!("`{name}` is no extension")));
                }
                _ => {}
            }
        }
        Ok(self)
    }
}

/// Lower-case letters and digits only.
///
/// # Source
/// <https://github.com/cloudevents/spec/blob/main/cloudevents/spec.md#naming-conventions>
#[must_use]
pub fn is_attribute_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}
