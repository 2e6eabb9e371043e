//! `GET /views/lineage/{queue_id}`: the events of a workflow, each after the one that caused it.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use serde::Serialize;
use serde_json::{Value, json};
use streamforge_bus::{Bus, Error, StoredRecord, TopicDescription};
use streamforge_events::{EventType, Millis, QueueId, Topic, parse_instant};
use streamforge_function::{
    api::{PathName, Problem, name_in_path, success},
    axum::{extract::State, http::StatusCode, response::Response},
};
use streamforge_message::Message;

use crate::Views;

/// Events of one answer.
const MOST: usize = 2000;

/// Records that are looked at in a partition, and their bytes: of all workflows, and so many more than are shown.
const LOOKED_AT: u64 = 50_000;
const BYTES_LOOKED_AT: usize = 64 << 20;

const RECORDS_PER_READ: usize = 500;
const BYTES_PER_READ: usize = 4 << 20;

/// How far clocks may be apart, and the request lies before the document that it became.
const SLACK: Millis = 60_000;

/// An event of a workflow.
#[derive(Clone, Debug, Serialize)]
struct Link {
    id: String,
    r#type: String,
    source: String,
    subject: Option<String>,
    time: Option<String>,
    task: Option<String>,
    attempt: Option<String>,
    topic: String,
    partition: u32,
    offset: u64,
    /// When it was published, by which events without a cause are ordered.
    timestamp: Millis,
    /// Id of the event that led to it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    /// Of a report on a batch, the id of the event that brought it.
    #[serde(skip)]
    batch: Option<String>,
}

pub(crate) async fn show(State(views): State<Arc<Views>>, path: PathName) -> Result<Response, Problem> {
    let id = name_in_path(path)?;
    let unknown = || {
        let shown: String = id.chars().take(200).collect();
        Problem::new(StatusCode::NOT_FOUND, "unknown_queue", format!("there is no workflow `{shown}`"))
    };
    let queue_id: QueueId = id.parse().map_err(|_| unknown())?;
    let stored = views.store.get(&queue_id).await.map_err(|error| Problem::unavailable(&error))?;
    let workflow = stored.ok_or_else(unknown)?.document;
    let ended = workflow.json["finished_at"].as_str().and_then(parse_instant).unwrap_or(Millis::MAX);
    let span = (workflow.created_at.saturating_sub(SLACK), ended.saturating_add(SLACK));
    let topics = views.topics().await?;
    let (mut links, mut is_complete) = (Vec::new(), true);
    // Batches come last: there may be more of them than fit.
    for topic in Topic::ALL.iter().filter_map(|known| topics.iter().find(|topic| topic.name == known.as_str())) {
        let whole = collect(views.bus.as_ref(), topic, &queue_id, span, &mut links).await;
        is_complete &= whole.map_err(|error| Problem::unavailable(&error))?;
    }
    let data = json!({"events": ordered(links), "is_complete": is_complete});
    Ok(success(StatusCode::OK, "events in the order of cause", &data))
}

/// Adds the events of a workflow in one topic; answers whether those are all.
async fn collect(
    bus: &dyn Bus,
    topic: &TopicDescription,
    queue_id: &QueueId,
    (since, until): (Millis, Millis),
    links: &mut Vec<Link>,
) -> Result<bool, Error> {
    let mut is_whole = true;
    for (number, held) in (0..).zip(&topic.offsets) {
        let start = first_since(bus, &topic.name, number, (held.start, held.end), since).await?;
        // What retention has taken away may have been of this workflow.
        is_whole &= start > held.start || held.start == 0;
        let (mut next, mut bytes) = (start, 0);
        while next < held.end {
            if next - start >= LOOKED_AT || bytes >= BYTES_LOOKED_AT {
                is_whole = false;
                break;
            }
            let records = bus.read(&topic.name, number, next, RECORDS_PER_READ, BYTES_PER_READ).await?;
            let Some(last) = records.last().filter(|_| records[0].record.timestamp <= until) else { break };
            next = last.offset + 1;
            bytes += records.iter().map(|stored| stored.record.size()).sum::<usize>();
            for stored in records {
                if links.len() == MOST {
                    return Ok(false);
                }
                links.extend(link(stored, queue_id));
            }
        }
    }
    Ok(is_whole)
}

/// The offset from which on records may be as late as `since`: they are nearly in the order of time.
async fn first_since(
    bus: &dyn Bus,
    topic: &str,
    partition: u32,
    (mut low, mut high): (u64, u64),
    since: Millis,
) -> Result<u64, Error> {
    while low < high {
        let middle = low.midpoint(high);
        let found = bus.read(topic, partition, middle, 1, 1).await?;
        match found.first() {
            Some(stored) if stored.record.timestamp < since => low = stored.offset + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}

fn link(stored: StoredRecord, queue_id: &QueueId) -> Option<Link> {
    let StoredRecord { topic, partition, offset, record } = stored;
    let timestamp = record.timestamp;
    let event = Message::from_record(record).ok()?;
    let text = |name: &str| event.attribute(name).map(str::to_owned);
    let is_of_queue = text("queueid").or_else(|| text("subject")).is_some_and(|queue| queue == queue_id.as_str());
    if !is_of_queue {
        return None;
    }
    let number = serde_json::from_slice::<Value>(event.body()).ok().and_then(|report| {
        let is_report = event.attribute("type") == Some(EventType::QueueReported.as_str());
        is_report.then(|| report["batch"].as_str().map(str::to_owned))?
    });
    // As loaders name their batches.
    let batch = match (text("task"), text("attempt"), number) {
        (Some(task), Some(attempt), Some(number)) => Some(format!("{queue_id}/{task}/{attempt}/{number}")),
        _ => None,
    };
    Some(Link {
        id: text("id").unwrap_or_default(),
        r#type: text("type").unwrap_or_default(),
        source: text("source").unwrap_or_default(),
        subject: text("subject"),
        time: text("time"),
        task: text("task"),
        attempt: text("attempt"),
        topic,
        partition,
        offset,
        timestamp,
        cause: None,
        batch,
    })
}

/// Puts events into the order of time and tells the cause of each; a cause never comes after what it led to.
fn ordered(mut links: Vec<Link>) -> Vec<Link> {
    links.sort_by_key(|link| (link.timestamp, rank(link), link.partition, link.offset));
    let (mut seen, mut starts) = (HashSet::new(), HashMap::new());
    let (mut requested, mut reported) = (None, None);
    for link in &mut links {
        let task = link.task.clone().zip(link.attempt.clone());
        link.cause = match EventType::parse(&link.r#type) {
            Ok(EventType::WorkflowRequested) => {
                requested = Some(link.id.clone());
                None
            }
            // A later stage begins, and a workflow ends, with the report of what came before.
            Ok(EventType::ControlStart | EventType::ControlStop | EventType::WorkflowFinished) => {
                reported.clone().or_else(|| requested.clone())
            }
            _ => {
                let batch = link.batch.take().filter(|batch| seen.contains(batch));
                batch.or_else(|| task.as_ref().and_then(|task| starts.get(task)).cloned())
            }
        };
        match EventType::parse(&link.r#type) {
            Ok(EventType::ControlStart) => starts.extend(task.map(|task| (task, link.id.clone()))),
            Ok(EventType::QueueReported) => reported = Some(link.id.clone()),
            _ => {}
        }
        seen.insert(link.id.clone());
    }
    links
}

/// Events of one instant come in the order in which a workflow makes them.
fn rank(link: &Link) -> usize {
    let order = [
        EventType::WorkflowRequested,
        EventType::ControlStart,
        EventType::KlinesLoaded,
        EventType::TradesLoaded,
        EventType::PredictionMade,
        EventType::ModelTrained,
        EventType::QueueReported,
        EventType::ControlStop,
        EventType::WorkflowFinished,
    ];
    order.iter().position(|kind| kind.as_str() == link.r#type).unwrap_or(order.len())
}
