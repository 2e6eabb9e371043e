//! A function whose behaviour is chosen by the event's data, and the events for it.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use serde_json::{Value, json};
use streamforge_function::{Context, Error, Event, EventType, Function};
use tokio::sync::{Notify, Semaphore};

/// Does what the data's `do` says.
#[derive(Clone)]
pub(crate) struct Probe {
    /// Told when an event with `"do": "wait"` has begun.
    pub(crate) begun: Arc<Notify>,
    /// Lets such an event end.
    pub(crate) gate: Arc<Semaphore>,
}

impl Default for Probe {
    fn default() -> Self {
        Self { begun: Arc::default(), gate: Arc::new(Semaphore::new(0)) }
    }
}

impl Function for Probe {
    const NAME: &'static str = "probe";

    fn accepts(&self) -> &'static [EventType] {
        &[EventType::ControlStart]
    }

    fn api(self: Arc<Self>, context: Context) -> Router {
        Router::new().route("/name", get(async move || context.name())).route("/echo", post(async |body: String| body))
    }

    async fn handle(&self, event: Event, context: &Context) -> Result<Vec<Event>, Error> {
        let data: Value = streamforge_events::data(&event)?;
        let text = || "told so".to_owned();
        match data["do"].as_str().unwrap_or_default() {
            "invalid" => Err(Error::Invalid(text())),
            "unprocessable" => Err(Error::Unprocessable(text())),
            "conflict" => Err(Error::Conflict(text())),
            "busy" => Err(Error::Busy(text())),
            "unavailable" => Err(Error::Unavailable(text())),
            "internal" => Err(Error::Internal(text())),
            "panic" => panic!("told so"),
            "never end" => std::future::pending().await,
            "wait" => {
                self.begun.notify_one();
                self.gate.acquire().await.expect("the gate is never closed").forget();
                Ok(Vec::new())
            }
            "too large" => Ok(vec![output("big", "wf-1", &"x".repeat(1 << 20))]),
            "unknown output" => {
                let mut event = output("odd", "wf-1", "");
                cloudevents::AttributesWriter::set_type(&mut event, "com.example.other");
                Ok(vec![event])
            }
            "progress" => {
                context.publish(output("progress", "wf-1", "")).await?;
                Ok(vec![output("end", "wf-1", "")])
            }
            _ => Ok((0..6).map(|number| output(&format!("out-{number}"), &format!("wf-{}", number % 2), "")).collect()),
        }
    }
}

/// An event of type `control.start` whose data is `{"do": what}`.
pub(crate) fn start(what: &str) -> Event {
    event("io.streamforge.control.start.v1", "cause-1", "wf-1", &json!({"do": what}))
}

pub(crate) fn output(id: &str, queue_id: &str, text: &str) -> Event {
    event("io.streamforge.queue.reported.v1", id, queue_id, &json!({"text": text}))
}

pub(crate) fn event(kind: &str, id: &str, queue_id: &str, data: &Value) -> Event {
    serde_json::from_value(json!({
        "specversion": "1.0", "id": id, "source": "/streamforge/test", "type": kind,
        "partitionkey": queue_id, "queueid": queue_id, "datacontenttype": "application/json", "data": data,
    }))
    .expect("the attributes are complete")
}

/// The data of a control command.
pub(crate) fn command(command: &str, queue_id: &str) -> Value {
    json!({
        "command": command, "queue_id": queue_id, "target": "probe", "symbol": "BTCUSDT",
        "type": "api_candles_5m", "time_range": "2024-08-01:2024-08-02", "timestamp": 1_722_500_000.123, "telemetry_id": "probe__a1b2c3",
    })
}
