//! What changes while somebody watches: a workflow's progress and the messages of the public topics.

use std::{sync::Arc, time::Duration};

use futures::FutureExt;
use streamforge_bus::Bus;
use streamforge_events::{QueueId, Topic};
use streamforge_function::{
    api::{PathName, Problem, name_in_path},
    axum::{
        Error,
        extract::{
            State, WebSocketUpgrade,
            ws::{Message, WebSocket, rejection::WebSocketUpgradeRejection},
        },
        http::StatusCode,
        response::{Response, sse::Event},
    },
};
use tokio::time::{Instant, sleep_until};

use super::ApiState;
use crate::document::Workflow;

/// How often a watched document is looked at by the first who watches.
const LOOK: Duration = Duration::from_millis(500);

/// How much longer each further stream makes that, so that the store is asked a thousand times a second at most.
const LOOK_PER_STREAM: Duration = Duration::from_millis(1);

/// The shortest time between two looks at a topic of a stream that has seen all.
const PAUSE: Duration = Duration::from_millis(50);

const RECORDS_PER_LOOK: usize = 100;
/// What waits while the client takes nothing.
const BYTES_PER_LOOK: usize = 64 << 10;

/// Largest message that a client may send; nothing is asked of it.
const LARGEST_MESSAGE: usize = 64 << 10;

/// Messages of a client that are read between two looks at the topic.
const MESSAGES_PER_LOOK: usize = 16;

/// `GET /queues/{queue_id}/events`: the document whenever it changes, until the workflow has ended.
pub(super) async fn progress(State(state): State<Arc<ApiState>>, path: PathName) -> Result<Response, Problem> {
    let id = name_in_path(path)?;
    let (queue_id, workflow) = super::read::find(&state, &id).await?;
    let streams = state.streams.clone();
    let watch = Watch { state, queue_id, next: Some(workflow), last: None };
    let events = futures::stream::unfold(watch, |mut watch| async {
        let workflow = watch.change().await?;
        let event = Event::default().event("progress").data(workflow.summary().to_string());
        Some((event, watch))
    });
    streams.serve(events)
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
            let streams = u32::try_from(self.state.streams.open()).unwrap_or(u32::MAX);
            tokio::time::sleep(LOOK + LOOK_PER_STREAM * streams).await;
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
    if !Topic::PUBLIC.iter().any(|public| public.as_str() == topic) {
        let names = Topic::PUBLIC.map(Topic::as_str).join(", ");
        let message = format!("there is no such public topic; there are {names}");
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
    let place = state.streams.enter()?;
    let offsets = bus.end_offsets(&topic).await.map_err(|error| Problem::unavailable(&error))?;
    let upgrade = upgrade.max_message_size(LARGEST_MESSAGE).max_frame_size(LARGEST_MESSAGE);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let _place = place;
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
        let looked_at = Instant::now();
        let mut is_idle = true;
        let ends = bus.end_offsets(topic).await.map_err(|error| error.to_string())?;
        offsets.resize(ends.len().max(offsets.len()), 0);
        // One after another: what all partitions hold may be much at once.
        for ((partition, offset), end) in (0..).zip(&mut offsets).zip(ends) {
            if end <= *offset {
                continue;
            }
            let read = bus.read(topic, partition, *offset, RECORDS_PER_LOOK, BYTES_PER_LOOK).await;
            for stored in read.map_err(|error| error.to_string())? {
                is_idle = false;
                *offset = stored.offset + 1;
                let text = streamforge_message::shown(&stored.record).to_string();
                socket.send(Message::text(text)).await.map_err(|error| error.to_string())?;
            }
        }
        // Pings are answered where a message is read, so this may not wait for a quiet moment.
        for _ in 0..MESSAGES_PER_LOOK {
            match socket.recv().now_or_never() {
                Some(received) => {
                    if has_ended(received)? {
                        return Ok(());
                    }
                }
                None => break,
            }
        }
        let mut is_due = !is_idle;
        let next = if is_idle { looked_at + PAUSE } else { looked_at };
        loop {
            tokio::select! {
                changed = appended.changed(), if !is_due => {
                    changed.map_err(|_| "the bus is closed".to_owned())?;
                    is_due = true;
                }
                () = sleep_until(next), if is_due => break,
                received = socket.recv() => if has_ended(received)? {
                    return Ok(());
                },
            }
        }
    }
}

/// Whether the client said goodbye; whatever else it says is not asked for.
fn has_ended(received: Option<Result<Message, Error>>) -> Result<bool, String> {
    match received {
        Some(Ok(Message::Close(_))) | None => Ok(true),
        Some(Ok(_)) => Ok(false),
        Some(Err(error)) => Err(error.to_string()),
    }
}
