//! Why the ledger could not be kept, and whether another delivery can help.

/// Why an event led to no entry.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The report says too little.
    #[error("report is not valid: {0}")]
    Report(String),
    /// The ledger.
    #[error("{}", chain(.0))]
    Ledger(#[from] streamforge_ledger::Error),
    /// The store or the registry.
    #[error("{}", chain(.0))]
    Store(#[from] streamforge_store::Error),
    /// The bars in the store make no panel.
    #[error("bars cannot be used: {0}")]
    Bars(#[from] streamforge_dataset::Error),
}

impl From<streamforge_hindsight::Error> for Error {
    fn from(error: streamforge_hindsight::Error) -> Self {
        match error {
            streamforge_hindsight::Error::Store(error) => error.into(),
            streamforge_hindsight::Error::Bars(error) => error.into(),
        }
    }
}

impl From<Error> for streamforge_function::Error {
    fn from(error: Error) -> Self {
        use streamforge_store::Error::Model;
        let words = error.to_string();
        match error {
            Error::Report(_) => Self::Invalid(words),
            Error::Bars(_) | Error::Store(Model { .. }) => Self::Unprocessable(words),
            Error::Ledger(error) if error.class() == streamforge_ledger::Class::Rejected => Self::Unprocessable(words),
            // Whatever else it is, a person can mend it while the event waits.
            Error::Ledger(_) | Error::Store(_) => Self::Unavailable(words),
        }
    }
}

/// An error with all its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
