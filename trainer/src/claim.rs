//! Taking one training from the log: a lease first, then the commit, so that each is one trainer's and none is lost.

use streamforge_bus::{Bus, Error as BusError, Record};
use streamforge_events::{Command, ControlCommand, Event, Millis, data};
use streamforge_function::{Holder, lease_key, wire};
use streamforge_store::{Fence, LeaseOutcome, Store};

use crate::job::JobError;

/// The topic of trainings, and the group that counts as having taken them.
pub(crate) const TOPIC: &str = "gnn-trainer";
pub(crate) const GROUP: &str = "gnn-trainer";

/// How long a trainer that died keeps others from its task.
///
/// # Units
/// Milliseconds.
pub(crate) const LEASE: Millis = 10_000;

/// Statuses of a workflow that nobody waits for any more.
const ENDED: [&str; 3] = ["finished", "stopped", "error"];

/// A training that is ours.
#[derive(Debug)]
pub(crate) struct Claim {
    /// The command as it arrived.
    pub(crate) event: Event,
    /// What it says.
    pub(crate) command: ControlCommand,
    /// Key of the lease.
    pub(crate) key: String,
    /// Which acquisition of it is ours.
    pub(crate) fence: Fence,
}

/// Takes the next training that nobody else has; none if there is none.
///
/// # Errors
/// [`JobError`] if log or store fail; nothing is lost then.
pub(crate) async fn claim(
    bus: &dyn Bus,
    store: &dyn Store,
    process: &str,
    clock: &dyn Fn() -> Millis,
) -> Result<Option<Claim>, JobError> {
    let committed = bus.committed(GROUP, TOPIC).await?;
    let ends = bus.end_offsets(TOPIC).await?;
    for ((partition, committed), end) in (0..).zip(committed).zip(ends) {
        let mut next = committed.unwrap_or(0);
        while next < end {
            let record = match bus.fetch(TOPIC, partition, next, 1, usize::MAX).await {
                Ok(mut records) => records.pop(),
                Err(BusError::RecordsGone { resume, .. }) => {
                    bus.record_loss(GROUP, TOPIC, partition, next, resume).await?;
                    bus.commit(GROUP, TOPIC, partition, resume).await?;
                    next = resume;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let Some(record) = record else { break };
            let claim = match training(&record.record) {
                Ok(Some((event, command))) => take(store, event, command, process, clock).await?,
                Ok(None) => None,
                Err(reason) => {
                    tracing::warn!(partition, offset = next, reason, "a record of the trainer's topic is passed over");
                    None
                }
            };
            next += 1;
            // Behind the lease: a trainer that dies in between leaves the record to the next one.
            bus.commit(GROUP, TOPIC, partition, next).await?;
            if claim.is_some() {
                return Ok(claim);
            }
        }
    }
    Ok(None)
}

/// The training that a record commands; none for other commands.
fn training(record: &Record) -> Result<Option<(Event, ControlCommand)>, String> {
    let headers = record.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
    let event = wire::decode_record(headers, &record.value).map_err(|refusal| refusal.to_string())?;
    let command: ControlCommand = data(&event).map_err(|error| error.to_string())?;
    Ok((command.command == Command::Start).then_some((event, command)))
}

/// Takes the lease of a task; none if it is another trainer's, done, or of a workflow that has ended meanwhile.
///
/// A later attempt takes it from an earlier one: whoever gave the task out again has given the earlier one up.
async fn take(
    store: &dyn Store,
    event: Event,
    command: ControlCommand,
    process: &str,
    clock: &dyn Fn() -> Millis,
) -> Result<Option<Claim>, JobError> {
    let key = lease_key(&command.queue_id, command.task.as_deref().unwrap_or_default());
    let workflow = store.get(&command.queue_id).await?;
    if workflow.is_some_and(|workflow| ENDED.contains(&workflow.document.status.as_str())) {
        tracing::info!(key, "the workflow has ended");
        return Ok(None);
    }
    let own = Holder { process: process.to_owned(), attempt: command.attempt.unwrap_or_default() };
    loop {
        let now = clock();
        match store.acquire(&key, &own.to_string(), now, now + LEASE).await? {
            LeaseOutcome::Acquired(fence) => return Ok(Some(Claim { event, command, key, fence })),
            LeaseOutcome::Held { holder, .. } if is_earlier(&holder, own.attempt) => {
                tracing::info!(key, holder, "the task is taken from an earlier attempt");
                let lease = store.lease(&key).await?.filter(|lease| lease.holder == holder);
                if let Some(lease) = lease {
                    store.release(&key, lease.fence).await?;
                }
            }
            LeaseOutcome::Held { holder, .. } => {
                tracing::info!(key, holder, "the task is another trainer's");
                return Ok(None);
            }
            LeaseOutcome::Done => return Ok(None),
        }
    }
}

fn is_earlier(holder: &str, attempt: u32) -> bool {
    holder.parse::<Holder>().is_ok_and(|holder| holder.attempt < attempt)
}
