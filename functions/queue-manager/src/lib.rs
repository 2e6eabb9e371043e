//! The workflow engine and its API.
//!
//! The middle is pure: [`plan`] turns a request and what is already loaded into stages and tasks, [`reduce`] turns a
//! document and an input into the next document and commands. [`engine`] runs them against the store and the broker,
//! [`function`] and [`api`] are the two ways in, [`clock`] wakes what has fallen silent.

pub mod api;
pub mod batch_set;
pub mod clock;
pub mod document;
pub mod engine;
mod figures;
mod folding;
pub mod function;
mod heard;
pub mod made;
pub mod outbox;
mod outgoing;
pub mod plan;
pub mod reduce;
pub mod restated;
mod service;
#[cfg(test)]
mod simulation;
mod slice;
#[cfg(test)]
mod testing;
mod underway;

pub use api::ApiState;
pub use engine::{Clock, Engine};
pub use function::QueueManager;
pub use service::ApiService;
