//! The engine as a function: requests, reports and reminders come in, documents change, commands go out.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;
use streamforge_events::{
    AttributesReader, Event, EventType, Millis, QueueId, Report, data, document, event_type, extension,
};
use streamforge_function::{BuildError, Config, ConfigError, Context, Error, Function, Publisher, Setting};

use crate::{
    engine::{self, Engine, Request},
    heard::heard,
};

const PROGRESS_DEADLINE: &str = "STREAMFORGE_PROGRESS_DEADLINE";

/// The workflow engine.
pub struct QueueManager {
    engine: Engine,
}

impl QueueManager {
    /// The function over an engine.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        Self { engine }
    }

    /// The function as the environment describes it.
    ///
    /// # Errors
    /// [`BuildError`] if the store's URL is missing or the store cannot be opened.
    pub async fn from_config(config: &Config) -> Result<Self, BuildError> {
        let patience = config.duration(PROGRESS_DEADLINE)?;
        if patience < Duration::from_secs(1) {
            return Err(ConfigError::invalid(PROGRESS_DEADLINE, "a duration of at least `1s`").into());
        }
        Ok(Self::new(engine_of(config).await?.with_progress_deadline(patience)))
    }

    async fn requested(&self, event: Event, body: Value) -> Result<(), engine::Error> {
        let request = Request {
            source: event.source().clone(),
            id: event.id().to_owned(),
            body,
            traceparent: extension(&event, "traceparent"),
        };
        let id = self.engine.accept(&request).await?;
        self.engine.attend(&id).await.map(drop)
    }

    async fn reported(&self, report: &Report) -> Result<(), engine::Error> {
        let Some(heard) = heard(report) else {
            return Ok(());
        };
        if !self.engine.hear(&report.queue_id, heard).await? {
            tracing::debug!(queue_id = %report.queue_id, "report on an unknown workflow");
        }
        Ok(())
    }

    async fn overdue(&self, id: &QueueId) -> Result<(), engine::Error> {
        self.engine.attend(id).await.map(drop)
    }
}

impl Function for QueueManager {
    const NAME: &'static str = "queue-manager";

    const SETTINGS: &'static [Setting] = &[Setting {
        name: PROGRESS_DEADLINE,
        unit: "duration",
        default: Some("120s"),
        description: "how long a task may go without progress before it is sent again; at least `1s`",
    }];

    fn accepts(&self) -> &'static [EventType] {
        &[EventType::WorkflowRequested, EventType::QueueReported, EventType::WorkflowOverdue]
    }

    async fn handle(&self, event: Event, _: &Context) -> Result<Vec<Event>, Error> {
        let outcome = match event_type(&event)? {
            EventType::WorkflowRequested => {
                let body = document(&event)?;
                self.requested(event, body).await
            }
            EventType::QueueReported => self.reported(&data(&event)?).await,
            _ => {
                let id = streamforge_events::queue_id(&event)?;
                self.overdue(&id).await
            }
        };
        outcome.map_err(answer)?;
        Ok(Vec::new())
    }
}

/// The engine as the environment describes it, with the system's clock.
///
/// # Errors
/// [`BuildError`] if the store's URL is missing or the store cannot be opened.
pub async fn engine_of(config: &Config) -> Result<Engine, BuildError> {
    let unusable = |error: &dyn std::error::Error| BuildError::Unusable(chain(error));
    let store = streamforge_store::open(config.store_url()?).await.map_err(|error| match error {
        streamforge_store::Error::Url { reason, .. } => {
            BuildError::Config(ConfigError::invalid("STREAMFORGE_STORE_URL", reason))
        }
        error => unusable(&error),
    })?;
    let publisher = Publisher::new(config).map_err(|error| unusable(&error))?;
    Ok(Engine::new(store, publisher, Arc::new(system_clock)))
}

/// Which of the engine's failures comes again.
fn answer(error: engine::Error) -> Error {
    match error {
        engine::Error::Refused(_) | engine::Error::IdempotencyConflict(_) => Error::Unprocessable(error.to_string()),
        engine::Error::Contended(_) => Error::Conflict(error.to_string()),
        engine::Error::Publish(error) => Error::Publish(error),
        engine::Error::Store(_) => Error::Unavailable(chain(&error)),
        engine::Error::Document { .. } | engine::Error::Event { .. } => Error::Internal(chain(&error)),
    }
}

/// An error with all its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let texts: Vec<String> =
        std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect();
    texts.join(": ")
}

fn system_clock() -> Millis {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(since_epoch.as_millis()).unwrap_or(Millis::MAX)
}

#[cfg(test)]
mod tests;
