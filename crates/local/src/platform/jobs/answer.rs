//! What the platform says in the place of a job: the end of every task that waits for one that cannot run, and that a
//! run died with its task.

use streamforge_bus::StoredRecord;
use streamforge_events::{
    AttributesReader, Command, ControlCommand, Envelope, Event, EventType, Report, ReportStatus, data, digest, hex,
};
use streamforge_function::{PublishError, wire::decode_record};
use tracing::warn;

use super::Jobs;
use crate::{manifest::KafkaTrigger, platform::now};

/// How much is read of a partition at once.
const RECORDS: usize = 100;
const BYTES: usize = 1 << 20;

/// Why waiting tasks could not be answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The log failed.
    #[error("event log failed: {0}")]
    Bus(#[from] streamforge_bus::Error),
    /// The broker did not take a report.
    #[error("report could not be published: {0}")]
    Publish(#[from] PublishError),
    /// A report could not be built.
    #[error("report could not be built: {0}")]
    Event(#[from] streamforge_events::Error),
}

impl Jobs {
    /// Ends every task that waits in the job's topics with these words, and commits it.
    pub(super) async fn refuse_waiting(&self, words: &str) -> Result<(), Error> {
        for trigger in &self.rules.triggers {
            let Some(topic) = &trigger.topic else { continue };
            for (partition, next) in (0..).zip(self.bus.committed(&trigger.consumer_group, topic).await?) {
                self.refuse_partition(trigger, topic, partition, next.unwrap_or_default(), words).await?;
            }
        }
        Ok(())
    }

    /// Tells that a run ended before its task did, so that the task is given out again soon.
    pub(super) async fn tell_of_death(&self, task: ControlCommand, reason: &str) -> Result<(), Error> {
        let words = format!("its process ended: {reason}");
        let attempt = task.attempt.unwrap_or_default().to_string();
        let name = task.task.clone().unwrap_or_default();
        let id = hex(&digest(&[task.queue_id.as_str(), &name, &attempt, &self.command.name, "died"]));
        let event = report_event(&self.command.name, id, task, ReportStatus::Interrupted, &words)?;
        Ok(self.publisher.publish(&event).await?)
    }

    async fn refuse_partition(
        &self,
        trigger: &KafkaTrigger,
        topic: &str,
        partition: u32,
        mut next: u64,
        words: &str,
    ) -> Result<(), Error> {
        loop {
            let records = self.bus.read(topic, partition, next, RECORDS, BYTES).await?;
            let Some(last) = records.last() else { return Ok(()) };
            next = last.offset + 1;
            for record in records {
                self.refuse(record, words).await?;
            }
            self.bus.commit(&trigger.consumer_group, topic, partition, next).await?;
        }
    }

    async fn refuse(&self, record: StoredRecord, words: &str) -> Result<(), Error> {
        let StoredRecord { topic, partition, offset, record } = record;
        let headers = record.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
        let read = decode_record(headers, &record.value).map_err(|refusal| refusal.to_string());
        let read = read.and_then(|event| {
            let command = data::<ControlCommand>(&event).map_err(|error| error.to_string())?;
            Ok((event, command))
        });
        match read {
            Ok((event, command)) if command.command == Command::Start => {
                let job = &self.command.name;
                let id = hex(&digest(&[event.source(), event.id(), job, "cannot run"]));
                self.publisher.publish(&report_event(job, id, command, ReportStatus::Error, words)?).await?;
            }
            Ok(_) => {}
            Err(reason) => warn!(%topic, partition, offset, %reason, "record is no command for a job"),
        }
        Ok(())
    }
}

/// The last report of an attempt at the task of a command.
fn report_event(
    job: &str,
    id: String,
    command: ControlCommand,
    status: ReportStatus,
    words: &str,
) -> Result<Event, streamforge_events::Error> {
    let now = now();
    let queue_id = command.queue_id.to_string();
    let short = queue_id.rsplit('-').next().unwrap_or_default();
    let mut extensions = vec![("partitionkey".to_owned(), queue_id.clone()), ("queueid".to_owned(), queue_id.clone())];
    extensions.extend(command.task.clone().map(|task| ("task".to_owned(), task)));
    extensions.extend(command.attempt.map(|attempt| ("attempt".to_owned(), attempt.to_string())));
    let report = Report {
        producer: format!("{job}__{short}"),
        queue_id: command.queue_id,
        symbol: command.symbol,
        kind: command.kind,
        status,
        message: words.to_owned(),
        records_written: 0,
        finished: true,
        timestamp: seconds(now),
        task: command.task,
        attempt: command.attempt,
        batch: None,
        records_total: None,
        error_message: (status == ReportStatus::Error).then(|| words.to_owned()),
        extra: None,
    };
    let envelope = Envelope {
        id,
        source: format!("/streamforge/{job}"),
        kind: EventType::QueueReported,
        subject: queue_id,
        time: now,
        extensions,
    };
    envelope.build(&report)
}

/// # Units
/// UTC milliseconds in, seconds out.
#[expect(clippy::cast_precision_loss, reason = "an f64 is exact to the millisecond for 285,000 years")]
fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}
