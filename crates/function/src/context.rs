//! What a function may reach while it handles an event.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use streamforge_events::{Event, Millis, QueueId};

use crate::lifecycle::{Lifecycle, Phase};
use crate::metrics::Metrics;
use crate::stops::Stops;
use crate::{BuildError, Config, Error, Publisher, Trace};

/// Configuration, clock, publisher and stop marks; cheap to clone.
///
/// Inside a handler it belongs to the event's trace, which every published event carries on.
#[derive(Clone)]
pub struct Context {
    process: Arc<Process>,
    trace: Trace,
}

struct Process {
    name: &'static str,
    config: Config,
    publisher: Publisher,
    stops: Stops,
    metrics: Metrics,
    lifecycle: Lifecycle,
    clock: Clock,
}

type Clock = Box<dyn Fn() -> Millis + Send + Sync>;

impl Context {
    /// Sets up what the function `name` needs, with the system's clock.
    ///
    /// # Errors
    /// [`BuildError`] where the publisher cannot be set up.
    pub fn new(name: &'static str, config: Config) -> Result<Self, BuildError> {
        Self::with_clock(name, config, system_clock)
    }

    /// The same with another clock, for tests and simulations.
    ///
    /// # Errors
    /// [`BuildError`] where the publisher cannot be set up.
    pub fn with_clock(
        name: &'static str,
        config: Config,
        clock: impl Fn() -> Millis + Send + Sync + 'static,
    ) -> Result<Self, BuildError> {
        let publisher = Publisher::new(&config).map_err(|error| BuildError::Unusable(error.to_string()))?;
        let process = Process {
            name,
            config,
            publisher,
            stops: Stops::default(),
            metrics: Metrics::new(name),
            lifecycle: Lifecycle::default(),
            clock: Box::new(clock),
        };
        Ok(Self { process: Arc::new(process), trace: Trace::start() })
    }

    /// Configuration of the process.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.process.config
    }

    /// Name of the function.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.process.name
    }

    /// The present instant.
    ///
    /// # Units
    /// UTC milliseconds since the Unix epoch.
    #[must_use]
    pub fn now(&self) -> Millis {
        (self.process.clock)()
    }

    /// Trace of the event that is handled, or one of the process's own.
    #[must_use]
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Publishes an event before the handler ends, for progress; outputs are better returned.
    ///
    /// # Errors
    /// [`Error::Publish`] where the broker did not acknowledge it.
    pub async fn publish(&self, mut event: Event) -> Result<(), Error> {
        self.trace.child().stamp(&mut event);
        self.process.publisher.publish(&event).await?;
        self.process.metrics.published(1);
        Ok(())
    }

    /// Publishes events, those of one key in the given order.
    ///
    /// # Errors
    /// [`Error::Publish`] where the broker did not acknowledge all of them.
    pub async fn publish_all(&self, mut events: Vec<Event>) -> Result<(), Error> {
        let count = events.len();
        for event in &mut events {
            self.trace.child().stamp(event);
        }
        self.process.publisher.publish_all(events).await?;
        self.process.metrics.published(count);
        Ok(())
    }

    /// Whether `control.stop` for this queue has arrived in this process.
    #[must_use]
    pub fn is_stopped(&self, queue_id: &QueueId) -> bool {
        self.process.stops.contains(queue_id)
    }

    /// Resolves when the process drains, for answers that have no end of their own.
    pub fn draining(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        let lifecycle = self.process.lifecycle.clone();
        async move { lifecycle.until(Phase::Draining).await }
    }

    /// The same context inside another trace.
    #[must_use]
    pub(crate) fn within(&self, trace: Trace) -> Self {
        Self { process: Arc::clone(&self.process), trace }
    }

    pub(crate) fn stops(&self) -> &Stops {
        &self.process.stops
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.process.metrics
    }

    pub(crate) fn lifecycle(&self) -> &Lifecycle {
        &self.process.lifecycle
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Context")
            .field("name", &self.process.name)
            .field("trace", &self.trace)
            .finish_non_exhaustive()
    }
}

fn system_clock() -> Millis {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(since_epoch.as_millis()).unwrap_or(Millis::MAX)
}
