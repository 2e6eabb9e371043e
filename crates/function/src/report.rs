//! Reports on `queue-events`: what every worker says about the command that it works on.

use streamforge_events::{
    AttributesReader, ControlCommand, Envelope, Event, EventType, Report, ReportStatus, digest, hex,
};

use crate::{Context, Error};

impl Context {
    /// Begins a report about a command: queue, symbol, type, task, attempt, producer and time are filled in.
    ///
    /// The caller adds what it knows: message, records, batch, `extra`. An `error` counts as the end of the task;
    /// clear `finished` for one that the worker goes on after.
    #[must_use]
    pub fn report(&self, command: &ControlCommand, status: ReportStatus) -> Report {
        let queue_id = command.queue_id.to_string();
        let short = queue_id.rsplit('-').next().unwrap_or_default();
        Report {
            producer: format!("{}__{short}", self.name()),
            queue_id: command.queue_id.clone(),
            symbol: command.symbol.clone(),
            kind: command.kind.clone(),
            task: command.task.clone(),
            attempt: command.attempt,
            status,
            finished: matches!(status, ReportStatus::Finished | ReportStatus::Interrupted | ReportStatus::Error),
            timestamp: seconds(self.now()),
            message: String::new(),
            records_written: 0,
            batch: None,
            records_total: None,
            error_message: None,
            extra: None,
        }
    }

    /// The event of a report.
    ///
    /// Its id follows from the cause and from what is reported, not from when: the same progress of the same
    /// delivery is the same event. A failure's words and what it adds in `extra` are of one moment, and another
    /// moment's are another event.
    ///
    /// # Errors
    /// [`Error::Internal`] where the event cannot be built.
    pub fn report_event(&self, cause: &Event, report: &Report) -> Result<Event, Error> {
        let (records, extra) = (report.records_written.to_string(), report.extra.as_ref().map(ToString::to_string));
        let batch = report.batch.as_deref().unwrap_or_default();
        let mut parts = vec![cause.source(), cause.id(), self.name(), report.status.as_str(), batch, &records];
        parts.extend(report.error_message.as_deref());
        parts.extend(extra.as_deref());
        let id = hex(&digest(&parts));
        let queue_id = report.queue_id.to_string();
        let mut extensions =
            vec![("partitionkey".to_owned(), queue_id.clone()), ("queueid".to_owned(), queue_id.clone())];
        extensions.extend(report.task.clone().map(|task| ("task".to_owned(), task)));
        extensions.extend(report.attempt.map(|attempt| ("attempt".to_owned(), attempt.to_string())));
        let envelope = Envelope {
            id,
            source: format!("/streamforge/{}", self.name()),
            kind: EventType::QueueReported,
            subject: queue_id,
            time: self.now(),
            extensions,
        };
        Ok(envelope.build(report)?)
    }
}

/// # Units
/// UTC milliseconds in, seconds out: the wire format of old has fractional seconds.
#[expect(clippy::cast_precision_loss, reason = "an f64 is exact to the millisecond for 285,000 years")]
fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}
