//! Predicts volatility and direction of the next bars with a model of the registry.
//!
//! `control.start` of type `gnn_infer` brings as `parameters` `model`, optionally `version` (else the one in use),
//! `symbols`, `interval`, `from` and `to` (open times, half-open): all bars of the range whose features exist get a
//! prediction, which is stored, told as `prediction.made` and counted in `finished`.
//!
//! `realtime_gnn_infer` brings the same without a range, and optionally `inference_interval`, an interval of the exchange
//! or a number of seconds: only bars in which a multiple of it is reached are predicted. It registers a subscription:
//! `klines.loaded` that a loader marked as fresh wakes the function, which predicts the newest bar once all symbols have
//! it in the store and reports `loading`. A bar that some symbols still lack after `STREAMFORGE_PREDICTION_PATIENCE` is
//! predicted without them. There is no `finished`: `control.stop` ends the subscription, which reports `interrupted`.
//!
//! Features are those of [`streamforge_dataset`], as in training; normalisation and graph are inside of the network.
//! A damaged or unfit version is refused with the reason, and a subscription goes on with the version before it.

mod error;
mod forecast;
mod health;
mod history;
mod live;
mod metrics;
mod model;
mod models;
mod network;
mod outgoing;
mod range;
mod request;
mod runtime;
#[cfg(feature = "test-util")]
pub mod test_util;

use std::{sync::Arc, time::Duration};

use prometheus_client::registry::Registry;
use streamforge_events::{ControlCommand, Event, EventType, KlineBatch, Prediction, ReportStatus, data, event_type};
use streamforge_function::{BuildError, Config, ConfigError, Context, Function, Setting};
use streamforge_store::{ObjectStore, Store, Subscriptions, Versioned};

use error::{Error, chain};
use live::Serving;
use metrics::Metrics;
use models::Models;
use outgoing::Outgoing;
use request::Request;
pub use runtime::Runtime;

const LIBRARY: &str = "ORT_DYLIB_PATH";
const PATIENCE: &str = "STREAMFORGE_PREDICTION_PATIENCE";

/// Predictions that the store takes at once.
const STORED_AT_ONCE: usize = 5_000;

/// Predicts from a store with the models of a registry.
pub struct Predictor {
    store: Arc<dyn Store>,
    models: Models,
    subscriptions: Subscriptions<Serving>,
    patience: Duration,
    metrics: Metrics,
    /// One new bar is served at a time.
    turn: tokio::sync::Mutex<()>,
}

impl Predictor {
    /// The predictor over a store and the objects that hold models; `patience` is how long the newest bar of all
    /// symbols is waited for.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, objects: Arc<dyn ObjectStore>, runtime: Runtime, patience: Duration) -> Self {
        let models = Models::new(Arc::clone(&objects), runtime);
        Self {
            store,
            models,
            subscriptions: Subscriptions::new(objects, Self::NAME),
            patience,
            metrics: Metrics::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// The predictor as the environment describes it; no model and no library is read yet.
    ///
    /// # Errors
    /// [`BuildError`] if the URL of the store or of the objects is missing or they cannot be opened.
    pub async fn from_config(config: &Config) -> Result<Self, BuildError> {
        let patience = config.duration(PATIENCE)?;
        let runtime = Runtime::new(config.setting(LIBRARY));
        let unusable = |name: &'static str| {
            move |error: streamforge_store::Error| match error {
                streamforge_store::Error::Url { reason, .. } => BuildError::Config(ConfigError::invalid(name, reason)),
                error => BuildError::Unusable(chain(&error)),
            }
        };
        let store = streamforge_store::open(config.store_url()?).await.map_err(unusable("STREAMFORGE_STORE_URL"))?;
        let objects = streamforge_store::open_objects(config.objects_url()?).await;
        let objects = objects.map_err(unusable("STREAMFORGE_OBJECTS_URL"))?;
        Ok(Self::new(store, objects, runtime, patience))
    }

    async fn start(&self, event: &Event, context: &Context) -> Result<Vec<Event>, streamforge_function::Error> {
        let command: ControlCommand = data(event)?;
        let outgoing = Outgoing { cause: event, command: &command, context };
        context.publish(context.report_event(event, &context.report(&command, ReportStatus::Started))?).await?;
        let done = match self.work(&outgoing).await {
            Ok(last) => Ok(last),
            Err(error) => outgoing.refusal(error.outcome()?).map(Some),
        };
        match done {
            Ok(last) => Ok(last.into_iter().collect()),
            Err(error) => Err(error.outcome().map_or_else(|error| error, streamforge_function::Error::Internal)),
        }
    }

    /// Does what a command asks and answers the last report; none if the work goes on with new bars.
    async fn work(&self, outgoing: &Outgoing<'_>) -> Result<Option<Event>, Error> {
        if outgoing.is_stopped() {
            return outgoing.report(ReportStatus::Interrupted).map(Some);
        }
        match Request::parse(outgoing.command)? {
            Request::Range { subject, range } => self.predict_range(&subject, range, outgoing).await.map(Some),
            Request::NewBars { subject, .. } if self.subscribe(&subject, outgoing).await? => Ok(None),
            Request::NewBars { .. } => outgoing.report(ReportStatus::Interrupted).map(Some),
        }
    }

    /// Stores predictions, all under one version: of two for the same bar the later one stays.
    async fn keep(&self, version: u64, predictions: &[Prediction]) -> Result<(), Error> {
        for predictions in predictions.chunks(STORED_AT_ONCE) {
            let rows: Vec<Versioned<Prediction>> =
                predictions.iter().map(|value| Versioned { version, value: value.clone() }).collect();
            let report = self.store.upsert_predictions(&rows).await?;
            if let Some(reject) = report.items.iter().find_map(|item| item.as_ref().err()) {
                return Err(Error::Series(format!("the store refused a prediction: {reject}")));
            }
        }
        self.metrics.predictions.inc_by(predictions.len() as u64);
        Ok(())
    }
}

impl Function for Predictor {
    const NAME: &'static str = "predictor";

    const SETTINGS: &'static [Setting] = &[
        Setting {
            name: LIBRARY,
            unit: "path",
            default: None,
            description: "ONNX Runtime's library, version 1.24 or later; else the one known when the program was built",
        },
        Setting {
            name: PATIENCE,
            unit: "duration",
            default: Some("30s"),
            description: "how long a new bar is waited for until all symbols of a subscription have it",
        },
    ];

    fn accepts(&self) -> &'static [EventType] {
        &[EventType::ControlStart, EventType::ControlStop, EventType::KlinesLoaded]
    }

    async fn handle(&self, event: Event, context: &Context) -> Result<Vec<Event>, streamforge_function::Error> {
        match event_type(&event)? {
            EventType::KlinesLoaded => {
                let batch: KlineBatch = data(&event)?;
                self.new_bar(&batch, context).await?;
                Ok(Vec::new())
            }
            EventType::ControlStop => {
                let command: ControlCommand = data(&event)?;
                self.unsubscribe(&command.queue_id, context).await.map_err(|error| {
                    error.outcome().map_or_else(|error| error, streamforge_function::Error::Unavailable)
                })?;
                Ok(Vec::new())
            }
            _ => self.start(&event, context).await,
        }
    }

    fn register_metrics(&self, registry: &mut Registry) {
        self.metrics.register(registry);
    }
}
