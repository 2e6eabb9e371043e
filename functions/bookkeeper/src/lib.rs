//! Keeps the ledger: a row for every training, and a row for every prediction with what came after it.
//!
//! It reads `queue-events` alone, and of it little: reports of gnn-trainer and predictor, and the ends of workflows.
//! A report of predictions says that they are stored, the end of a workflow that the bars are; rows are then computed
//! from the store, by the code that exports predictions. What arrives in another order or again leads to the same rows.

mod error;
mod experiment;
mod metrics;
mod roi;

use std::sync::Arc;

use prometheus_client::registry::Registry;
use serde::Deserialize;
use streamforge_events::{
    AttributesReader, Event, EventType, Millis, ModelName, ModelVersion, QueueId, Report, ReportStatus, Symbol, data,
    event_type,
};
use streamforge_function::{BuildError, Config, ConfigError, Context, Function, Setting};
use streamforge_hindsight::History;
use streamforge_ledger::Ledger;
use streamforge_store::{ModelRegistry, ObjectStore, Store};

pub use error::Error;
use error::chain;
use metrics::Metrics;

const LEDGER: &str = "STREAMFORGE_LEDGER_URL";

/// Who reports trainings, and who predictions.
const TRAINER: &str = "/streamforge/gnn-trainer";
const PREDICTOR: &str = "/streamforge/predictor";

/// Writes a ledger from a store and a registry of models.
pub struct Bookkeeper {
    ledger: Ledger,
    store: Arc<dyn Store>,
    models: ModelRegistry,
    metrics: Metrics,
}

/// The end of a workflow, as far as it matters here.
#[derive(Deserialize)]
struct Ended {
    queue_id: QueueId,
    symbols: Vec<Symbol>,
    status: String,
    #[serde(default)]
    restated: u64,
    #[serde(default)]
    error_message: Option<String>,
}

/// How a report names a model.
#[derive(Deserialize)]
struct NamedModel {
    name: ModelName,
    version: ModelVersion,
}

impl Bookkeeper {
    /// The bookkeeper of a ledger, over a store and the objects that hold models.
    #[must_use]
    pub fn new(ledger: Ledger, store: Arc<dyn Store>, objects: Arc<dyn ObjectStore>) -> Self {
        Self { ledger, store, models: ModelRegistry::new(objects), metrics: Metrics::default() }
    }

    /// The bookkeeper as the environment describes it.
    ///
    /// # Errors
    /// [`BuildError`] if a URL is missing, or ledger, store or objects cannot be opened.
    pub async fn from_config(config: &Config) -> Result<Self, BuildError> {
        let unusable = |name: &'static str| {
            move |error: streamforge_store::Error| match error {
                streamforge_store::Error::Url { reason, .. } => BuildError::Config(ConfigError::invalid(name, reason)),
                error => BuildError::Unusable(chain(&error)),
            }
        };
        let ledger_url = config.setting(LEDGER).ok_or(ConfigError::Missing(LEDGER)).map_err(BuildError::Config)?;
        let ledger = Ledger::open(ledger_url).await.map_err(|error| match error {
            streamforge_ledger::Error::Url { reason, .. } => BuildError::Config(ConfigError::invalid(LEDGER, reason)),
            error => BuildError::Unusable(chain(&error)),
        })?;
        let store = streamforge_store::open(config.store_url()?).await.map_err(unusable("STREAMFORGE_STORE_URL"))?;
        let objects = streamforge_store::open_objects(config.objects_url()?).await;
        let objects = objects.map_err(unusable("STREAMFORGE_OBJECTS_URL"))?;
        Ok(Self::new(ledger, store, objects))
    }

    fn history(&self) -> History<'_> {
        History::new(self.store.as_ref(), Some(self.models.clone()))
    }

    async fn report(&self, source: &str, report: &Report, context: &Context) -> Result<(), Error> {
        match source {
            TRAINER => self.training(report, context).await,
            PREDICTOR => self.predictions(report, context).await,
            _ => Ok(()),
        }
    }

    async fn end(&self, ended: &Ended, context: &Context) -> Result<(), Error> {
        self.stop(&ended.queue_id, &ended.status, ended.error_message.as_deref(), context.now()).await?;
        // What the exchange has restated may have been reckoned with before.
        self.reckon(&ended.symbols, ended.restated > 0, context).await
    }
}

impl Function for Bookkeeper {
    const NAME: &'static str = "bookkeeper";

    const SETTINGS: &'static [Setting] = &[Setting {
        name: LEDGER,
        unit: "URL",
        default: None,
        description: "ledger, e.g. `sqlite:///var/lib/streamforge/ledger.db` or `postgres://user@host:5432/db`",
    }];

    fn accepts(&self) -> &'static [EventType] {
        &[EventType::QueueReported, EventType::WorkflowFinished]
    }

    async fn handle(&self, event: Event, context: &Context) -> Result<Vec<Event>, streamforge_function::Error> {
        match event_type(&event)? {
            EventType::WorkflowFinished => self.end(&data(&event)?, context).await,
            _ => self.report(event.source(), &data(&event)?, context).await,
        }?;
        Ok(Vec::new())
    }

    fn register_metrics(&self, registry: &mut Registry) {
        self.metrics.register(registry);
    }
}

/// When a report was made.
#[expect(clippy::cast_possible_truncation, reason = "a time beyond all milliseconds is told as the last of them")]
fn millis(report: &Report) -> Millis {
    (report.timestamp * 1000.0).round() as Millis
}

/// Whether a worker says that what it tells of is done or goes on, rather than that it has only begun.
fn tells_of_results(status: ReportStatus) -> bool {
    matches!(status, ReportStatus::Finished | ReportStatus::Loading)
}
