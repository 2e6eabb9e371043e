//! The process on a cluster: views and pages with the host's probes, metrics and drain.

use std::sync::Arc;

use streamforge_bus::Bus;
use streamforge_events::{Event, EventType};
use streamforge_function::{
    BuildError, Config, ConfigError, Context, Error, Function, Publisher, Setting, api::guarded, axum::Router, chain,
    job,
};
use streamforge_store::{ObjectStore, Store};

use crate::{Samples, Sources, Views, calls, cluster::Prometheus, pages};

/// The pages and what they read in one process.
pub struct Visualizer {
    store: Arc<dyn Store>,
    bus: Arc<dyn Bus>,
    objects: Arc<dyn ObjectStore>,
    publisher: Publisher,
    prometheus: Option<Prometheus>,
}

impl Visualizer {
    /// The visualizer as the environment describes it.
    ///
    /// # Errors
    /// [`BuildError`] if a URL is missing, or log, store or objects cannot be opened.
    pub async fn from_config(config: &Config) -> Result<Self, BuildError> {
        let unusable = |name: &'static str| {
            move |error: streamforge_store::Error| match error {
                streamforge_store::Error::Url { reason, .. } => BuildError::Config(ConfigError::invalid(name, reason)),
                error => BuildError::Unusable(chain(&error)),
            }
        };
        let bus_url = job::bus_url(config)?.to_owned();
        let prometheus = config.setting(PROMETHEUS).map(|url| Prometheus::new(PROMETHEUS, url)).transpose()?;
        let store = streamforge_store::open(config.store_url()?).await.map_err(unusable("STREAMFORGE_STORE_URL"))?;
        let objects = streamforge_store::open_objects(config.objects_url()?).await;
        let objects = objects.map_err(unusable("STREAMFORGE_OBJECTS_URL"))?;
        // Blocks until the log is there; nobody else waits in this process yet.
        let bus = streamforge_bus::open(&bus_url).map_err(|error| match error {
            streamforge_bus::Error::Url => BuildError::Config(ConfigError::invalid(BUS.name, BUS.description)),
            error => BuildError::Unusable(chain(&error)),
        })?;
        let publisher = Publisher::new(config).map_err(|error| BuildError::Unusable(chain(&error)))?;
        Ok(Self { store, bus, objects, publisher, prometheus })
    }
}

const BUS: Setting = job::SETTINGS[0];
const PROMETHEUS: &str = "STREAMFORGE_PROMETHEUS_URL";

impl Function for Visualizer {
    const NAME: &'static str = "visualizer";

    const SETTINGS: &'static [Setting] = &[
        BUS,
        Setting {
            name: PROMETHEUS,
            unit: "URL",
            default: None,
            description: "Prometheus that watches the cluster, for replicas and lag over time; without it none are shown",
        },
    ];

    fn accepts(&self) -> &'static [EventType] {
        &[]
    }

    async fn handle(&self, event: Event, _: &Context) -> Result<Vec<Event>, Error> {
        drop(event);
        Err(Error::Unprocessable("the pages take no events".to_owned()))
    }

    fn api(self: Arc<Self>, context: Context) -> Router {
        let samples = self.prometheus.clone().map(|prometheus| {
            let samples = Samples::default();
            tokio::spawn(prometheus.follow(samples.clone(), context.clone()));
            samples
        });
        let views = Views::new(Sources {
            store: Arc::clone(&self.store),
            bus: Arc::clone(&self.bus),
            objects: Arc::clone(&self.objects),
            publisher: self.publisher.clone(),
            replays: None,
            samples,
            logs: None,
            shutdown: Box::pin(context.draining()),
        });
        guarded(calls(views).merge(pages()))
    }
}
