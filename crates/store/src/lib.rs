//! What is kept: series of klines and trades and what is missing of them, workflow documents, graphs, predictions,
//! leases, objects, models and subscriptions.
//!
//! Every write is idempotent: the same call twice changes nothing, and an older version never replaces
//! a newer one. The traits speak of series, documents and graphs; no query language passes through them.

mod arangodb;
mod completeness;
#[cfg(feature = "test-util")]
pub mod contract;
mod declared;
mod error;
mod folder;
mod gap;
mod graph;
mod identity;
mod lease;
mod models;
mod object;
mod open;
mod prediction;
mod s3;
mod series;
mod sqlite;
mod subscriptions;
mod survivors;
mod tally;
mod workflow;

#[cfg(feature = "test-util")]
pub use arangodb::double as arangodb_double;
pub use arangodb::{ARANGO_VARIABLES, ArangoAccess, ArangoOptions, ArangoPassword, ArangoStore};
pub use completeness::{Completeness, Facts, completeness};
pub use declared::{declared, read_declared, records_of};
pub use error::{Cause, Class, Error};
pub use folder::FolderObjects;
pub use gap::{GapQuery, GapStore};
pub use graph::{Edge, GraphDocument, GraphStore, GraphSummary, Hop, Node};
pub use lease::{Fence, Lease, LeaseOutcome, LeaseStore};
pub use models::{FileSum, Model, ModelCard, ModelFile, ModelFiles, ModelManifest, ModelRegistry, Published};
pub use object::{ObjectStore, ObjectSwap, check_object_key};
pub use open::{Store, open, open_objects};
pub use prediction::{PredictionQuery, PredictionStore};
pub use s3::{S3_VARIABLES, S3Objects, S3Settings};
pub use series::{
    Applied, BatchCounts, BatchReport, Coverage, Gap, KlineCloses, MAX_VERSION, Reject, SeriesStore, Versioned,
};
pub use sqlite::{Kept, Missing, Repair, SqliteStore, repair};
pub use subscriptions::{StoredSubscription, Subscription, SubscriptionState, Subscriptions, WaitingBar};
pub use workflow::{
    CreateOutcome, Remembered, Revision, StoredWorkflow, SwapOutcome, WorkflowDocument, WorkflowPage, WorkflowQuery,
    WorkflowStore,
};
