//! Builds a graph of symbols from stored klines.
//!
//! `control.start` of type `gnn_graph` brings as `parameters` `symbols`, `interval`, `from` and `to` (open times,
//! half-open), and optionally `threshold` (0.5), `k` (3), `minimum_observations` (30) and `collection_output`, the
//! name of the graph. The graph's version is the time of the command, so that a redelivery changes nothing and a
//! later command replaces an older graph of the same name. `finished` names the graph and its strongest edges.
//!
//! [`build_graph`] is pure; around it stand reading the columns and storing the result.

mod aligned;
mod correlation;
mod edges;
mod graph;
mod moments;
mod parallel;
mod parameters;
mod product;
mod returns;
mod sliding;

use std::sync::Arc;

use futures::future::try_join_all;
use serde_json::json;
use streamforge_events::{ControlCommand, Event, EventType, ReportStatus, SeriesId, SeriesKind, Symbol, data};
use streamforge_function::{BuildError, Config, ConfigError, Context, Error, Function};
use streamforge_store::{Class, GraphDocument, Store};

pub use correlation::{Pair, correlations};
pub use edges::edges;
pub use graph::{Closes, build_graph, graph_id, strongest};
pub use parameters::{EdgeRule, Parameters};
pub use returns::Returns;
pub use sliding::SlidingCorrelation;

/// How many edges a report shows.
const EDGES_SHOWN: usize = 5;

/// Builds graphs from a store and puts them into it.
pub struct GraphBuilder {
    store: Arc<dyn Store>,
}

/// Why there is no graph.
enum Failure {
    /// No repetition will help; the words are for the user.
    Final(String),
    /// The event is to come again.
    Retry(Error),
}

impl GraphBuilder {
    /// The builder over a store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// The builder as the environment describes it.
    ///
    /// # Errors
    /// [`BuildError`] if the store's URL is missing or the store cannot be opened.
    pub async fn from_config(config: &Config) -> Result<Self, BuildError> {
        let store = streamforge_store::open(config.store_url()?).await.map_err(|error| match error {
            streamforge_store::Error::Url { reason, .. } => {
                BuildError::Config(ConfigError::invalid("STREAMFORGE_STORE_URL", reason))
            }
            error => BuildError::Unusable(chain(&error)),
        })?;
        Ok(Self::new(store))
    }

    async fn closes(&self, symbol: &Symbol, parameters: &Parameters) -> Result<Closes, streamforge_store::Error> {
        let series = SeriesId { symbol: symbol.clone(), kind: SeriesKind::Klines(parameters.interval) };
        let read = self.store.read_closes(&series, parameters.range).await?;
        Ok(Closes { symbol: symbol.clone(), open_times: read.open_time, closes: read.close })
    }

    async fn build(&self, command: &ControlCommand) -> Result<GraphDocument, Failure> {
        let parameters = Parameters::parse(command).map_err(Failure::Final)?;
        let version = parameters::version(command.timestamp).map_err(Failure::Final)?;
        // The store decides how many of them it reads at once.
        let closes = try_join_all(parameters.symbols.iter().map(|symbol| self.closes(symbol, &parameters))).await?;
        // Hundreds of symbols keep a processor busy for a while, and probes must be answered meanwhile.
        let graph = tokio::task::spawn_blocking(move || build_graph(&parameters, &closes, version))
            .await
            .map_err(|error| Failure::Retry(Error::Internal(error.to_string())))?
            .map_err(Failure::Final)?;
        self.store.put_graph(&graph).await?;
        Ok(graph)
    }
}

impl Function for GraphBuilder {
    const NAME: &'static str = "graph-builder";

    fn accepts(&self) -> &'static [EventType] {
        &[EventType::ControlStart]
    }

    async fn handle(&self, event: Event, context: &Context) -> Result<Vec<Event>, Error> {
        let command: ControlCommand = data(&event)?;
        let started = context.report(&command, ReportStatus::Started);
        context.publish(context.report_event(&event, &started)?).await?;
        let last = if context.is_stopped(&command.queue_id) {
            context.report(&command, ReportStatus::Interrupted)
        } else {
            match self.build(&command).await {
                Ok(graph) => {
                    let (nodes, edges) = (graph.nodes.len(), graph.edges.len());
                    let mut report = context.report(&command, ReportStatus::Finished);
                    report.message = format!("Built graph {} with {nodes} nodes and {edges} edges", graph.id);
                    report.extra = Some(json!({
                        "graph": graph.id, "nodes": nodes, "edges": edges, "strongest": strongest(&graph, EDGES_SHOWN),
                    }));
                    report
                }
                Err(Failure::Final(words)) => {
                    let mut report = context.report(&command, ReportStatus::Error);
                    report.message.clone_from(&words);
                    report.error_message = Some(words);
                    report.finished = true;
                    report
                }
                Err(Failure::Retry(error)) => return Err(error),
            }
        };
        Ok(vec![context.report_event(&event, &last)?])
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
