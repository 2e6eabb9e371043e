//! A record as people and programs are shown it: its `CloudEvent` in the JSON format, or what there is of one.

use serde_json::{Map, Value, json};
use streamforge_bus::Record;

/// The `CloudEvent` of a record in the JSON format.
///
/// # Source
/// <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md>
#[must_use]
pub fn shown(record: &Record) -> Value {
    let data = serde_json::from_slice::<Value>(&record.value);
    if let (true, Ok(event)) = (is_structured(record), &data) {
        return event.clone();
    }
    let data = data.unwrap_or_else(|_| json!(String::from_utf8_lossy(&record.value)));
    with_data(record, data)
}

/// The same with at most `limit` bytes of data; data that is cut is a text, and its whole size is the second value.
#[must_use]
pub fn shown_within(record: &Record, limit: usize) -> (Value, Option<usize>) {
    let size = record.value.len();
    if size <= limit {
        return (shown(record), None);
    }
    let mut cut = String::from_utf8_lossy(&record.value[..limit]).into_owned();
    // The last character may be cut in two.
    while cut.ends_with(char::REPLACEMENT_CHARACTER) {
        cut.pop();
    }
    (with_data(record, cut.into()), Some(size))
}

fn is_structured(record: &Record) -> bool {
    let media_type = record.header("content-type");
    media_type.is_some_and(|media_type| media_type.starts_with(b"application/cloudevents+json"))
}

fn with_data(record: &Record, data: Value) -> Value {
    let mut event = Map::new();
    for (name, value) in &record.headers {
        let attribute = name.strip_prefix("ce_").or_else(|| (name == "content-type").then_some("datacontenttype"));
        if let Some(attribute) = attribute {
            event.insert(attribute.to_owned(), String::from_utf8_lossy(value).into());
        }
    }
    event.insert("data".to_owned(), data);
    Value::Object(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(headers: &[(&str, &str)], value: &str) -> Record {
        let headers = headers.iter().map(|&(name, value)| (name.to_owned(), value.as_bytes().to_vec())).collect();
        Record { key: None, headers, value: value.as_bytes().to_vec(), timestamp: 0 }
    }

    #[test]
    fn both_modes_of_a_record_become_the_same_message() {
        let event = json!({"id": "1", "type": "t", "datacontenttype": "application/json", "data": {"a": 1}});
        let binary = record(&[("ce_id", "1"), ("ce_type", "t"), ("content-type", "application/json")], "{\"a\":1}");
        let structured = record(&[("content-type", "application/cloudevents+json")], &event.to_string());
        assert_eq!(shown(&binary), event);
        assert_eq!(shown(&structured), event);
        assert_eq!(shown(&record(&[], "no json"))["data"], "no json");
    }

    #[test]
    fn long_data_is_cut_between_characters() {
        let long = record(&[("ce_id", "1")], &"€".repeat(10));
        let (event, size) = shown_within(&long, 10);
        assert_eq!((&event["data"], &event["id"], size), (&json!("€€€"), &json!("1"), Some(30)));
        assert_eq!(shown_within(&long, 30), (shown(&long), None));
    }
}
