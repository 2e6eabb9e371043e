//! Taking one task from the log: a lease first, then the commit, so that each is one job's and none is lost.

use std::time::Duration;

use streamforge_bus::{Bus, Error as BusError, Record};
use streamforge_events::{Command, ControlCommand, Event, Millis, data};
use streamforge_function::{Holder, lease_key, wire};
use streamforge_store::{Fence, LeaseOutcome, Store};

use crate::Error;

/// Where tasks of a job lie, and the group that counts as having taken them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// The topic.
    pub topic: &'static str,
    /// The consumer group.
    pub group: &'static str,
}

/// How long a job that died keeps others from its task.
///
/// # Units
/// Milliseconds.
pub const LEASE: Millis = 10_000;

/// Statuses of a workflow that nobody waits for any more.
const ENDED: [&str; 3] = ["finished", "stopped", "error"];

/// A task that is ours.
#[derive(Debug)]
pub struct Claim {
    /// The command as it arrived.
    pub event: Event,
    /// What it says.
    pub command: ControlCommand,
    /// Key of the lease.
    pub key: String,
    /// Which acquisition of it is ours.
    pub fence: Fence,
}

/// Takes the next task that nobody else has; none if there is none.
///
/// # Errors
/// [`Error`] if log or store fail; nothing is lost then.
pub async fn claim(
    queue: Queue,
    bus: &dyn Bus,
    store: &dyn Store,
    process: &str,
    clock: &dyn Fn() -> Millis,
) -> Result<Option<Claim>, Error> {
    let Queue { topic, group } = queue;
    let committed = bus.committed(group, topic).await?;
    let ends = bus.end_offsets(topic).await?;
    for ((partition, committed), end) in (0..).zip(committed).zip(ends) {
        let mut next = committed.unwrap_or(0);
        while next < end {
            let record = match bus.fetch(topic, partition, next, 1, usize::MAX).await {
                Ok(mut records) => records.pop(),
                Err(BusError::RecordsGone { resume, .. }) => {
                    bus.record_loss(group, topic, partition, next, resume).await?;
                    bus.commit(group, topic, partition, resume).await?;
                    next = resume;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let Some(record) = record else { break };
            let claim = match task(&record.record) {
                Ok(Some((event, command))) => take(store, event, command, process, clock).await?,
                Ok(None) => None,
                Err(reason) => {
                    tracing::warn!(partition, offset = next, reason, "a record of the job's topic is passed over");
                    None
                }
            };
            next += 1;
            // Behind the lease: a job that dies in between leaves the record to the next one.
            bus.commit(group, topic, partition, next).await?;
            if claim.is_some() {
                return Ok(claim);
            }
        }
    }
    Ok(None)
}

/// The task that a record commands; none for other commands.
fn task(record: &Record) -> Result<Option<(Event, ControlCommand)>, String> {
    let headers = record.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
    let event = wire::decode_record(headers, &record.value).map_err(|refusal| refusal.to_string())?;
    let command: ControlCommand = data(&event).map_err(|error| error.to_string())?;
    Ok((command.command == Command::Start).then_some((event, command)))
}

/// Takes the lease of a task; none if it is another job's, done, or of a workflow that has ended meanwhile.
///
/// A later attempt takes it from an earlier one: whoever gave the task out again has given the earlier one up.
async fn take(
    store: &dyn Store,
    event: Event,
    command: ControlCommand,
    process: &str,
    clock: &dyn Fn() -> Millis,
) -> Result<Option<Claim>, Error> {
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
                tracing::info!(key, holder, "the task is another job's");
                return Ok(None);
            }
            LeaseOutcome::Done => return Ok(None),
        }
    }
}

fn is_earlier(holder: &str, attempt: u32) -> bool {
    holder.parse::<Holder>().is_ok_and(|holder| holder.attempt < attempt)
}

/// Keeps the lease; resolves when it is another job's.
pub async fn keep_lease(store: &dyn Store, claim: &Claim, clock: &dyn Fn() -> Millis) {
    let third = Duration::from_millis(u64::try_from(LEASE / 3).unwrap_or(1_000));
    loop {
        tokio::time::sleep(third).await;
        let now = clock();
        match store.renew(&claim.key, claim.fence, now, now + LEASE).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => tracing::warn!(%error, "the lease could not be renewed"),
        }
    }
}
