//! `GET /views/dead-letters`: events that no retry would fix, and the way back for one of them.

use std::sync::Arc;

use serde_json::{Value, json};
use streamforge_bus::StoredRecord;
use streamforge_function::{
    api::{Problem, fields, parse_body, success},
    axum::{
        body::Bytes,
        extract::{RawQuery, State},
        http::{HeaderMap, StatusCode},
        response::Response,
    },
};
use streamforge_message::{DEAD_LETTERS, Letter, LetterId, Places, newest, shown_within};

use crate::{
    Views,
    asked::{Asked, MESSAGES},
};

const LARGEST_DATA: usize = 16 << 10;

pub(crate) async fn list(State(views): State<Arc<Views>>, RawQuery(text): RawQuery) -> Result<Response, Problem> {
    let asked = Asked::new(text, &["cursor", "limit"])?;
    let (cursor, limit) = (asked.optional::<Places>("cursor")?, asked.limit(MESSAGES)?);
    let topic = views.topics().await?.into_iter().find(|topic| topic.name == DEAD_LETTERS);
    // A topic that nobody made has no letters.
    let Some(topic) = topic else {
        return Ok(success(StatusCode::OK, "dead letters", &json!({"letters": [], "next_cursor": null})));
    };
    let page = newest(views.bus.as_ref(), &topic, cursor.as_ref(), limit, |stored| shown(&views, &stored)).await;
    let page = page.map_err(|error| Problem::unavailable(&error))?;
    let data = json!({"letters": page.rows, "next_cursor": page.earlier.map(|places| places.to_string())});
    Ok(success(StatusCode::OK, "dead letters, newest first", &data))
}

fn shown(views: &Views, stored: &StoredRecord) -> Value {
    let letter = Letter::read(stored);
    let (event, size) = shown_within(&stored.record, LARGEST_DATA);
    let mut shown = letter.summary(views.replays.as_ref().is_some_and(|replays| replays.contains(letter.id)));
    for (name, value) in [
        ("topic", json!(stored.topic)),
        ("partition", json!(stored.partition)),
        ("offset", json!(stored.offset)),
        ("at", json!(stored.record.timestamp)),
        ("reason", json!(letter.reason())),
        ("event", event),
    ] {
        shown[name] = value;
    }
    if let Some(size) = size {
        shown["truncated"] = size.into();
    }
    shown
}

pub(crate) async fn replay(
    State(views): State<Arc<Views>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let body = parse_body(&headers, &body)?;
    let given = fields(&body, &["topic", "partition", "offset", "again"])?;
    if given.get("topic").is_some_and(|topic| topic != DEAD_LETTERS) {
        return Err(Problem::field("unknown_topic", "topic", format!("dead letters are in `{DEAD_LETTERS}`")));
    }
    let id = LetterId { partition: number(given, "partition")?, offset: number(given, "offset")? };
    let again = match given.get("again") {
        None => false,
        Some(Value::Bool(again)) => *again,
        Some(_) => return Err(Problem::field("invalid_field", "again", "the field must be true or false")),
    };
    let letter = find(&views, id).await?;
    if !again && views.replays.as_ref().is_some_and(|replays| replays.contains(id)) {
        let message = format!("letter {id} was replayed before; say `\"again\": true` to repeat it");
        return Err(Problem::new(StatusCode::CONFLICT, "replayed_before", message));
    }
    let no_broker = |error| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown_type", format!("{error}"));
    let broker = letter.broker().map_err(no_broker)?;
    let event = letter.original();
    let published = views.publisher.forward(&broker, event.to_headers(), event.body().clone()).await;
    published.map_err(|error| Problem::unavailable(&error))?;
    // After the publication: a replay that is cut short may be repeated, never lost.
    if let Some(replays) = &views.replays {
        replays.add(id).map_err(|error| Problem::unavailable(&error))?;
    }
    let data = json!({"letter": id.to_string(), "broker": broker});
    Ok(success(StatusCode::ACCEPTED, &format!("replayed {id} to {broker}"), &data))
}

async fn find(views: &Views, id: LetterId) -> Result<Letter, Problem> {
    let unknown = || {
        let message = format!("there is no letter {id}; /views/dead-letters lists them");
        Problem::new(StatusCode::NOT_FOUND, "unknown_letter", message)
    };
    let records = views.bus.fetch(DEAD_LETTERS, id.partition, id.offset, 1, 1).await;
    let records = records.map_err(|error| match error {
        streamforge_bus::Error::UnknownTopic { .. }
        | streamforge_bus::Error::UnknownPartition { .. }
        | streamforge_bus::Error::RecordsGone { .. } => unknown(),
        error => Problem::unavailable(&error),
    })?;
    records.first().filter(|stored| stored.offset == id.offset).map(Letter::read).ok_or_else(unknown)
}

fn number<T: TryFrom<u64>>(given: &serde_json::Map<String, Value>, name: &str) -> Result<T, Problem> {
    let Some(value) = given.get(name) else {
        return Err(Problem::field("missing_field", name, "the field is missing"));
    };
    // Logs count with signed numbers.
    let number = value.as_i64().and_then(|number| T::try_from(u64::try_from(number).ok()?).ok());
    number.ok_or_else(|| Problem::field("invalid_field", name, "the field must be a whole number"))
}
