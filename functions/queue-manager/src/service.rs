//! The process that never sleeps: the API, the clock and the figures, with the host's probes, metrics and drain.

use std::{sync::Arc, time::Duration};

use prometheus_client::registry::Registry;
use streamforge_events::{Event, EventType};
use streamforge_function::{BuildError, Config, ConfigError, Context, Error, Function, Setting, axum::Router};
use tokio::task::AbortHandle;

use crate::{
    api::{self, ApiState},
    clock,
    engine::Engine,
    figures::{self, Figures},
    function::engine_of,
};

const INTERVAL: &str = "STREAMFORGE_CLOCK_INTERVAL";
const INSTANCE: &str = "HOSTNAME";

/// The API, the clock and the figures in one process.
pub struct ApiService {
    engine: Engine,
    instance: String,
    figures: Figures,
    tasks: [AbortHandle; 2],
}

impl ApiService {
    /// The service as the environment describes it; its clock ticks from now on.
    ///
    /// # Errors
    /// [`BuildError`] if the configuration is wrong or the store cannot be opened.
    pub async fn from_config(config: &Config) -> Result<Self, BuildError> {
        let interval = config.duration(INTERVAL)?;
        if interval < Duration::from_millis(100) {
            return Err(ConfigError::invalid(INTERVAL, "a duration of at least `100ms`").into());
        }
        let engine = engine_of(config).await?;
        let instance = config.setting(INSTANCE).unwrap_or_default().to_owned();
        let figures = Figures::default();
        let ticking = tokio::spawn(clock::run(engine.clone(), interval, std::future::pending()));
        let looking = tokio::spawn(figures::run(engine.clone(), figures.clone()));
        Ok(Self { engine, instance, figures, tasks: [ticking.abort_handle(), looking.abort_handle()] })
    }
}

impl Drop for ApiService {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Function for ApiService {
    const NAME: &'static str = "queue-manager-api";

    const SETTINGS: &'static [Setting] = &[
        Setting {
            name: INTERVAL,
            unit: "duration",
            default: Some("1s"),
            description: "how often overdue workflows are looked for",
        },
        Setting {
            name: INSTANCE,
            unit: "name",
            default: Some("queue-manager-api"),
            description: "tells processes apart that serve the same API",
        },
    ];

    fn accepts(&self) -> &'static [EventType] {
        &[]
    }

    async fn handle(&self, event: Event, _: &Context) -> Result<Vec<Event>, Error> {
        drop(event);
        Err(Error::Unprocessable("the API takes no events".to_owned()))
    }

    fn api(self: Arc<Self>, _: Context) -> Router {
        api::routes(ApiState::new(self.engine.clone(), None, &self.instance))
    }

    fn register_metrics(&self, registry: &mut Registry) {
        self.figures.register(registry);
    }
}
