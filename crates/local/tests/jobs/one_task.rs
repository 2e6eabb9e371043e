//! The smallest job: it takes one task from its topic, commits it, says so, works on it and reports the end.
//!
//! It shows what a job owes to the platform. Parameters of a task: `hold` works until the job is told to stop,
//! `exit_code` ends it with that code and without a word.

use std::error::Error;

use serde_json::Value;
use streamforge_bus::Bus;
use streamforge_events::{ControlCommand, Event, EventType, Millis, ReportStatus, data};
use streamforge_function::{Config, Context, job, wire::decode_record};
use streamforge_store::{LeaseOutcome, Store};

/// Name of the job, of its topic and of its group.
const NAME: &str = "one-task";

/// How long a taken task is nobody else's.
const LEASE: Millis = 60_000;

/// The process of the job: this test, started by a script that the others write.
#[test]
#[ignore = "the platform starts it"]
fn process() {
    let outcome = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(run()));
    let code = outcome.unwrap_or_else(|error| {
        eprintln!("{NAME}: {error}");
        1
    });
    std::process::exit(code);
}

async fn run() -> Result<i32, Box<dyn Error>> {
    let config = Config::from_environment(job::SETTINGS)?;
    job::log_to_stderr(&config);
    let announcer = job::Announcer::start(&config).await?;
    let stop = job::stop_requested(&config)?;
    let bus = streamforge_bus::open(job::bus_url(&config)?)?;
    let store = streamforge_store::open(config.store_url()?).await?;
    let context = Context::new(NAME, config)?;
    let Some(event) = claim(bus.as_ref(), store.as_ref(), context.now()).await? else {
        return Ok(0);
    };
    let command: ControlCommand = data(&event)?;
    report(&context, &event, &command, ReportStatus::Started).await?;
    announcer.claimed(&command)?;
    if let Some(code) = command.parameters.get("exit_code").and_then(Value::as_u64) {
        return Ok(i32::try_from(code)?);
    }
    let mut end = ReportStatus::Finished;
    if command.parameters.contains_key("hold") {
        stop.await;
        end = ReportStatus::Interrupted;
    }
    report(&context, &event, &command, end).await?;
    Ok(0)
}

/// Takes the first task that nobody else has: the lease decides who it is, and only then is it committed.
async fn claim(bus: &dyn Bus, store: &dyn Store, now: Millis) -> Result<Option<Event>, Box<dyn Error>> {
    for (partition, next) in (0..).zip(bus.committed(NAME, NAME).await?) {
        for stored in bus.read(NAME, partition, next.unwrap_or_default(), 100, 1 << 20).await? {
            let key = format!("{NAME}/{partition}/{}", stored.offset);
            let holder = std::process::id().to_string();
            let LeaseOutcome::Acquired(_) = store.acquire(&key, &holder, now, now + LEASE).await? else { continue };
            let headers = stored.record.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
            let event = decode_record(headers, &stored.record.value)?;
            bus.commit(NAME, NAME, partition, stored.offset + 1).await?;
            if event_type(&event) {
                return Ok(Some(event));
            }
        }
    }
    Ok(None)
}

fn event_type(event: &Event) -> bool {
    streamforge_events::event_type(event).is_ok_and(|kind| kind == EventType::ControlStart)
}

async fn report(
    context: &Context,
    cause: &Event,
    command: &ControlCommand,
    status: ReportStatus,
) -> Result<(), Box<dyn Error>> {
    let report = context.report(command, status);
    context.publish(context.report_event(cause, &report)?).await?;
    Ok(())
}
