//! Why there is no prediction, and whether another delivery can help.

use streamforge_events::{ModelName, ModelVersion};
use streamforge_store::Class;

/// Why a command or a bar led to no prediction.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The command asks for something that cannot be.
    #[error("{0}")]
    Parameters(String),
    /// The series do not hold what a prediction needs.
    #[error("{0}")]
    Series(String),
    /// The model is not one that can be used here, or not for this.
    #[error("model `{name}` version `{version}` cannot be used: {reason}")]
    Model { name: ModelName, version: ModelVersion, reason: String },
    /// The network of a model is none, or of another shape than its card says.
    #[error("{0}")]
    Network(String),
    /// ONNX Runtime is not there.
    #[error("{0}")]
    Library(String),
    /// The bars in the store make no panel.
    #[error("bars cannot be used: {0}")]
    Bars(#[from] streamforge_dataset::Error),
    /// The store or the registry.
    #[error("{}", chain(.0))]
    Store(#[from] streamforge_store::Error),
    /// What the function does by itself went wrong, or an event could not be published.
    #[error(transparent)]
    Function(#[from] streamforge_function::Error),
}

impl Error {
    /// What the broker is told, or the words for the user where no other delivery will help.
    pub(crate) fn outcome(self) -> Result<String, streamforge_function::Error> {
        use streamforge_store::Error::{Corrupt, Model, NoModel};
        match self {
            Self::Function(error) => Err(error),
            Self::Store(Model { .. } | NoModel { .. }) => Ok(self.to_string()),
            Self::Store(Corrupt { .. }) => Err(streamforge_function::Error::Unavailable(self.to_string())),
            Self::Store(ref error) if error.class() != Class::Rejected => {
                Err(streamforge_function::Error::Unavailable(self.to_string()))
            }
            _ => Ok(self.to_string()),
        }
    }

    /// Whether it is the model's own fault, so that an earlier version may do.
    pub(crate) fn is_of_model(&self) -> bool {
        use streamforge_store::Error::{Model, NoModel};
        matches!(self, Self::Model { .. } | Self::Store(Model { .. } | NoModel { .. }))
    }
}

impl From<streamforge_events::Error> for Error {
    fn from(error: streamforge_events::Error) -> Self {
        Self::Function(error.into())
    }
}

impl From<tokio::task::JoinError> for Error {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::Function(streamforge_function::Error::Internal(error.to_string()))
    }
}

/// An error with all its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
