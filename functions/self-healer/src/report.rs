//! What the workflow is told in the place of a job that cannot tell it itself.

use streamforge_events::{Envelope, Error, Event, EventType, Millis, Report, ReportStatus, digest, hex};

use crate::seen::Task;

/// Whether another attempt may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outlook {
    NextAttempt,
    None,
}

/// The failure of the attempt under way; its id follows from the attempt, so that it is one event however often it is
/// published.
pub(crate) fn failure(task: &Task, outlook: Outlook, words: &str, now: Millis) -> Result<Event, Error> {
    let queue_id = task.queue_id.to_string();
    let short = queue_id.rsplit('-').next().unwrap_or_default();
    let attempt = task.attempt.to_string();
    let report = Report {
        producer: format!("{}__{short}", task.function),
        queue_id: task.queue_id.clone(),
        symbol: Some(task.symbol.clone()),
        kind: task.kind.clone(),
        status: ReportStatus::Error,
        message: words.to_owned(),
        records_written: 0,
        finished: outlook == Outlook::None,
        timestamp: seconds(now),
        task: Some(task.id.clone()),
        attempt: Some(task.attempt),
        batch: None,
        records_total: None,
        error_message: Some(words.to_owned()),
        extra: None,
    };
    let kind = if outlook == Outlook::None { "given up" } else { "died" };
    let envelope = Envelope {
        id: hex(&digest(&["self-healer", &queue_id, &task.id, &attempt, kind])),
        source: format!("/streamforge/{}", task.function),
        kind: EventType::QueueReported,
        subject: queue_id.clone(),
        time: now,
        extensions: vec![
            ("partitionkey".to_owned(), queue_id.clone()),
            ("queueid".to_owned(), queue_id),
            ("task".to_owned(), task.id.clone()),
            ("attempt".to_owned(), attempt),
        ],
    };
    envelope.build(&report)
}

/// # Units
/// UTC milliseconds in, seconds out.
#[expect(clippy::cast_precision_loss, reason = "an f64 is exact to the millisecond for 285,000 years")]
fn seconds(millis: Millis) -> f64 {
    millis as f64 / 1000.0
}
