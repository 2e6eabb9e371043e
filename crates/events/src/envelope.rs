//! The CloudEvent around a payload: building one, and reading its parts.

use cloudevents::{AttributesReader, Data, Event, EventBuilder, EventBuilderV10};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{Error, EventType, Millis, QueueId, parse_json, rfc3339};

/// Attributes of an event about to be built.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// Computed from what caused the event, never random, so that a repetition is recognised.
    pub id: String,
    /// `/streamforge/<component>`.
    pub source: String,
    /// Type of the event.
    pub kind: EventType,
    /// The symbol for market data, else the queue id.
    pub subject: String,
    /// When it happened.
    pub time: Millis,
    /// Extension attributes by name: `partitionkey`, `queueid`, `task`, `attempt`, `target` …
    pub extensions: Vec<(String, String)>,
}

impl Envelope {
    /// Puts the payload into the envelope, as JSON.
    ///
    /// # Errors
    /// [`Error::Build`] if the payload or an attribute has no form on the wire.
    pub fn build<T: Serialize>(self, payload: &T) -> Result<Event, Error> {
        let fail = |reason: &dyn std::fmt::Display| Error::Build(reason.to_string());
        let data = serde_json::to_vec(payload).map_err(|error| fail(&error))?;
        let mut builder = EventBuilderV10::new()
            .id(self.id)
            .source(self.source)
            .ty(self.kind.as_str())
            .subject(self.subject)
            .time(rfc3339(self.time))
            .data("application/json", data);
        for (name, value) in self.extensions {
            builder = builder.extension(&name, value);
        }
        builder.build().map_err(|error| fail(&error))
    }
}

/// Type of an event.
///
/// # Errors
/// [`Error::EventType`] if it is not one of ours.
pub fn event_type(event: &Event) -> Result<EventType, Error> {
    EventType::parse(event.ty())
}

/// An extension attribute as text.
#[must_use]
pub fn extension(event: &Event, name: &str) -> Option<String> {
    event.extension(name).map(ToString::to_string)
}

/// The workflow that the event belongs to.
///
/// # Errors
/// [`Error::QueueId`] if the extension is absent or malformed.
pub fn queue_id(event: &Event) -> Result<QueueId, Error> {
    extension(event, "queueid").unwrap_or_default().parse()
}

/// The task that the event belongs to.
#[must_use]
pub fn task(event: &Event) -> Option<String> {
    extension(event, "task")
}

/// The attempt at its task that the event belongs to.
#[must_use]
pub fn attempt(event: &Event) -> Option<u32> {
    extension(event, "attempt")?.parse().ok()
}

/// The payload of an event.
///
/// # Errors
/// [`Error::Data`] if there is none or it does not fit.
pub fn data<T: DeserializeOwned>(event: &Event) -> Result<T, Error> {
    let fail = |reason: String| Error::Data { id: event.id().to_owned(), reason };
    let parsed = match event.data() {
        Some(Data::Json(value)) => T::deserialize(value),
        // Checking the text once is quicker than checking each of its strings.
        Some(Data::Binary(bytes)) => match std::str::from_utf8(bytes) {
            Ok(text) => serde_json::from_str(text),
            Err(error) => return Err(fail(error.to_string())),
        },
        Some(Data::String(text)) => serde_json::from_str(text),
        None => return Err(fail("there is none".to_owned())),
    };
    parsed.map_err(|error| fail(error.to_string()))
}

/// The payload of an event as a JSON document that no type describes, with each name once.
///
/// # Errors
/// [`Error::Data`] if there is none or it is no such document.
pub fn document(event: &Event) -> Result<Value, Error> {
    let fail = |reason: String| Error::Data { id: event.id().to_owned(), reason };
    let parsed = match event.data() {
        Some(Data::Json(value)) => return Ok(value.clone()),
        Some(Data::Binary(bytes)) => parse_json(bytes),
        Some(Data::String(text)) => parse_json(text.as_bytes()),
        None => return Err(fail("there is none".to_owned())),
    };
    parsed.map_err(|error| fail(error.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_put_in_is_read_back() {
        let envelope = Envelope {
            id: "cause/1".to_owned(),
            source: "/streamforge/test".to_owned(),
            kind: EventType::QueueReported,
            subject: "wf-x".to_owned(),
            time: 1_722_500_000_123,
            extensions: vec![("queueid".to_owned(), "wf-x".to_owned()), ("attempt".to_owned(), "2".to_owned())],
        };
        let event = envelope.build(&json!({"a": 1})).unwrap();
        assert_eq!(event_type(&event), Ok(EventType::QueueReported));
        assert_eq!(queue_id(&event).unwrap().as_str(), "wf-x");
        assert_eq!(attempt(&event), Some(2));
        assert_eq!(task(&event), None);
        assert_eq!(data::<Value>(&event), Ok(json!({"a": 1})));
        assert_eq!(event.time().unwrap().to_rfc3339(), "2024-08-01T08:13:20.123+00:00");
        assert!(matches!(data::<Vec<u8>>(&event), Err(Error::Data { .. })));
    }
}
