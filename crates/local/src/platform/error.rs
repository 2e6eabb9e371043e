//! Why the platform could not start or go on.

use std::{io, net::SocketAddr, path::PathBuf};

/// Everything that can go wrong around the platform.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data folder cannot be created, opened or locked.
    #[error("failed to use data folder `{}`", path.display())]
    DataFolder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The path of the data folder cannot be put into a URL.
    #[error("data folder `{}` is not valid: its path must be UTF-8", .0.display())]
    FolderName(PathBuf),
    /// Another platform works on the data folder.
    #[error("data folder `{}` is in use by another platform (process {pid})", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
        /// Process id of the other platform.
        pid: String,
    },
    /// An address that other machines could reach.
    #[error(
        "address `{0}` is not valid: there is no authentication, so only loopback addresses such as 127.0.0.1 are served"
    )]
    NotLoopback(SocketAddr),
    /// An address that cannot be listened on.
    #[error("failed to listen on `{address}`")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The manifests cannot be read or do not fit together.
    #[error("manifests are not valid")]
    Manifests(#[source] crate::Error),
    /// A folder that was asked for has no manifests.
    #[error("folder `{}` has no manifests: expected `knative`, `triggers` or `scaledobjects` in it", .0.display())]
    NoManifests(PathBuf),
    /// The data plane could not start.
    #[error("failed to start the dispatchers")]
    DataPlane(#[source] crate::Error),
    /// The exchange is neither a simulated source nor a URL.
    #[error("exchange `{text}` is not valid: {reason}")]
    Exchange {
        /// What was asked for.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The workflow API could not be built.
    #[error("failed to build the workflow API")]
    Api(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What answers for jobs could not be built.
    #[error("failed to set up the jobs")]
    Jobs(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The event log failed.
    #[error("event log failed")]
    Bus(#[from] streamforge_bus::Error),
    /// The store failed.
    #[error("store failed")]
    Store(#[from] streamforge_store::Error),
    /// The ledger failed.
    #[error("ledger failed")]
    Ledger(#[from] streamforge_ledger::Error),
    /// The running binary cannot be found, so no worker can be started from it.
    #[error("failed to find the running binary")]
    Binary(#[source] io::Error),
}

impl Error {
    /// Whether the configuration is wrong, so that a second try cannot help.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        matches!(
            self,
            Self::FolderName(_)
                | Self::NotLoopback(_)
                | Self::Manifests(_)
                | Self::NoManifests(_)
                | Self::Exchange { .. }
                | Self::Bus(streamforge_bus::Error::Url)
                | Self::Store(streamforge_store::Error::Url { .. })
                | Self::Ledger(streamforge_ledger::Error::Url { .. })
        )
    }

    /// Whether something else holds what the platform needs.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::DataFolder { .. } | Self::InUse { .. } | Self::Listen { .. })
    }
}
