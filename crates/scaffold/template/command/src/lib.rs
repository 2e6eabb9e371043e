//! Does a task of a workflow: says that it has begun, works, and says how it has ended.

use streamforge_events::{ControlCommand, Event, EventType, ReportStatus, data};
use streamforge_function::{BuildError, Config, Context, Error, Function};

/// The function.
#[derive(Clone, Copy, Debug, Default)]
pub struct SampleFunction;

impl SampleFunction {
    /// The function as the environment describes it.
    ///
    /// # Errors
    /// None as long as it reads no settings.
    #[expect(clippy::unused_async, reason = "functions are built asynchronously, this one has nothing to wait for")]
    pub async fn from_config(_config: &Config) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

impl Function for SampleFunction {
    const NAME: &'static str = "sample-function";

    fn accepts(&self) -> &'static [EventType] {
        &[EventType::ControlStart]
    }

    async fn handle(&self, event: Event, context: &Context) -> Result<Vec<Event>, Error> {
        let command: ControlCommand = data(&event)?;
        let started = context.report(&command, ReportStatus::Started);
        context.publish(context.report_event(&event, &started)?).await?;
        let end =
            if context.is_stopped(&command.queue_id) { ReportStatus::Interrupted } else { ReportStatus::Finished };
        Ok(vec![context.report_event(&event, &context.report(&command, end))?])
    }
}
