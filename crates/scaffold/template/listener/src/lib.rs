//! Hears of events and logs them.

use serde_json::Value;
use streamforge_events::{AttributesReader, Event, EventType, data};
use streamforge_function::{BuildError, Config, Context, Error, Function};

/// The function.
#[derive(Clone, Copy, Debug, Default)]
pub struct SampleListener;

impl SampleListener {
    /// The function as the environment describes it.
    ///
    /// # Errors
    /// None as long as it reads no settings.
    #[expect(clippy::unused_async, reason = "functions are built asynchronously, this one has nothing to wait for")]
    pub async fn from_config(_config: &Config) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

impl Function for SampleListener {
    const NAME: &'static str = "sample-listener";

    fn accepts(&self) -> &'static [EventType] {
        &[EventType::KlinesLoaded]
    }

    async fn handle(&self, event: Event, _context: &Context) -> Result<Vec<Event>, Error> {
        let payload: Value = data(&event)?;
        tracing::info!(id = event.id(), subject = event.subject(), %payload, "heard");
        Ok(Vec::new())
    }
}
