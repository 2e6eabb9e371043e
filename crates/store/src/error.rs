//! What can go wrong with a store, and whether trying again can help.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use streamforge_events::{ModelName, ModelVersion};

/// What lies beneath an error; shared, because one failed transaction answers several callers.
pub type Cause = Arc<dyn std::error::Error + Send + Sync>;

/// What a caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The same call may succeed later.
    Retryable,
    /// The call itself is wrong and will be refused every time.
    Rejected,
    /// The store cannot be used until a person has seen to it.
    Fatal,
}

/// Why a store refused or failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The URL names no store that can be opened.
    #[error("store URL `{url}` is not valid: {reason}")]
    Url {
        /// The URL as it was given.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Klines were asked of a series of trades, or the other way round.
    #[error("series `{series}` does not hold {asked}")]
    Kind {
        /// The series.
        series: String,
        /// What was asked of it.
        asked: &'static str,
    },
    /// The position to read on from was not given by this store.
    #[error("cursor `{0}` is not valid")]
    Cursor(String),
    /// The graph contradicts itself.
    #[error("graph `{id}` is not valid: {reason}")]
    Graph {
        /// Id of the graph.
        id: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The lease is none that could be held.
    #[error("lease of `{key}` is not valid: {reason}")]
    Lease {
        /// The key as it was given.
        key: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The object's key is not allowed.
    #[error("object key `{key}` is not valid: {reason}")]
    ObjectKey {
        /// The key as it was given.
        key: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The card says too little to publish a model under it.
    #[error("card of the model is not valid: {0}")]
    Card(String),
    /// There is no such model, or no such version of it.
    #[error("{} is not in the registry", shown_model(name, version.as_ref()))]
    NoModel {
        /// The model.
        name: ModelName,
        /// The version, if one was asked for.
        version: Option<ModelVersion>,
    },
    /// A version never changes; whoever has other content has to give it another version.
    #[error("model `{name}` version `{version}` is published already, with other content")]
    ModelExists {
        /// The model.
        name: ModelName,
        /// The version.
        version: ModelVersion,
    },
    /// A version of a model is not what was published.
    #[error("{} is damaged: {file} {reason}", shown_model(name, version.as_ref()))]
    Model {
        /// The model.
        name: ModelName,
        /// The version; none if it is the note of the latest one.
        version: Option<ModelVersion>,
        /// The file.
        file: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The state of a subscription could not be written or read.
    #[error("subscription `{key}` is damaged: {reason}")]
    Subscription {
        /// The key of its object.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No space left: nothing of the failed write was kept, all that was acknowledged before is still there.
    #[error("disk full while writing {}: free some space, nothing accepted is lost", path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: Cause,
    },
    /// Another process kept the file locked for too long.
    #[error("{} is locked by another process", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: Cause,
    },
    /// The file is damaged or is not a store.
    #[error(
        "{} is corrupt or not a store: {reason}; if it is one, stop what uses it and run `streamforge repair \
         --data-dir {}`",
        path.display(),
        folder_of(path).display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file was written by a version of the program that this one does not know.
    #[error(
        "store {} has schema version {found}, this program knows version {known}; use the program that wrote it, or \
         another data folder",
        path.display()
    )]
    Schema {
        /// The file.
        path: PathBuf,
        /// The version in the file.
        found: i64,
        /// The version of this program.
        known: i64,
    },
    /// A file could not be read or written.
    #[error("failed to {action} {}", path.display())]
    File {
        /// What was attempted.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: Cause,
    },
    /// A server of objects failed or refused.
    #[error("failed to {action} {place}")]
    Objects {
        /// What was attempted.
        action: &'static str,
        /// The bucket, or the object in it.
        place: String,
        /// Whether trying again cannot help: no right, or no such bucket.
        is_final: bool,
        /// What the server said.
        source: Cause,
    },
    /// Any other failure of the database.
    #[error("failed to use the store {}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What the database said.
        source: Cause,
    },
    /// No database server took the call for as long as it was tried.
    #[error("{place} is not available: {reason}")]
    Unavailable {
        /// The database.
        place: String,
        /// What came of the last try.
        reason: String,
    },
    /// The database server does not let the user in.
    #[error("{place} does not let the user in: {reason}")]
    Unauthorized {
        /// The database.
        place: String,
        /// The server's words.
        reason: String,
    },
    /// The database server refused a call that is well-formed.
    #[error("{place} refused a call: {reason}")]
    Refused {
        /// The database.
        place: String,
        /// The server's words.
        reason: String,
    },
    /// The database server, or what is stored there, is none that this program can use.
    #[error("{place} cannot be used: {reason}")]
    Unfit {
        /// The database.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The store is shutting down or its writer has died.
    #[error("store is closed")]
    Closed,
}

impl Error {
    /// Sorts the error by what a caller can do about it.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Objects { is_final: false, .. }
            | Self::DiskFull { .. }
            | Self::Busy { .. }
            | Self::File { .. }
            | Self::Database { .. }
            | Self::Unavailable { .. } => Class::Retryable,
            Self::Kind { .. }
            | Self::Cursor(_)
            | Self::Graph { .. }
            | Self::Lease { .. }
            | Self::ObjectKey { .. }
            | Self::Card(_)
            | Self::Subscription { .. }
            | Self::NoModel { .. }
            | Self::ModelExists { .. } => Class::Rejected,
            Self::Objects { is_final: true, .. }
            | Self::Model { .. }
            | Self::Url { .. }
            | Self::Corrupt { .. }
            | Self::Schema { .. }
            | Self::Unauthorized { .. }
            | Self::Refused { .. }
            | Self::Unfit { .. }
            | Self::Closed => Class::Fatal,
        }
    }

    /// Tells whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.class() == Class::Retryable
    }
}

/// The folder that a file lies in.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn shown_model(name: &ModelName, version: Option<&ModelVersion>) -> String {
    version.map_or_else(|| format!("model `{name}`"), |version| format!("model `{name}` version `{version}`"))
}
