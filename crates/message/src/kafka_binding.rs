//! Events as records of the log: `CloudEvents`' Kafka binding in binary mode.

use bytes::Bytes;
use streamforge_bus::Record;

use super::{Malformed, Message};

impl Message {
    /// Reads a record, in binary or in structured mode.
    ///
    /// # Errors
    /// [`Malformed`] if the record is no `CloudEvent`.
    ///
    /// # Source
    /// <https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/kafka-protocol-binding.md>
    pub fn from_record(record: Record) -> Result<Self, Malformed> {
        let mut message = Self { body: Bytes::from(record.value), ..Self::default() };
        message.attributes.reserve(record.headers.len() + 2);
        for (mut name, value) in record.headers {
            let is_content_type = name.eq_ignore_ascii_case("content-type");
            if !is_content_type && !name.starts_with("ce_") {
                continue;
            }
            let value = String::from_utf8(value).map_err(|_| Malformed(format!("header {name} is not UTF-8")))?;
            if is_content_type {
                message.content_type = Some(value);
            } else {
                name.drain(.."ce_".len());
                message.put(name, value);
            }
        }
        if message.is_json_event() {
            return Self::from_json(&message.body);
        }
        message.validated()
    }

    /// Makes a record in binary mode. Its key comes from `partitionkey` and from nowhere else.
    ///
    /// # Units
    /// `timestamp` in UTC milliseconds since the epoch.
    #[must_use]
    pub fn to_record(&self, timestamp: i64) -> Record {
        let mut headers: Vec<(String, Vec<u8>)> =
            (self.attributes.iter()).map(|(name, value)| (format!("ce_{name}"), value.as_bytes().to_vec())).collect();
        if let Some(content_type) = &self.content_type {
            headers.push(("content-type".to_owned(), content_type.as_bytes().to_vec()));
        }
        Record {
            key: self.attribute("partitionkey").map(|key| key.as_bytes().to_vec()),
            headers,
            value: self.body.to_vec(),
            timestamp,
        }
    }
}
