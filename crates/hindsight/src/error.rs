//! Why it is not known what came.

/// Why what came after a prediction could not be computed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store or the registry.
    #[error("store failed")]
    Store(#[from] streamforge_store::Error),
    /// The bars in the store make no panel.
    #[error("bars cannot be used")]
    Bars(#[from] streamforge_dataset::Error),
}
