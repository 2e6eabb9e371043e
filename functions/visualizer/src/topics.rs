//! `GET /views/topics` and their messages: what lies in the log, newest first.

use std::sync::Arc;

use serde_json::{Value, json};
use streamforge_bus::StoredRecord;
use streamforge_events::Topic;
use streamforge_function::{
    api::{PathName, Problem, name_in_path, success},
    axum::{
        extract::{RawQuery, State},
        http::StatusCode,
        response::Response,
    },
};
use streamforge_message::{Places, newest, shown_within};

use crate::{
    Views,
    asked::{Asked, MESSAGES},
    filter::{FILTERS, Filter},
};

/// Data beyond this is cut: a batch of a thousand bars is ten times as large, and nobody reads it.
const LARGEST_DATA: usize = 16 << 10;

/// Messages that are looked at for one answer where few or none are wanted; whoever wants more asks on.
const LOOKED_AT: usize = 5_000;

pub(crate) async fn list(State(views): State<Arc<Views>>) -> Result<Response, Problem> {
    let topics = views.topics().await?.into_iter().map(|topic| {
        let partitions = (0_u32..)
            .zip(&topic.offsets)
            .map(|(number, held)| json!({"partition": number, "begin": held.start, "end": held.end}));
        json!({
            "name": topic.name,
            "partitions": partitions.collect::<Vec<_>>(),
            "is_public": is_public(&topic.name),
        })
    });
    Ok(success(StatusCode::OK, "topics by name", &json!({"topics": topics.collect::<Vec<_>>()})))
}

pub(crate) async fn messages(
    State(views): State<Arc<Views>>,
    path: PathName,
    RawQuery(text): RawQuery,
) -> Result<Response, Problem> {
    let name = name_in_path(path)?;
    let asked = Asked::repeatable(text, &["before", "limit", "type", "subject"], &FILTERS)?;
    let (mut before, limit) = (asked.optional::<Places>("before")?, asked.limit(MESSAGES)?);
    let filter = Filter::asked(&asked)?;
    let topic = views.topic(public(&name)?).await?;
    let keep = |stored: StoredRecord| filter.takes(&stored).then(|| cut(&stored));
    let (mut messages, mut looked_at) = (Vec::new(), 0);
    loop {
        let page = newest(views.bus.as_ref(), &topic, before.as_ref(), limit, keep).await;
        let page = page.map_err(|error| Problem::unavailable(&error))?;
        looked_at += page.rows.len();
        messages.extend(page.rows.into_iter().flatten());
        before = page.earlier;
        if before.is_none() || !messages.is_empty() || looked_at >= LOOKED_AT {
            break;
        }
    }
    let ends = Places(topic.offsets.iter().map(|held| held.end).collect());
    let data = json!({
        "messages": messages,
        "before": before.map(|places| places.to_string()),
        "end": ends.to_string(),
    });
    Ok(success(StatusCode::OK, "messages, newest first", &data))
}

/// A record with its place in the log, its data cut where it is long.
fn cut(stored: &StoredRecord) -> Value {
    let (event, size) = shown_within(&stored.record, LARGEST_DATA);
    let mut message = message(stored, &event);
    if let Some(size) = size {
        message["truncated"] = size.into();
    }
    message
}

/// A record with its place in the log.
pub(crate) fn message(stored: &StoredRecord, event: &Value) -> Value {
    json!({
        "partition": stored.partition,
        "offset": stored.offset,
        "timestamp": stored.record.timestamp,
        "event": event,
    })
}

/// The name of a topic, if anybody may watch it.
pub(crate) fn public(name: &str) -> Result<&str, Problem> {
    if is_public(name) {
        return Ok(name);
    }
    let shown: String = name.chars().take(200).collect();
    let names = Topic::PUBLIC.map(Topic::as_str).join(", ");
    let message = format!("there is no public topic `{shown}`; there are {names}");
    Err(Problem::new(StatusCode::NOT_FOUND, "unknown_topic", message))
}

fn is_public(name: &str) -> bool {
    Topic::PUBLIC.iter().any(|topic| topic.as_str() == name)
}
