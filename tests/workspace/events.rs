//! The page about the events names each type's topic and fields, and its examples are real payloads.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde_json::Value;
use streamforge_events::{
    ControlCommand, DepthBatch, EventType, FeedInterrupted, KlineBatch, ModelTrained, PredictionBatch, Report,
    TradeBatch, WorkflowRequest,
};

use crate::{
    assert_none,
    markdown::{blocks, coded_rows, section},
    text,
};

const PAGE: &str = "docs/events.md";

#[test]
fn every_event_type_is_explained() {
    let page = text(PAGE);
    let problems: Vec<String> = EventType::ALL.into_iter().flat_map(|kind| problems(&page, kind)).collect();
    assert_none(&problems);
    let headings = page.lines().filter_map(|line| line.strip_prefix("## `")?.strip_suffix('`'));
    for name in headings {
        assert!(EventType::parse(name).is_ok(), "{PAGE} explains {name}, which is not there");
    }
}

#[test]
fn a_missing_or_wrong_explanation_is_found() {
    let page = text(PAGE);
    for (from, to, kind) in [
        ("Topic: `market-data`", "Topic: `workflows`", EventType::KlinesLoaded),
        ("## `io.streamforge.control.stop.v1`", "## `io.streamforge.control.halt.v1`", EventType::ControlStop),
        ("| `records_written` |", "| `records` |", EventType::QueueReported),
        ("\"time_range\": ", "\"range\": ", EventType::WorkflowRequested),
    ] {
        assert!(page.contains(from), "{from}");
        assert!(!problems(&page.replace(from, to), kind).is_empty(), "{to}");
    }
}

fn problems(page: &str, kind: EventType) -> Vec<String> {
    let Some(section) = section(page, &format!("## `{kind}`")) else {
        return vec![format!("{PAGE} does not explain {kind}")];
    };
    let mut problems = Vec::new();
    for word in
        [format!("Topic: `{}`.", kind.topic()), "Key: ".to_owned(), "Written by".to_owned(), "Read by".to_owned()]
    {
        if !section.contains(&word) {
            problems.push(format!("{PAGE}, {kind}: does not say `{word}`"));
        }
    }
    let documented: BTreeSet<&str> = coded_rows(section).into_iter().collect();
    match example(section, kind) {
        Err(reason) => problems.push(format!("{PAGE}, {kind}: the example {reason}")),
        Ok(example) => {
            let fields = example.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
            let unexplained = fields.filter(|name| !documented.contains(name));
            problems.extend(unexplained.map(|name| format!("{PAGE}, {kind}: does not explain `{name}`")));
        }
    }
    problems
}

/// The section's example, as it is written again after it was read: all fields that the payload has.
fn example(section: &str, kind: EventType) -> Result<Value, String> {
    let [text] = &blocks(section, "json")[..] else { return Err("is not there, once".to_owned()) };
    let value: Value = serde_json::from_str(text).map_err(|error| format!("is not JSON: {error}"))?;
    match kind {
        EventType::WorkflowRequested => {
            WorkflowRequest::parse(&value).map_err(|error| format!("is no request: {error}"))?;
        }
        EventType::ControlStart | EventType::ControlStop | EventType::ControlPing => same::<ControlCommand>(&value)?,
        EventType::QueueReported => same::<Report>(&value)?,
        EventType::KlinesLoaded => same::<KlineBatch>(&value)?,
        EventType::TradesLoaded => same::<TradeBatch>(&value)?,
        EventType::DepthUpdated => same::<DepthBatch>(&value)?,
        EventType::FeedInterrupted => same::<FeedInterrupted>(&value)?,
        EventType::ModelTrained => same::<ModelTrained>(&value)?,
        EventType::PredictionMade => same::<PredictionBatch>(&value)?,
        EventType::WorkflowOverdue | EventType::WorkflowFinished => {}
    }
    Ok(value)
}

/// Whether reading and writing changes nothing.
fn same<T: DeserializeOwned + serde::Serialize>(value: &Value) -> Result<(), String> {
    let read: T = serde_json::from_value(value.clone()).map_err(|error| format!("is no payload: {error}"))?;
    let again = serde_json::to_value(read).map_err(|error| format!("cannot be written: {error}"))?;
    if again == *value { Ok(()) } else { Err(format!("is not written like that, but as {again}")) }
}
