//! The job: claims one task, publishes what comes, keeps where it is, and reports; whatever kills it, the next one goes
//! on from there.

use std::{process::ExitCode, sync::Arc, time::Duration};

use serde_json::json;
use streamforge_events::{AttributesReader as _, Event, Report, ReportStatus};
use streamforge_exchange::{Client, ClientConfig, stream::stream_url};
use streamforge_function::{BuildError, Config, ConfigError, Context, chain, job};
use streamforge_job::{Claim, Queue, Stops, claim, keep_lease};
use streamforge_store::{ObjectStore, Store, open_objects};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

use crate::{Assignment, Checkpoint, Listening, NAME, Parcel, outgoing::declared};

/// Where tasks lie.
const QUEUE: Queue = Queue { topic: NAME, group: NAME };
/// Parcels that wait to be published: while one does, frames wait as they came, which takes a tenth of the memory, and
/// the next parcel has fewer and larger batches.
const WAITING: usize = 1;
/// How often the job tells how it goes on.
const REPORT_EVERY: Duration = Duration::from_secs(20);
/// Wait before what could not be published is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// Longest wait for what still has to be published when the job ends.
const LEAVING: Duration = Duration::from_secs(10);

/// How long a measurement of the exchange's clock is trusted.
const CLOCK_TRUST: Duration = Duration::from_secs(5);

/// Why the job ended without an end of its task.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The environment does not say what it needs.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It could not be set up.
    #[error("the loader could not be set up: {0}")]
    Build(#[from] BuildError),
    /// The log failed.
    #[error("the log failed: {0}")]
    Bus(#[from] streamforge_bus::Error),
    /// The store failed.
    #[error("the store failed: {0}")]
    Store(#[from] streamforge_store::Error),
    /// No task could be taken.
    #[error(transparent)]
    Claim(#[from] streamforge_job::Error),
    /// A report was not acknowledged.
    #[error("a report could not be published: {0}")]
    Report(#[from] streamforge_function::Error),
    /// Signals or standard output.
    #[error("the process could not be set up: {0}")]
    Process(#[from] std::io::Error),
}

/// How the listening ended.
enum End {
    /// No repetition will help; the words are for the user.
    Refused(String),
    /// Something that passes failed.
    Failed(String),
    /// Its workflow was stopped, or another job has the task.
    Left,
    /// This process is to go; another one goes on.
    HandedOn,
}

/// Runs the job from the environment: the body of `main`.
///
/// Exit codes: 0 after a task or if there was none to take, 64 for bad configuration, 1 for anything else.
#[must_use]
pub fn main() -> ExitCode {
    let outcome = Config::from_environment(job::SETTINGS).map_err(JobError::from).and_then(|config| {
        job::log_to_stderr(&config);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let outcome = runtime.block_on(run(config));
        runtime.shutdown_timeout(Duration::from_millis(100));
        outcome
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the loader ended early");
            let is_configuration = matches!(error, JobError::Config(_) | JobError::Build(BuildError::Config(_)));
            ExitCode::from(if is_configuration { 64 } else { 1 })
        }
    }
}

async fn run(config: Config) -> Result<(), JobError> {
    let announcer = job::Announcer::start(&config).await?;
    let bus = streamforge_bus::open(job::bus_url(&config)?)?;
    let store = streamforge_store::open(config.store_url()?).await?;
    let objects = open_objects(config.objects_url()?).await?;
    let url = config.exchange_url().to_owned();
    // What came a moment ago is asked about, so the clock has to be right to the second, also a simulated one.
    let settings = ClientConfig { clock_trust: CLOCK_TRUST, ..ClientConfig::new(url.clone()) };
    let client = Client::new(settings).map_err(|error| ConfigError::invalid("BINANCE_API_URL", error.to_string()))?;
    let stop = job::stop_requested(&config)?;
    let context = Context::new(NAME, config)?;
    let process = job::process_name(context.config(), NAME);
    let stops = Stops::from_now_on(bus.as_ref()).await?;
    let now = context.clone();
    let Some(claim) = claim(QUEUE, bus.as_ref(), store.as_ref(), &process, &move || now.now()).await? else {
        tracing::info!("there is no task to take");
        return Ok(());
    };
    announcer.claimed(&claim.command)?;
    let loader = Loader { store, objects, client, stream_url: stream_url(&url), context, claim };
    loader.report(ReportStatus::Started, |_| {}).await?;
    let clock = || loader.context.now();
    let end = tokio::select! {
        end = loader.listen() => end,
        () = stop => End::HandedOn,
        () = keep_lease(loader.store.as_ref(), &loader.claim, &clock) => End::Left,
        () = stops.of(bus.as_ref(), &loader.claim.command.queue_id) => End::Left,
    };
    loader.end(end).await
}

/// A claimed task and all that it reaches.
struct Loader {
    store: Arc<dyn Store>,
    objects: Arc<dyn ObjectStore>,
    client: Client,
    stream_url: String,
    context: Context,
    claim: Claim,
}

impl Loader {
    async fn listen(&self) -> End {
        let assignment = match Assignment::parse(&self.claim.command) {
            Ok(assignment) => assignment,
            Err(words) => return End::Refused(words),
        };
        // A stream of a symbol that does not exist is silent for ever; REST says so at once.
        match self.client.exchange_info(&assignment.symbols).await {
            Ok(_) => {}
            Err(error) if error.is_permanent() => return End::Refused(error.to_string()),
            Err(error) => return End::Failed(error.to_string()),
        }
        let checkpoint = match self.checkpoint().await {
            Ok(checkpoint) => checkpoint,
            Err(error) => return End::Failed(error.to_string()),
        };
        let listening = if self.context.config().exchange_is_recording() {
            Listening::to_recording(self.client.clone(), &self.stream_url, assignment, checkpoint)
        } else {
            Listening::new(self.client.clone(), &self.stream_url, assignment, checkpoint)
        };
        let (sender, parcels) = mpsc::channel(WAITING);
        tokio::select! {
            () = listening.run(sender) => End::Failed("the listening ended".to_owned()),
            end = self.publish(parcels) => end,
        }
    }

    /// Publishes parcels in their order, and keeps where that is.
    async fn publish(&self, mut parcels: mpsc::Receiver<Parcel>) -> End {
        let mut told: Option<Instant> = None;
        let mut kept = Checkpoint::default();
        let mut is_over = false;
        let mut events = 0_u64;
        while let Some(parcel) = parcels.recv().await {
            if !parcel.events.is_empty() {
                events += parcel.events.len() as u64;
                self.publish_all(&parcel).await;
            }
            if parcel.checkpoint != kept {
                match self.keep(&parcel.checkpoint).await {
                    Ok(()) => kept = parcel.checkpoint.clone(),
                    Err(error) => tracing::warn!(%error, "the place could not be kept"),
                }
            }
            let is_due = told.is_none_or(|told| told.elapsed() > REPORT_EVERY) || parcel.is_over != is_over;
            is_over = parcel.is_over;
            if is_due && (parcel.is_connected || told.is_some() || is_over) {
                let sent = self.report(ReportStatus::Loading, |report| {
                    report.message = format!("{} frames came, {events} events were published", parcel.tally.frames);
                    report.extra = Some(json!({
                        "connected": parcel.is_connected, "frames": parcel.tally.frames,
                        "refused": parcel.tally.refused, "events": events, "synced_books": parcel.synced_books,
                        "gaps": parcel.tally.gaps, "filled": parcel.tally.filled, "left": parcel.tally.left,
                        "over": parcel.is_over,
                    }));
                });
                match sent.await {
                    Ok(()) => told = Some(Instant::now()),
                    Err(error) => tracing::warn!(%error, "a report could not be published"),
                }
            }
        }
        End::Failed("nothing comes any more".to_owned())
    }

    async fn publish_all(&self, parcel: &Parcel) {
        loop {
            match self.context.publish_all(parcel.events.clone()).await {
                Ok(()) => return,
                Err(error) if error.is_retryable() => {
                    tracing::warn!(error = chain(&error), "events could not be published; they wait");
                    sleep(AGAIN).await;
                }
                Err(_) => break,
            }
        }
        // One of them is the reason; the others are not lost with it, and it is told of.
        for event in &parcel.events {
            self.publish_or_declare(event).await;
        }
    }

    async fn publish_or_declare(&self, event: &Event) {
        let mut event = event.clone();
        loop {
            match self.context.publish(event.clone()).await {
                Ok(()) => return,
                Err(error) if error.is_retryable() => {
                    tracing::warn!(error = chain(&error), "an event could not be published; it waits");
                    sleep(AGAIN).await;
                }
                Err(error) => {
                    let why = chain(&error);
                    tracing::error!(error = why, id = event.id(), "an event can never be published");
                    let Some(gap) = declared(&event, &why) else { return };
                    event = gap;
                }
            }
        }
    }

    async fn end(&self, end: End) -> Result<(), JobError> {
        let Claim { key, fence, .. } = &self.claim;
        match end {
            End::Refused(words) => {
                self.report_error(&words, true).await?;
                self.store.complete(key, *fence).await?;
            }
            End::Failed(words) => {
                self.store.release(key, *fence).await?;
                self.report_error(&words, false).await?;
            }
            End::Left => drop(self.store.release(key, *fence).await?),
            End::HandedOn => {
                self.store.release(key, *fence).await?;
                let handed = self.report(ReportStatus::Interrupted, |report| {
                    report.finished = false;
                    "This process is to go; the next one goes on where it was".clone_into(&mut report.message);
                });
                tokio::time::timeout(LEAVING, handed).await.unwrap_or(Ok(()))?;
            }
        }
        Ok(())
    }

    async fn checkpoint(&self) -> Result<Checkpoint, streamforge_store::Error> {
        let Some(bytes) = self.objects.get(&self.place()).await? else { return Ok(Checkpoint::default()) };
        Ok(serde_json::from_slice(&bytes).unwrap_or_else(|error| {
            tracing::error!(%error, "the place cannot be read; the loader begins anew");
            Checkpoint::default()
        }))
    }

    async fn keep(&self, checkpoint: &Checkpoint) -> Result<(), streamforge_store::Error> {
        let bytes = serde_json::to_vec(checkpoint).unwrap_or_default();
        self.objects.put(&self.place(), bytes).await
    }

    /// Key of the object that says where the task is.
    fn place(&self) -> String {
        let command = &self.claim.command;
        format!("live/{}/{}/place.json", command.queue_id, command.task.as_deref().unwrap_or("task"))
    }

    async fn report_error(&self, words: &str, is_final: bool) -> Result<(), JobError> {
        self.report(ReportStatus::Error, |report| {
            words.clone_into(&mut report.message);
            report.error_message = Some(words.to_owned());
            report.finished = is_final;
        })
        .await
    }

    async fn report(&self, status: ReportStatus, fill: impl FnOnce(&mut Report)) -> Result<(), JobError> {
        let mut report = self.context.report(&self.claim.command, status);
        fill(&mut report);
        let event = self.context.report_event(&self.claim.event, &report)?;
        Ok(self.context.publish(event).await?)
    }
}
