//! Builds a graph of symbols from stored klines.
//!
//! `control.start` of type `gnn_graph` brings as `parameters` `symbols`, `interval`, `from` and `to` (open times,
//! half-open), and optionally `threshold` (0.5), `k` (3), `minimum_observations` (30) and `collection_output`, the
//! name of the graph. The graph's version is the time of the command, so that a redelivery changes nothing and a
//! later command replaces an older graph of the same name. `finished` names the graph and its strongest edges.
//!
//! `realtime_graph` brings the same without a range, and optionally `window` (500), the bars whose returns are
//! correlated. It registers a subscription: `klines.loaded` that a loader marked as fresh wakes the function, which
//! moves the graph to the newest bar once all symbols have it in the store, stores it under the time at which the bar
//! is over, and reports `loading`. A bar that some symbols still lack after `STREAMFORGE_GRAPH_PATIENCE` has no return
//! of theirs. There is no `finished`: `control.stop` ends the subscription, which reports `interrupted`.
//!
//! [`build_graph`] is pure; around it stand reading the columns and storing the result.

mod aligned;
mod correlation;
mod edges;
mod graph;
mod live;
mod metrics;
mod moments;
mod parallel;
mod parameters;
mod product;
mod returns;
mod sliding;
mod window;

use std::{sync::Arc, time::Duration};

use futures::future::try_join_all;
use prometheus_client::registry::Registry;
use serde_json::json;
use streamforge_events::{
    ControlCommand, Event, EventType, Interval, KlineBatch, Report, ReportStatus, SeriesId, SeriesKind, Symbol,
    TimeRange, data, event_type,
};
use streamforge_function::{BuildError, Config, ConfigError, Context, Error, Function, Setting};
use streamforge_store::{Class, GraphDocument, ObjectStore, Store, Subscriptions};

pub use correlation::{Pair, correlations};
pub use edges::edges;
pub use graph::{Closes, build_graph, graph_id, strongest};
pub use parameters::{EdgeRule, LiveParameters, Parameters};
pub use returns::Returns;
pub use sliding::SlidingCorrelation;

/// How many edges a report shows.
const EDGES_SHOWN: usize = 5;

/// Type of the commands that ask for a graph of each new bar.
const LIVE: &str = "realtime_graph";

const PATIENCE: &str = "STREAMFORGE_GRAPH_PATIENCE";

/// Builds graphs from a store and puts them into it.
pub struct GraphBuilder {
    store: Arc<dyn Store>,
    subscriptions: Subscriptions<live::Nothing>,
    patience: Duration,
    metrics: metrics::Metrics,
    /// One new bar is served at a time.
    windows: tokio::sync::Mutex<live::Windows>,
    /// Whether live graphs are built at once after each bar, so that they are the same to the last bit however fast bars
    /// come and whoever built the one before.
    builds_at_once: bool,
}

/// Why there is no graph.
enum Failure {
    /// No repetition will help; the words are for the user.
    Final(String),
    /// The event is to come again.
    Retry(Error),
}

impl GraphBuilder {
    /// The builder over a store and the objects that hold subscriptions; `patience` is how long the newest bar of all
    /// symbols is waited for.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, objects: Arc<dyn ObjectStore>, patience: Duration) -> Self {
        Self {
            store,
            subscriptions: Subscriptions::new(objects, Self::NAME),
            patience,
            metrics: metrics::Metrics::default(),
            windows: tokio::sync::Mutex::default(),
            builds_at_once: false,
        }
    }

    /// The builder as the environment describes it.
    ///
    /// # Errors
    /// [`BuildError`] if the URL of the store or of the objects is missing or they cannot be opened.
    pub async fn from_config(config: &Config) -> Result<Self, BuildError> {
        let patience = config.duration(PATIENCE)?;
        let unusable = |name: &'static str| {
            move |error: streamforge_store::Error| match error {
                streamforge_store::Error::Url { reason, .. } => BuildError::Config(ConfigError::invalid(name, reason)),
                error => BuildError::Unusable(chain(&error)),
            }
        };
        let store = streamforge_store::open(config.store_url()?).await.map_err(unusable("STREAMFORGE_STORE_URL"))?;
        let objects = streamforge_store::open_objects(config.objects_url()?).await;
        let objects = objects.map_err(unusable("STREAMFORGE_OBJECTS_URL"))?;
        Ok(Self { builds_at_once: config.exchange_is_recording(), ..Self::new(store, objects, patience) })
    }

    async fn closes(
        &self,
        symbol: &Symbol,
        interval: Interval,
        range: TimeRange,
    ) -> Result<Closes, streamforge_store::Error> {
        let series = SeriesId { symbol: symbol.clone(), kind: SeriesKind::Klines(interval) };
        let read = self.store.read_closes(&series, range).await?;
        Ok(Closes { symbol: symbol.clone(), open_times: read.open_time, closes: read.close })
    }

    async fn build(&self, command: &ControlCommand) -> Result<GraphDocument, Failure> {
        let parameters = Parameters::parse(command).map_err(Failure::Final)?;
        let version = parameters::version(command.timestamp).map_err(Failure::Final)?;
        // The store decides how many of them it reads at once.
        let closes = try_join_all(
            parameters.symbols.iter().map(|symbol| self.closes(symbol, parameters.interval, parameters.range)),
        )
        .await?;
        // Hundreds of symbols keep a processor busy for a while, and probes must be answered meanwhile.
        let graph = tokio::task::spawn_blocking(move || build_graph(&parameters, &closes, version));
        let graph = graph.await?.map_err(Failure::Final)?;
        self.store.put_graph(&graph).await?;
        Ok(graph)
    }

    async fn start(&self, event: &Event, context: &Context) -> Result<Vec<Event>, Error> {
        let command: ControlCommand = data(event)?;
        let started = context.report(&command, ReportStatus::Started);
        context.publish(context.report_event(event, &started)?).await?;
        let last = match self.work(event, &command, context).await {
            Ok(last) => last,
            Err(Failure::Final(words)) => Some(refusal(context, &command, words)),
            Err(Failure::Retry(error)) => return Err(error),
        };
        last.map(|report| context.report_event(event, &report)).into_iter().collect()
    }

    /// Does what a command asks and answers the last report; none if the work goes on with new bars.
    async fn work(
        &self,
        event: &Event,
        command: &ControlCommand,
        context: &Context,
    ) -> Result<Option<Report>, Failure> {
        if context.is_stopped(&command.queue_id) {
            return Ok(Some(context.report(command, ReportStatus::Interrupted)));
        }
        if command.kind == LIVE {
            let has_begun = self.subscribe(event, command).await?;
            return Ok((!has_begun).then(|| context.report(command, ReportStatus::Interrupted)));
        }
        let graph = self.build(command).await?;
        let (nodes, edges) = (graph.nodes.len(), graph.edges.len());
        let mut report = context.report(command, ReportStatus::Finished);
        report.message = format!("Built graph {} with {nodes} nodes and {edges} edges", graph.id);
        report.extra = Some(json!({
            "graph": graph.id, "nodes": nodes, "edges": edges, "strongest": strongest(&graph, EDGES_SHOWN),
        }));
        Ok(Some(report))
    }
}

/// The last report of a task that cannot be done.
fn refusal(context: &Context, command: &ControlCommand, words: String) -> Report {
    let mut report = context.report(command, ReportStatus::Error);
    report.message.clone_from(&words);
    report.error_message = Some(words);
    report.finished = true;
    report
}

impl Function for GraphBuilder {
    const NAME: &'static str = "graph-builder";

    const SETTINGS: &'static [Setting] = &[Setting {
        name: PATIENCE,
        unit: "duration",
        default: Some("30s"),
        description: "how long a new bar is waited for until all symbols of a live graph have it",
    }];

    fn accepts(&self) -> &'static [EventType] {
        &[EventType::ControlStart, EventType::ControlStop, EventType::KlinesLoaded]
    }

    async fn handle(&self, event: Event, context: &Context) -> Result<Vec<Event>, Error> {
        let done = match event_type(&event)? {
            EventType::KlinesLoaded => {
                let batch: KlineBatch = data(&event)?;
                self.new_bar(&batch, context).await
            }
            EventType::ControlStop => {
                let command: ControlCommand = data(&event)?;
                self.unsubscribe(&command.queue_id, context).await
            }
            _ => return self.start(&event, context).await,
        };
        match done {
            Ok(()) => Ok(Vec::new()),
            Err(Failure::Final(words)) => Err(Error::Unavailable(words)),
            Err(Failure::Retry(error)) => Err(error),
        }
    }

    fn register_metrics(&self, registry: &mut Registry) {
        self.metrics.register(registry);
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Retry(error)
    }
}

impl From<streamforge_events::Error> for Failure {
    fn from(error: streamforge_events::Error) -> Self {
        Self::Retry(error.into())
    }
}

impl From<tokio::task::JoinError> for Failure {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::Retry(Error::Internal(error.to_string()))
    }
}

impl From<streamforge_store::Error> for Failure {
    fn from(error: streamforge_store::Error) -> Self {
        match error.class() {
            Class::Rejected => Self::Final(chain(&error)),
            Class::Retryable | Class::Fatal => Self::Retry(Error::Unavailable(chain(&error))),
        }
    }
}

/// An error with all its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
