//! Backups: series, workflows, graphs, predictions and models as checked objects that any store can be filled from.
//!
//! Rows lie in chunks, each under the SHA-256 of its bytes, so that what an earlier backup holds is not written again.
//! The manifest of a backup names its chunks and is written last: it is what makes the backup exist.

mod chunk;
mod create;
mod error;
mod manifest;
mod models;
mod name;
mod packing;
mod period;
mod place;
mod restore;
mod rows;

pub use chunk::Chunk;
pub use create::{Created, Order, create};
pub use error::Error;
pub use manifest::{FORMAT, Limits, Manifest, ModelPart, SeriesPart};
pub use name::BackupName;
pub use place::{Place, Tally};
pub use restore::{Counts, Restored, restore};
pub use rows::{Contents, Rows};

use streamforge_store::{ModelRegistry, Store};

/// A store and the models beside it: what a backup is made of, or what it is restored into.
#[derive(Clone, Copy)]
pub struct Holdings<'a> {
    /// Series, workflow documents, graphs and predictions.
    pub store: &'a dyn Store,
    /// Models, if there is a place for them.
    pub models: Option<&'a ModelRegistry>,
}
