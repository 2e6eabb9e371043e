//! What changes while somebody watches: a workflow's progress and the messages of the public topics.

use std::{convert::Infallible, sync::Arc, time::Duration};

use futures::Stream;
use serde_json::{Map, Value, json};
use streamforge_bus::{Bus, StoredRecord};
use streamforge_events::QueueId;
use streamforge_function::{
    api::{PathName, Problem, name_in_path},
    axum::{
        extract::{
            State, WebSocketUpgrade,
            ws::{Message, WebSocket, rejection::WebSocketUpgradeRejection},
        },
        http::StatusCode,
        response::{
            IntoResponse, Response,
            sse::{Event, KeepAlive, Sse},
        },
    },
};

use super::ApiState;
use crate::document::Workflow;

/// The topics that anybody may watch.
const PUBLIC_TOPICS: [&str; 3] = ["queue-control", "queue-events", "market-data"];

/// How often a watched document is looked at.
const LOOK: Duration = Duration::from_millis(500);

const RECORDS_PER_READ: usize = 100;
const BYTES_PER_READ: usize = 4 << 20;

/// `GET /queues/{queue_id}/events`: the document whenever it changes, until the workflow has ended.
pub(super) async fn progress(State(state): State<Arc<ApiState>>, path: PathName) -> Result<Response, Problem> {
    let id = name_in_path(path)?;
    let (queue_id, workflow) = super::read::find(&state, &id).await?;
    let watch = Watch { state, queue_id, next: Some(workflow), last: None };
    let events = futures::stream::unfold(watch, |mut watch| async {
        let workflow = watch.change().await?;
        let event = Event::default().event("progress").data(workflow.summary().to_string());
        Some((Ok::<_, Infallible>(event), watch))
    });
    Ok(sse(events))
}

fn sse(events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

/// One watcher of a workflow.
struct Watch {
    state: Arc<ApiState>,
    queue_id: QueueId,
    next: Option<Workflow>,
    last: Option<Workflow>,
}

impl Watch {
    /// The next state that was not shown yet; none after the last one, or when the store is gone.
    async fn change(&mut self) -> Option<Workflow> {
        if self.last.as_ref().is_some_and(|workflow| workflow.status.is_terminal()) {
            return None;
        }
        loop {
            let workflow = match self.next.take() {
                Some(workflow) => workflow,
                None => self.state.engine.load(&self.queue_id).await.ok()??,
            };
            if self.last.as_ref().is_none_or(|last| last.summary() != workflow.summary()) {
                self.last = Some(workflow.clone());
                return Some(workflow);
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// `GET /ws/topic/{topic}`: what is published on the topic from now on, one `CloudEvent` in JSON per message.
pub(super) async fn topic(
    State(state): State<Arc<ApiState>>,
    path: PathName,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let topic = name_in_path(path)?;
    if !PUBLIC_TOPICS.contains(&topic.as_str()) {
        let message = format!("there is no such public topic; there are {}", PUBLIC_TOPICS.join(", "));
        return Err(Problem::new(StatusCode::NOT_FOUND, "unknown_topic", message));
    }
    let Some(bus) = state.bus.clone() else {
        let message = "live messages are not available here";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no_live_messages", message));
    };
    let upgrade = upgrade.map_err(|rejection| {
        Problem::new(
            StatusCode::UPGRADE_REQUIRED,
            "upgrade_required",
            format!("ask for a WebSocket: {}", rejection.body_text()),
        )
    })?;
    let offsets = bus.end_offsets(&topic).await.map_err(|error| Problem::unavailable(&error))?;
    Ok(upgrade.on_upgrade(move |socket| async move {
        if let Err(reason) = forward(socket, &*bus, &topic, offsets).await {
            tracing::debug!(%topic, reason, "live messages ended");
        }
    }))
}

/// Sends what is appended until the client goes; a slow client is waited for, records are not skipped.
async fn forward(mut socket: WebSocket, bus: &dyn Bus, topic: &str, mut offsets: Vec<u64>) -> Result<(), String> {
    let mut appended = bus.appended();
    loop {
        appended.borrow_and_update();
        let mut is_idle = true;
        for (partition, offset) in (0..).zip(&mut offsets) {
            let read = bus.read(topic, partition, *offset, RECORDS_PER_READ, BYTES_PER_READ).await;
            for stored in read.map_err(|error| error.to_string())? {
                is_idle = false;
                *offset = stored.offset + 1;
                let text = message(&stored).to_string();
                socket.send(Message::text(text)).await.map_err(|error| error.to_string())?;
            }
        }
        if !is_idle {
            continue;
        }
        tokio::select! {
            changed = appended.changed() => changed.map_err(|_| "the bus is closed".to_owned())?,
            received = socket.recv() => match received {
                Some(Ok(Message::Close(_))) | None => return Ok(()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.to_string()),
            },
        }
    }
}

/// The `CloudEvent` of a record in the JSON format.
///
/// # Source
/// <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md>
fn message(stored: &StoredRecord) -> Value {
    let record = &stored.record;
    let data = serde_json::from_slice::<Value>(&record.value);
    let is_structured =
        record.header("content-type").is_some_and(|media_type| media_type.starts_with(b"application/cloudevents+json"));
    if let (true, Ok(event)) = (is_structured, &data) {
        return event.clone();
    }
    let mut event = Map::new();
    for (name, value) in &record.headers {
        let attribute = name.strip_prefix("ce_").or_else(|| (name == "content-type").then_some("datacontenttype"));
        if let Some(attribute) = attribute {
            event.insert(attribute.to_owned(), String::from_utf8_lossy(value).into());
        }
    }
    let data = data.unwrap_or_else(|_| json!(String::from_utf8_lossy(&record.value)));
    event.insert("data".to_owned(), data);
    Value::Object(event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use streamforge_bus::Record;

    fn stored(headers: &[(&str, &str)], value: &str) -> StoredRecord {
        let headers = headers.iter().map(|&(name, value)| (name.to_owned(), value.as_bytes().to_vec())).collect();
        let record = Record { key: None, headers, value: value.as_bytes().to_vec(), timestamp: 0 };
        StoredRecord { topic: "queue-events".to_owned(), partition: 0, offset: 0, record }
    }

    #[test]
    fn both_modes_of_a_record_become_the_same_message() {
        let event = json!({"id": "1", "type": "t", "datacontenttype": "application/json", "data": {"a": 1}});
        let binary = stored(&[("ce_id", "1"), ("ce_type", "t"), ("content-type", "application/json")], "{\"a\":1}");
        let structured = stored(&[("content-type", "application/cloudevents+json")], &event.to_string());
        assert_eq!(message(&binary), event);
        assert_eq!(message(&structured), event);
        assert_eq!(message(&stored(&[], "no json"))["data"], "no json");
    }
}
