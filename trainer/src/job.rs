//! The job: claims one training, trains, publishes the model and reports; whatever kills it, the next one goes on.

use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use streamforge_bus::Bus;
use streamforge_dataset::{Card, Dataset, Panel, SymbolBars};
use streamforge_events::{
    Envelope, Event, EventType, ModelTrained, Prediction, ReportStatus, SeriesId, SeriesKind, digest, hex,
};
use streamforge_function::{BuildError, Config, ConfigError, Context, job};
use streamforge_job::{Claim, LEASE, Queue, Stops, claim, keep_lease};
use streamforge_store::{
    Class, Error as StoreError, GraphDocument, ModelRegistry, ObjectStore, Store, Versioned, open_objects,
};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::{
    accelerator,
    experiment::{Journal, Progress, TrainError, Trained, train},
    plan::Plan,
};

/// The job's name: that of its image, `ScaledJob` and topic.
pub const NAME: &str = "gnn-trainer";

/// Where trainings lie.
const QUEUE: Queue = Queue { topic: NAME, group: NAME };

/// Predictions of one write.
const PREDICTIONS: usize = 5_000;

/// How long a training that is left may take for its step.
const LEAVING: Duration = Duration::from_secs(20);

/// Why the job ended without an end of its task.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The environment does not say what it needs.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It could not be set up.
    #[error("the trainer could not be set up: {0}")]
    Build(#[from] BuildError),
    /// The log failed.
    #[error("the log failed: {0}")]
    Bus(#[from] streamforge_bus::Error),
    /// The store failed.
    #[error("the store failed: {0}")]
    Store(#[from] StoreError),
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

/// How a training ended.
enum End {
    /// The model is published.
    Trained(Box<Card>),
    /// No repetition will help; the words are for the user.
    Refused(String),
    /// Its workflow was stopped, or another trainer has the task.
    Left,
    /// This process is to go; another one goes on.
    Interrupted,
    /// Something that passes failed.
    Failed(String),
}

/// Runs the job from the environment: the body of `main`.
///
/// Exit codes: 0 after a training or if there was none to take, 64 for bad configuration, 1 for anything else.
#[must_use]
pub fn main() -> ExitCode {
    let outcome = Config::from_environment(job::SETTINGS).map_err(JobError::from).and_then(|config| {
        job::log_to_stderr(&config);
        if let Err(error) = accelerator::load() {
            tracing::warn!(%error, "there is a GPU that libtorch cannot use; the CPU does its work");
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let outcome = runtime.block_on(run(config));
        runtime.shutdown_timeout(Duration::from_millis(100));
        outcome
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the trainer ended early");
            ExitCode::from(if matches!(error, JobError::Config(_) | JobError::Build(BuildError::Config(_))) {
                64
            } else {
                1
            })
        }
    }
}

async fn run(config: Config) -> Result<(), JobError> {
    let announcer = job::Announcer::start(&config).await?;
    let bus = streamforge_bus::open(job::bus_url(&config)?)?;
    let store = streamforge_store::open(config.store_url()?).await?;
    let objects = open_objects(config.objects_url()?).await?;
    let stop = job::stop_requested(&config)?;
    let context = Context::new(NAME, config)?;
    let process = job::process_name(context.config(), NAME);
    let stops = Stops::from_now_on(bus.as_ref()).await?;
    let now = context.clone();
    let Some(claim) = claim(QUEUE, bus.as_ref(), store.as_ref(), &process, &move || now.now()).await? else {
        tracing::info!("there is no training to take");
        return Ok(());
    };
    announcer.claimed(&claim.command)?;
    let trainer = Trainer { bus, store, objects, context, claim };
    trainer.work(stops, stop).await
}

/// A claimed training and all that it reaches.
struct Trainer {
    bus: Arc<dyn Bus>,
    store: Arc<dyn Store>,
    objects: Arc<dyn ObjectStore>,
    context: Context,
    claim: Claim,
}

impl Trainer {
    async fn work(self, stops: Stops, stop: impl Future<Output = ()>) -> Result<(), JobError> {
        let parameters = self.claim.command.parameters.clone();
        self.report(ReportStatus::Started, |report| report.extra = Some(json!({"parameters": parameters}))).await?;
        let left = Arc::new(AtomicBool::new(false));
        let (computing, over) = oneshot::channel();
        let clock = || self.context.now();
        let end = tokio::select! {
            end = self.train(Arc::clone(&left), computing) => end,
            () = stop => End::Interrupted,
            () = keep_lease(self.store.as_ref(), &self.claim, &clock) => End::Left,
            () = stops.of(self.bus.as_ref(), &self.claim.command.queue_id) => End::Left,
        };
        // The training looks at this before each step, so that it never outlives the reason to train.
        left.store(true, Ordering::Relaxed);
        let outcome = self.end(end).await;
        // A process that ends under libtorch's feet crashes; a training that hangs is not waited for.
        timeout(LEAVING, over).await.ok();
        outcome
    }

    async fn end(&self, end: End) -> Result<(), JobError> {
        let Claim { key, fence, .. } = &self.claim;
        match end {
            End::Trained(card) => {
                self.report(ReportStatus::Finished, |report| {
                    let words: Vec<&str> = card.verdicts.iter().map(|verdict| verdict.words.as_str()).collect();
                    report.message = format!("Trained {} {}: {}", card.name, card.version, words.join("; "));
                    report.extra = Some(json!({
                        "model": {"name": card.name, "version": card.version},
                        "scores": card.scores, "verdicts": words,
                    }));
                })
                .await?;
                self.store.complete(key, *fence).await?;
                self.forget_checkpoints().await;
            }
            End::Refused(words) => {
                self.report_error(&words, true).await?;
                self.store.complete(key, *fence).await?;
            }
            End::Failed(words) => {
                self.store.release(key, *fence).await?;
                self.report_error(&words, false).await?;
            }
            End::Interrupted => {
                self.store.release(key, *fence).await?;
                self.report(ReportStatus::Interrupted, |report| {
                    "The trainer is to go; the next one goes on from its checkpoints".clone_into(&mut report.message);
                })
                .await?;
            }
            End::Left => {
                self.store.release(key, *fence).await?;
            }
        }
        Ok(())
    }

    /// Reads, trains and publishes.
    async fn train(&self, left: Arc<AtomicBool>, computing: oneshot::Sender<()>) -> End {
        match self.try_train(left, computing).await {
            Ok(card) => End::Trained(Box::new(card)),
            Err(end) => end,
        }
    }

    /// `computing` is dropped when nothing is computed any more.
    async fn try_train(&self, left: Arc<AtomicBool>, computing: oneshot::Sender<()>) -> Result<Card, End> {
        let plan = Plan::parse(&self.claim.command).map_err(End::Refused)?;
        let registry = ModelRegistry::new(Arc::clone(&self.objects));
        if registry.manifest(&plan.model, &plan.version).await?.is_some() {
            // An earlier attempt published it and died before it could tell.
            let model = registry.load(&plan.model, Some(&plan.version)).await?;
            registry.publish(&model.files).await?;
            return serde_json::from_slice(&model.files.card).map_err(|error| End::Refused(error.to_string()));
        }
        let graph = self.graph(&plan).await?;
        let panel = self.panel(&plan).await?;
        let (told, progress) = mpsc::unbounded_channel();
        let journal = StoredJournal {
            objects: Arc::clone(&self.objects),
            prefix: self.checkpoints(),
            runtime: Handle::current(),
            told,
            left,
        };
        let created = self.context.now();
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let training = tokio::task::spawn_blocking(move || {
            let _computing = computing;
            // Each fit has a thread of its own; more within one gain nothing at this size.
            tch::set_num_threads(1);
            tracing::info!(device = ?accelerator::device(), threads, "training");
            let dataset = Dataset::compute(&panel, &plan.definition);
            train(&plan, &panel, &dataset, graph.as_ref(), created, &journal, threads)
        });
        let (trained, ()) = tokio::join!(training, self.tell(progress));
        let trained = match trained {
            Ok(Ok(trained)) => trained,
            Ok(Err(TrainError::Stopped)) => return Err(End::Left),
            Ok(Err(error @ TrainError::Export(_))) => return Err(End::Failed(error.to_string())),
            Ok(Err(error)) => return Err(End::Refused(error.to_string())),
            Err(panic) => return Err(End::Failed(format!("the training broke off: {panic}"))),
        };
        self.publish(&registry, &trained).await?;
        Ok(trained.card)
    }

    async fn publish(&self, registry: &ModelRegistry, trained: &Trained) -> Result<(), End> {
        let Claim { key, fence, .. } = &self.claim;
        let now = self.context.now();
        if !self.store.renew(key, *fence, now, now + LEASE).await? {
            return Err(End::Left);
        }
        let version = u64::try_from(trained.card.created).unwrap_or_default();
        for predictions in trained.predictions.chunks(PREDICTIONS) {
            let rows: Vec<Versioned<Prediction>> =
                predictions.iter().map(|prediction| Versioned { version, value: prediction.clone() }).collect();
            self.store.upsert_predictions(&rows).await?;
        }
        registry.publish(&trained.files).await?;
        let event = self.trained_event(&trained.card).map_err(|error| End::Failed(error.to_string()))?;
        self.context.publish(event).await.map_err(|error| End::Failed(error.to_string()))
    }

    fn trained_event(&self, card: &Card) -> Result<Event, streamforge_events::Error> {
        let queue_id = &self.claim.command.queue_id;
        let trained = ModelTrained {
            queue_id: queue_id.clone(),
            model: card.name.clone(),
            version: card.version.clone(),
            created: card.created,
            symbols: card.symbols.clone(),
            interval: card.interval,
            graph: card.graph.clone().unwrap_or_default(),
            scores: serde_json::to_value(&card.scores).unwrap_or(Value::Null),
        };
        let envelope = Envelope {
            id: hex(&digest(&[NAME, card.name.as_str(), card.version.as_str()])),
            source: format!("/streamforge/{NAME}"),
            kind: EventType::ModelTrained,
            subject: queue_id.to_string(),
            time: card.created,
            extensions: vec![
                ("partitionkey".to_owned(), queue_id.to_string()),
                ("queueid".to_owned(), queue_id.to_string()),
            ],
        };
        envelope.build(&trained)
    }

    async fn graph(&self, plan: &Plan) -> Result<Option<GraphDocument>, End> {
        let Some(id) = &plan.graph else { return Ok(None) };
        let graph = self.store.graph(Some(id)).await?;
        let graph = graph.ok_or_else(|| End::Refused(format!("graph `{id}` is not stored; build it first")))?;
        if graph.interval != plan.interval {
            let (own, asked) = (graph.interval, plan.interval);
            return Err(End::Refused(format!("graph `{id}` is one of {own} bars, the training is of {asked} bars")));
        }
        let stranger = plan.symbols.iter().find(|symbol| graph.nodes.iter().all(|node| node.symbol != **symbol));
        match stranger {
            Some(symbol) => Err(End::Refused(format!("graph `{id}` has no node {symbol}"))),
            None => Ok(Some(graph)),
        }
    }

    async fn panel(&self, plan: &Plan) -> Result<Panel, End> {
        let mut symbols = Vec::new();
        for symbol in &plan.symbols {
            let series = SeriesId { symbol: symbol.clone(), kind: SeriesKind::Klines(plan.interval) };
            let columns = self.store.read_columns(&series, plan.range).await?;
            if columns.is_empty() {
                let (interval, range) = (plan.interval, plan.range);
                return Err(End::Refused(format!("no {interval} klines of {symbol} are stored in {range}")));
            }
            symbols.push(SymbolBars::of(symbol.clone(), columns));
        }
        Panel::new(plan.interval, symbols).map_err(|error| End::Refused(error.to_string()))
    }

    /// Reports every epoch until the training ends.
    async fn tell(&self, mut progress: mpsc::UnboundedReceiver<Progress>) {
        while let Some(progress) = progress.recv().await {
            let told = self.report(ReportStatus::Loading, |report| {
                let Progress { fit, fits_done, fits, epoch } = &progress;
                report.message = format!("Epoch {} of fit {fit}, {fits_done} of {fits} fits done", epoch.epoch);
                report.extra = serde_json::to_value(&progress).ok();
            });
            if let Err(error) = told.await {
                tracing::warn!(%error, "an epoch could not be reported");
            }
        }
    }

    fn checkpoints(&self) -> String {
        let command = &self.claim.command;
        format!("checkpoints/{}/{}/", command.queue_id, command.task.as_deref().unwrap_or("task"))
    }

    async fn forget_checkpoints(&self) {
        let keys = self.objects.list(&self.checkpoints()).await.unwrap_or_default();
        for key in keys {
            if let Err(error) = self.objects.delete(&key).await {
                tracing::warn!(%error, key, "a checkpoint was not deleted");
            }
        }
    }

    async fn report_error(&self, words: &str, is_final: bool) -> Result<(), JobError> {
        self.report(ReportStatus::Error, |report| {
            words.clone_into(&mut report.message);
            report.error_message = Some(words.to_owned());
            report.finished = is_final;
        })
        .await
    }

    async fn report(
        &self,
        status: ReportStatus,
        fill: impl FnOnce(&mut streamforge_events::Report),
    ) -> Result<(), JobError> {
        let mut report = self.context.report(&self.claim.command, status);
        fill(&mut report);
        let event = self.context.report_event(&self.claim.event, &report)?;
        Ok(self.context.publish(event).await?)
    }
}

/// Checkpoints as objects, epochs into a channel.
struct StoredJournal {
    objects: Arc<dyn ObjectStore>,
    prefix: String,
    runtime: Handle,
    told: mpsc::UnboundedSender<Progress>,
    left: Arc<AtomicBool>,
}

impl Journal for StoredJournal {
    fn is_stopped(&self) -> bool {
        self.left.load(Ordering::Relaxed)
    }

    fn load(&self, fit: &str) -> Option<Vec<u8>> {
        self.runtime.block_on(self.objects.get(&format!("{}{fit}", self.prefix))).unwrap_or_else(|error| {
            tracing::warn!(%error, fit, "a checkpoint could not be read; the fit begins anew");
            None
        })
    }

    fn save(&self, fit: &str, checkpoint: Vec<u8>) {
        if let Err(error) = self.runtime.block_on(self.objects.put(&format!("{}{fit}", self.prefix), checkpoint)) {
            tracing::warn!(%error, fit, "a checkpoint could not be written");
        }
    }

    fn progress(&self, progress: &Progress) {
        // Nobody listens when the training was left; then nobody has to.
        self.told.send(progress.clone()).ok();
    }
}

impl From<StoreError> for End {
    fn from(error: StoreError) -> Self {
        let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
        let words = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
        match error.class() {
            Class::Rejected => Self::Refused(words),
            Class::Retryable | Class::Fatal => Self::Failed(words),
        }
    }
}
