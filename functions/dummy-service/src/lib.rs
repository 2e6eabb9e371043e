//! Diagnostics: answers pings, pretends to load, fails, crashes or says nothing, as it is told.

mod behaviour;
mod metrics;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use prometheus_client::registry::Registry;
use streamforge_events::{ControlCommand, Event, EventType, Report, ReportStatus, data};
use streamforge_function::{BuildError, Config, ConfigError, Context, Error, Function, Setting};

pub use behaviour::{Behaviour, Loading, Next};
use metrics::Metrics;

/// The function; it does what the command's parameters say, else what it was built with.
pub struct Dummy {
    behaviour: Behaviour,
    metrics: Metrics,
    exit: Exit,
    asked: AtomicU64,
}

type Exit = Box<dyn Fn() + Send + Sync>;

/// The type of a start command that a dummy obeys.
const DUMMY_TYPE: &str = "dummy";

const BEHAVIOUR: &str = "STREAMFORGE_DUMMY_BEHAVIOUR";

impl Dummy {
    /// Reads the behaviour from the environment.
    ///
    /// # Errors
    /// [`BuildError::Config`] where `STREAMFORGE_DUMMY_BEHAVIOUR` is not a behaviour.
    #[expect(clippy::unused_async, reason = "functions are built asynchronously, this one has nothing to wait for")]
    pub async fn from_config(config: &Config) -> Result<Self, BuildError> {
        let text = config.setting(BEHAVIOUR).unwrap_or("{}");
        let behaviour = serde_json::from_str(text)
            .map_err(|error| ConfigError::invalid(BEHAVIOUR, format!("a behaviour as JSON ({error})")))?;
        Ok(Self::new(behaviour))
    }

    /// Builds a dummy that ends the process with exit code 1 where it is told to.
    #[must_use]
    pub fn new(behaviour: Behaviour) -> Self {
        Self::with_exit(behaviour, || std::process::exit(1))
    }

    /// The same with another end, for tests.
    #[must_use]
    pub fn with_exit(behaviour: Behaviour, exit: impl Fn() + Send + Sync + 'static) -> Self {
        Self { behaviour, metrics: Metrics::default(), exit: Box::new(exit), asked: AtomicU64::new(0) }
    }

    /// Fails as often as it was built to.
    fn refuse_some(&self) -> Result<(), Error> {
        let Some(every) = self.behaviour.refuse_every else { return Ok(()) };
        let asked = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        if asked.is_multiple_of(every.get()) {
            return Err(Error::Unavailable(format!("told to refuse one event of {every}")));
        }
        Ok(())
    }

    /// Behaviour for one command.
    fn behaviour_for(&self, command: &ControlCommand) -> Result<Behaviour, Error> {
        if command.parameters.is_empty() {
            return Ok(self.behaviour.clone());
        }
        serde_json::from_value(command.parameters.clone().into())
            .map_err(|error| Error::Invalid(format!("parameters are not a behaviour: {error}")))
    }

    async fn load(&self, event: &Event, command: &ControlCommand, context: &Context) -> Result<Vec<Event>, Error> {
        if command.kind != DUMMY_TYPE {
            return Err(Error::Unprocessable(format!("a dummy does not do `{}`", command.kind)));
        }
        let behaviour = self.behaviour_for(command)?;
        if behaviour.noop {
            return Ok(Vec::new());
        }
        let loading = behaviour.loading();
        self.say(event, self.report(command, ReportStatus::Started, 0, context), context).await?;
        let mut done = 0;
        loop {
            if context.is_stopped(&command.queue_id) {
                return end(event, &self.report(command, ReportStatus::Interrupted, done, context), context);
            }
            match behaviour.next(done) {
                Next::Load => {
                    tokio::time::sleep(Duration::from_millis(loading.step_ms)).await;
                    done += 1;
                    if behaviour.debug {
                        tracing::info!(done, steps = loading.steps, "dummy step");
                    }
                    self.say(event, self.report(command, ReportStatus::Loading, done, context), context).await?;
                }
                Next::Finish => {
                    return end(event, &self.report(command, ReportStatus::Finished, done, context), context);
                }
                Next::Fail => {
                    let mut report = self.report(command, ReportStatus::Error, done, context);
                    report.error_message = Some(format!("told to fail after {done} steps"));
                    return end(event, &report, context);
                }
                Next::Exit => {
                    (self.exit)();
                    return Err(Error::Unavailable(format!("told to exit after {done} steps")));
                }
            }
        }
    }

    fn report(&self, command: &ControlCommand, status: ReportStatus, done: u32, context: &Context) -> Report {
        self.metrics.status(status.as_str());
        let mut report = context.report(command, status);
        report.message = format!("{done} steps done");
        report.records_written = u64::from(done);
        report
    }

    async fn say(&self, cause: &Event, report: Report, context: &Context) -> Result<(), Error> {
        context.publish(context.report_event(cause, &report)?).await
    }
}

/// The last report of a command, as the handler's output.
fn end(cause: &Event, report: &Report, context: &Context) -> Result<Vec<Event>, Error> {
    Ok(vec![context.report_event(cause, report)?])
}

impl Function for Dummy {
    const NAME: &'static str = "dummy-service";

    const SETTINGS: &'static [Setting] = &[Setting {
        name: BEHAVIOUR,
        unit: "JSON",
        default: Some("{}"),
        description: "what to do for commands without parameters, e.g. `{\"simulate_loading\": {\"steps\": 10}}`",
    }];

    fn accepts(&self) -> &'static [EventType] {
        &[EventType::ControlStart, EventType::ControlPing, EventType::ControlStop]
    }

    async fn handle(&self, event: Event, context: &Context) -> Result<Vec<Event>, Error> {
        let command: ControlCommand = data(&event)?;
        self.refuse_some()?;
        match streamforge_events::event_type(&event)? {
            EventType::ControlPing => {
                self.metrics.event("ping");
                let pong = context.report_event(&event, &self.report(&command, ReportStatus::Pong, 0, context))?;
                self.metrics.pong();
                if self.behaviour.exit_on_ping {
                    context.publish(pong).await?;
                    (self.exit)();
                    return Ok(Vec::new());
                }
                Ok(vec![pong])
            }
            EventType::ControlStop => {
                self.metrics.event("stop");
                end(&event, &self.report(&command, ReportStatus::Interrupted, 0, context), context)
            }
            _ => {
                self.metrics.event("start");
                self.load(&event, &command, context).await
            }
        }
    }

    fn register_metrics(&self, registry: &mut Registry) {
        self.metrics.register(registry);
    }
}
