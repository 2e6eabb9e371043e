//! Watches the commands of the queue manager for the end of a workflow, without being a member of any group.

use std::time::Duration;

use streamforge_bus::{Bus, Record};
use streamforge_events::{Command, ControlCommand, QueueId, Topic, data};
use streamforge_function::wire;

/// Longest wait before the log is looked at again.
const PAUSE: Duration = Duration::from_secs(1);

/// Records read at once.
const RECORDS: usize = 100;

/// Where each partition is read on from.
#[derive(Clone, Debug)]
pub struct Stops(Vec<u64>);

impl Stops {
    /// Begins at the end of the log: earlier commands were for earlier jobs.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub async fn from_now_on(bus: &dyn Bus) -> Result<Self, streamforge_bus::Error> {
        Ok(Self(bus.end_offsets(&Topic::QueueControl.to_string()).await?))
    }

    /// Resolves when the workflow is stopped.
    pub async fn of(mut self, bus: &dyn Bus, queue_id: &QueueId) {
        let mut appended = bus.appended();
        loop {
            appended.borrow_and_update();
            match self.look(bus, queue_id).await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "commands could not be read"),
            }
            tokio::time::timeout(PAUSE, appended.changed()).await.ok();
        }
    }

    async fn look(&mut self, bus: &dyn Bus, queue_id: &QueueId) -> Result<bool, streamforge_bus::Error> {
        let topic = Topic::QueueControl.to_string();
        for (partition, next) in (0..).zip(&mut self.0) {
            loop {
                let records = bus.read(&topic, partition, *next, RECORDS, usize::MAX).await?;
                let Some(last) = records.last() else { break };
                *next = last.offset + 1;
                if records.iter().any(|record| is_stop(&record.record, queue_id)) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

fn is_stop(record: &Record, queue_id: &QueueId) -> bool {
    let headers = record.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
    let Ok(event) = wire::decode_record(headers, &record.value) else { return false };
    let command: Result<ControlCommand, _> = data(&event);
    command.is_ok_and(|command| command.command == Command::Stop && command.queue_id == *queue_id)
}
