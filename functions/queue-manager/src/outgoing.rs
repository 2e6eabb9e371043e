//! The events that the engine and its API publish.
//!
//! Every id follows from what caused the event, so a repeated event is recognised as the same one.

use serde_json::{Map, Value, json};
use streamforge_events::{
    Command as Order, ControlCommand, Envelope, Error, Event, EventType, Millis, QueueId, Symbol, TimeRange, rfc3339,
};

use crate::{
    document::{Command, Stage, Task, Work, Workflow},
    engine::Request,
};

const SOURCE: &str = "/streamforge/queue-manager";

/// The event that carries out a command; none for one that is no event, or whose task is gone.
pub(crate) fn event(workflow: &Workflow, command: &Command, now: Millis) -> Result<Option<Event>, Error> {
    let event = match command {
        Command::MarkLoaded { .. } => return Ok(None),
        Command::Start { task, attempt } => match workflow.task(task) {
            Some((stage, task)) => start(workflow, stage, task, *attempt, now)?,
            None => return Ok(None),
        },
        Command::Stop { target } => stop(workflow, target, now)?,
        Command::Finish => finished(workflow, now)?,
    };
    Ok(Some(event))
}

/// `workflow.requested` for a request that came over HTTP.
pub(crate) fn requested(request: &Request, queue_id: &QueueId, now: Millis) -> Result<Event, Error> {
    let envelope = Envelope {
        id: request.id.clone(),
        source: request.source.clone(),
        ..envelope(EventType::WorkflowRequested, queue_id, String::new(), now)
    };
    traced(envelope, request.traceparent.as_deref()).build(&request.body)
}

/// `workflow.overdue`: the clock's word that a deadline has passed.
pub(crate) fn overdue(queue_id: &QueueId, deadline: Millis, now: Millis) -> Result<Event, Error> {
    let id = format!("{queue_id}/overdue/{deadline}");
    let data = json!({"queue_id": queue_id, "deadline": rfc3339(deadline)});
    envelope(EventType::WorkflowOverdue, queue_id, id, now).build(&data)
}

/// A command that somebody gave by hand; `nonce` tells it from the one before.
pub(crate) fn control(
    queue_id: &QueueId,
    order: Order,
    target: &str,
    nonce: &str,
    now: Millis,
) -> Result<Event, Error> {
    let (kind, name) = match order {
        Order::Ping => (EventType::ControlPing, "ping"),
        Order::Stop => (EventType::ControlStop, "stop"),
        Order::Start => (EventType::ControlStart, "start"),
    };
    let id = format!("{queue_id}/{name}/{target}/{nonce}");
    let mut envelope = envelope(kind, queue_id, id, now);
    envelope.extensions.push(("target".to_owned(), target.to_owned()));
    envelope.build(&command(queue_id, order, target, now))
}

fn start(workflow: &Workflow, stage: &Stage, task: &Task, attempt: u32, now: Millis) -> Result<Event, Error> {
    let id = format!("{}/start/{}/{attempt}", workflow.id, task.id);
    let mut envelope = envelope(EventType::ControlStart, &workflow.id, id, now);
    envelope.extensions.extend([
        ("target".to_owned(), stage.function.clone()),
        ("task".to_owned(), task.id.clone()),
        ("attempt".to_owned(), attempt.to_string()),
    ]);
    let data = ControlCommand {
        symbol: Some(task.symbol.clone()),
        kind: stage.r#type.clone(),
        time_range: Some(task.range.to_string()),
        kafka_topic: Some(workflow.kafka_topic.clone()),
        collection_name: Some(collection_name(&task.symbol, &stage.r#type, task.range)),
        task: Some(task.id.clone()),
        attempt: Some(attempt),
        parameters: parameters(workflow, stage, task),
        ..command(&workflow.id, Order::Start, &stage.function, now)
    };
    traced(envelope, workflow.traceparent.as_deref()).build(&data)
}

fn stop(workflow: &Workflow, target: &str, now: Millis) -> Result<Event, Error> {
    let id = format!("{}/stop/{target}", workflow.id);
    let mut envelope = envelope(EventType::ControlStop, &workflow.id, id, now);
    envelope.extensions.push(("target".to_owned(), target.to_owned()));
    traced(envelope, workflow.traceparent.as_deref()).build(&command(&workflow.id, Order::Stop, target, now))
}

/// `workflow.finished`: how the workflow ended, well or not.
fn finished(workflow: &Workflow, now: Millis) -> Result<Event, Error> {
    let envelope = envelope(EventType::WorkflowFinished, &workflow.id, format!("{}/finished", workflow.id), now);
    let data = json!({
        "queue_id": workflow.id,
        "symbols": workflow.symbols,
        "type": workflow.r#type,
        "status": workflow.status,
        "records_written": workflow.records_written,
        "restated": workflow.restated(),
        "model": workflow.model,
        "error_message": workflow.error_message,
        "finished_at": workflow.finished_at.map(rfc3339),
    });
    traced(envelope, workflow.traceparent.as_deref()).build(&data)
}

/// What a task is told: the parameters of its stage, what earlier stages made for it, for a loader the slice,
/// and for a task with symbols of its own these.
fn parameters(workflow: &Workflow, stage: &Stage, task: &Task) -> Map<String, Value> {
    let mut parameters = stage.parameters.clone();
    for product in &stage.takes {
        workflow.tell(*product, &mut parameters);
    }
    if matches!(stage.work, Work::Load(_)) {
        parameters.insert("from".to_owned(), task.range.from().into());
        parameters.insert("to".to_owned(), task.range.to().into());
    }
    if !task.symbols.is_empty() {
        parameters.insert("symbols".to_owned(), json!(task.symbols));
    }
    parameters
}

fn command(queue_id: &QueueId, order: Order, target: &str, now: Millis) -> ControlCommand {
    let code = queue_id.as_str().rsplit('-').next().unwrap_or_default();
    ControlCommand {
        command: order,
        queue_id: queue_id.clone(),
        target: target.to_owned(),
        symbol: None,
        kind: String::new(),
        time_range: None,
        kafka_topic: None,
        collection_name: None,
        telemetry_id: format!("{target}__{code}"),
        image: None,
        timestamp: seconds(now),
        task: None,
        attempt: None,
        parameters: Map::new(),
    }
}

/// The name that the old contract gave to a collection, such as `btcusdt_api_candles_5m_2024_08_01`.
fn collection_name(symbol: &Symbol, kind: &str, range: TimeRange) -> String {
    let day: String = rfc3339(range.from()).chars().take(10).collect();
    format!("{}_{kind}_{}", symbol.to_lower(), day.replace('-', "_"))
}

/// Seconds with milliseconds, as the old contract writes time.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of this age are far below 2^52")]
fn seconds(now: Millis) -> f64 {
    now as f64 / 1000.0
}

fn envelope(kind: EventType, queue_id: &QueueId, id: String, now: Millis) -> Envelope {
    let queue = queue_id.to_string();
    Envelope {
        id,
        source: SOURCE.to_owned(),
        kind,
        subject: queue.clone(),
        time: now,
        extensions: vec![("partitionkey".to_owned(), queue.clone()), ("queueid".to_owned(), queue)],
    }
}

fn traced(mut envelope: Envelope, traceparent: Option<&str>) -> Envelope {
    envelope.extensions.extend(traceparent.map(|parent| ("traceparent".to_owned(), parent.to_owned())));
    envelope
}
