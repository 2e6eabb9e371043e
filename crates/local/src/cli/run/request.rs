//! A workflow request from a file, with the identity that it gives its workflow.

use queue_manager::{engine, plan};
use serde_json::{Value, json};
use streamforge_events::{QueueId, WorkflowRequest, digest, hex, parse_json, rfc3339};

use super::super::exit::Failure;
use crate::platform::now;

/// The source of events that the command line publishes.
pub(super) const SOURCE: &str = "/streamforge/cli";

/// A request, checked, as an event that is ready to be published.
#[derive(Debug)]
pub(in crate::cli) struct Request {
    pub(super) event_id: String,
    pub(in crate::cli) queue_id: QueueId,
    pub(super) event: Value,
}

impl Request {
    /// Reads the text of a request; `again` gives it an identity that no run before had.
    pub(in crate::cli) fn parse(text: &str, again: bool) -> Result<Self, Failure> {
        let invalid = |reason: String| Failure::Configuration(format!("the request is not valid: {reason}"));
        let body: Value = parse_json(text.as_bytes()).map_err(|error| invalid(format!("it is not JSON: {error}")))?;
        let request = WorkflowRequest::parse(&body)
            .map_err(|error| invalid(format!("field `{}`: {}", error.field, error.message)))?;
        let now = now();
        plan::check(&request, now).map_err(|error| invalid(format!("field `{}`: {}", error.field, error.message)))?;
        let mut identity = vec![canonical(&body)];
        if again {
            identity.push(now.to_string());
        }
        let parts: Vec<&str> = identity.iter().map(String::as_str).collect();
        let event_id = hex(&digest(&parts));
        let cause =
            engine::Request { source: SOURCE.to_owned(), id: event_id.clone(), body: body.clone(), traceparent: None };
        let queue_id = plan::pending(&request, &cause, now).id;
        let event = json!({
            "specversion": "1.0",
            "id": event_id,
            "source": SOURCE,
            "type": streamforge_events::EventType::WorkflowRequested.as_str(),
            "subject": queue_id,
            "time": rfc3339(now),
            "partitionkey": queue_id,
            "queueid": queue_id,
            "datacontenttype": "application/json",
            "data": body,
        });
        Ok(Self { event_id, queue_id, event })
    }
}

/// Writes JSON without spaces and with sorted names, so that the same request has the same text.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort();
            let fields: Vec<String> = names
                .into_iter()
                .map(|name| format!("{}:{}", Value::from(name.as_str()), canonical(&fields[name])))
                .collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &str = r#"{"symbols":["BTCUSDT"],"time_range":"2026-03-01:2026-03-03","requests":
        [{"target":"loader-producer","type":"api_candles_15m"},{"target":"arango-connector","type":"api_candles_15m"}]}"#;

    #[test]
    fn the_same_request_is_the_same_workflow() {
        let first = Request::parse(REQUEST, false).unwrap();
        let reordered: Value = serde_json::from_str(REQUEST).unwrap();
        let second = Request::parse(&serde_json::to_string_pretty(&reordered).unwrap(), false).unwrap();
        assert_eq!((&first.event_id, &first.queue_id), (&second.event_id, &second.queue_id));
        let other = Request::parse(&REQUEST.replace("03-03", "03-04"), false).unwrap();
        assert_ne!(first.event_id, other.event_id);
        assert_ne!(first.event_id, Request::parse(REQUEST, true).unwrap().event_id);
    }

    #[test]
    fn a_bad_request_names_what_is_wrong() {
        for (text, word) in [("", "JSON"), ("{}", "requests"), (&REQUEST.replace("time_range", "range"), "range")] {
            let Err(Failure::Configuration(reason)) = Request::parse(text, false) else { panic!("{text}") };
            assert!(reason.contains(word), "{reason}");
        }
    }
}
