//! Why a look, or what was to be done after it, came to nothing.

use streamforge_events::QueueId;
use streamforge_function::PublishError;

/// What can fail; all of it is tried again with the next look.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The API server cannot be reached or refuses.
    #[error("the API server could not {0}")]
    Cluster(&'static str, #[source] Box<kube::Error>),
    /// It does not answer.
    #[error("no look was done within {0} s")]
    Slow(u64),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] streamforge_store::Error),
    /// A document was written by something else.
    #[error("document of workflow `{id}` could not be read")]
    Document {
        /// The workflow.
        id: QueueId,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A report could not be built.
    #[error("a report could not be built")]
    Event(#[from] streamforge_events::Error),
    /// The broker did not take a report.
    #[error("a report could not be published")]
    Publish(#[from] PublishError),
}

/// An error with all its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let texts: Vec<String> =
        std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect();
    texts.join(": ")
}
