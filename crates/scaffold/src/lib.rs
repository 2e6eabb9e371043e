//! A new function in the repository: its crate, its image, its manifests, and a line wherever functions are listed.
//!
//! Manifests are made of those of the function [`MODEL`] as they are, so that they say what the others say. The crate
//! is made of a template that is compiled and tested with the workspace. All is computed before anything is written.

mod error;
mod lists;
mod manifests;
mod name;
mod new_function;
mod repository;

pub use error::Error;
pub use new_function::{MODEL, NewFunction};
pub use repository::{Files, Written, read, write};
