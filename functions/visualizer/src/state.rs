//! Where everything that is shown comes from.

use std::{path::PathBuf, sync::Arc};

use futures::{
    FutureExt, Stream, StreamExt,
    future::{BoxFuture, Shared},
};
use streamforge_bus::{Bus, TopicDescription};
use streamforge_function::{
    Publisher,
    api::{Problem, Streams},
    axum::{
        http::StatusCode,
        response::{Response, sse::Event},
    },
};
use streamforge_message::Replays;
use streamforge_store::{ModelRegistry, ObjectStore, Store};

use crate::samples::Samples;

/// What there is to read from, and where to publish.
pub struct Sources {
    /// Series, graphs, predictions and workflows.
    pub store: Arc<dyn Store>,
    /// The event log.
    pub bus: Arc<dyn Bus>,
    /// The objects that hold models.
    pub objects: Arc<dyn ObjectStore>,
    /// Where dead letters are published again.
    pub publisher: Publisher,
    /// What remembers which dead letters were, where there is a folder for it.
    pub replays: Option<Replays>,
    /// The functions of the platform as it sees them, where it is at hand.
    pub samples: Option<Samples>,
    /// The folder that workers log to, where there is one.
    pub logs: Option<PathBuf>,
    /// Resolves when answers that have no end of their own are to end.
    pub shutdown: BoxFuture<'static, ()>,
}

/// What the views read; cheap to clone.
#[derive(Clone)]
pub struct Views {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) models: ModelRegistry,
    pub(crate) publisher: Publisher,
    pub(crate) replays: Option<Replays>,
    pub(crate) samples: Option<Samples>,
    pub(crate) logs: Option<PathBuf>,
    pub(crate) shutdown: Shared<BoxFuture<'static, ()>>,
    pub(crate) streams: Streams,
}

impl Views {
    /// Views of these sources.
    #[must_use]
    pub fn new(sources: Sources) -> Self {
        let Sources { store, bus, objects, publisher, replays, samples, logs, shutdown } = sources;
        Self {
            store,
            bus,
            models: ModelRegistry::new(objects),
            publisher,
            replays,
            samples,
            logs,
            shutdown: shutdown.shared(),
            streams: Streams::default(),
        }
    }

    /// All topics of the log, by name.
    pub(crate) async fn topics(&self) -> Result<Vec<TopicDescription>, Problem> {
        self.bus.topics().await.map_err(|error| Problem::unavailable(&error))
    }

    /// One topic of the log.
    pub(crate) async fn topic(&self, name: &str) -> Result<TopicDescription, Problem> {
        let found = self.topics().await?.into_iter().find(|topic| topic.name == name);
        let shown: String = name.chars().take(200).collect();
        let message = format!("there is no topic `{shown}`; /views/topics lists them");
        found.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "unknown_topic", message))
    }

    /// Answers with events until there are no more, the client goes, or the server is told to stop.
    pub(crate) fn stream(&self, events: impl Stream<Item = Event> + Send + 'static) -> Result<Response, Problem> {
        self.streams.serve(events.take_until(self.shutdown.clone()))
    }
}
