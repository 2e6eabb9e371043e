//! What holds for any bytes: no reader panics, and what is read is written and read again as the same.
//!
//! Shared by the fuzzer and by the test that replays the corpus.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use queue_manager::plan;
use streamforge_backup::{FORMAT, Manifest, Rows};
use streamforge_events::{KlineBatch, WorkflowRequest, parse_json};
use streamforge_function::wire;
use streamforge_local::{filter::Expression, manifest::Manifests, message::Message};

/// 2026-11-01T00:00:00Z: what lies in the future must not depend on the day of the test.
const NOW: i64 = 1_793_491_200_000;

/// Headers as lines, an empty line, the body: both readers of events.
pub(crate) fn event(bytes: &[u8]) {
    let (headers, body) = request_parts(bytes);
    if let Ok(message) = Message::from_http(&headers, body.to_vec().into()) {
        let again = Message::from_record(message.to_record(0));
        assert_eq!(again.as_ref(), Ok(&message), "an event changes in the log");
        let sent = Message::from_http(&message.to_headers(), message.body().clone());
        assert!(sent.is_ok(), "an event that was taken cannot be delivered: {sent:?}");
    }
    if let Ok(event) = wire::decode(&headers, body)
        && let Ok((headers, body)) = wire::encode(&event)
    {
        let again = wire::decode(&headers, &body).expect("an event that was read can be read again");
        assert_eq!(wire::encode(&again), Ok((headers, body)), "an event changes on its way");
    }
}

/// The exchange's rows, and our batches of them.
pub(crate) fn klines(bytes: &[u8]) {
    if let Err(reason) = streamforge_exchange::read_klines(bytes) {
        assert!(reason.len() < 1000, "an answer that cannot be read fills the log");
    }
    if let Ok(batch) = serde_json::from_slice::<KlineBatch>(bytes) {
        let written = serde_json::to_vec(&batch).expect("a batch that was read can be written");
        let again: KlineBatch = serde_json::from_slice(&written).expect("a batch that was written can be read");
        assert_eq!(serde_json::to_vec(&again).ok(), Some(written), "a batch changes on its way");
        assert_eq!(again, batch);
    }
}

/// Documents, and the requests in them.
pub(crate) fn request(bytes: &[u8]) {
    let Ok(document) = parse_json(bytes) else { return };
    assert!(serde_json::from_slice::<serde_json::Value>(bytes).is_ok(), "stricter than JSON, never laxer");
    match WorkflowRequest::parse(&document) {
        Err(error) => assert!(!error.message.is_empty() && error.message.len() < 2000, "{error}"),
        Ok(request) => {
            let again = parse_json(document.to_string().as_bytes()).expect("what was read can be read again");
            let again = WorkflowRequest::parse(&again).expect("a request that was read can be read again");
            assert_eq!((&again.symbols, again.range), (&request.symbols, request.range));
            assert!(plan::series(&request).len() <= request.symbols.len() * request.entries.len());
            // Either outcome will do; neither may take more than the plan's own bounds.
            let _ = plan::check(&request, NOW);
        }
    }
}

/// A manifest, and the same text as a filter's expression.
pub(crate) fn manifest(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let first = Manifests::parse([("triggers/a.yaml", text)]).map(|manifests| format!("{manifests:?}"));
    let second = Manifests::parse([("triggers/a.yaml", text)]).map(|manifests| format!("{manifests:?}"));
    let told = |outcome: Result<String, streamforge_local::Error>| outcome.map_err(|error| error.to_string());
    assert_eq!(told(first), told(second), "the same text means two things");
    if let Ok(expression) = text.parse::<Expression>() {
        // Whether it holds is of no interest, only that it comes to an end.
        let _ = expression.holds(&Message::default());
    }
}

/// A backup's manifest, the lines of a chunk, and a chunk as it is packed.
pub(crate) fn backup(bytes: &[u8]) {
    let name = "b".parse().expect("a name");
    if let Ok(manifest) = Manifest::read("key", &name, bytes) {
        assert_eq!((&manifest.name, manifest.format), (&name, FORMAT));
        let _ = (manifest.rows(), manifest.bytes(), manifest.span());
    }
    for read in [Rows::read(bytes), Rows::unpack(bytes, 1 << 16)] {
        match read {
            Ok(rows) => assert!(rows.count() < 1 << 16, "more rows than bytes"),
            Err(reason) => assert!(!reason.is_empty() && reason.len() < 2000, "{reason}"),
        }
    }
}

fn request_parts(bytes: &[u8]) -> (HeaderMap, &[u8]) {
    let mut headers = HeaderMap::new();
    let mut rest = bytes;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let line = &rest[..end];
        rest = &rest[end + 1..];
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { break };
        let name = HeaderName::from_bytes(&line[..colon]);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii())) {
            headers.append(name, value);
        }
    }
    (headers, rest)
}
