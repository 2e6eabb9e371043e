//! Backups of whole stores: restored into the same and into another backend, beside writers, damaged, and again.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod again;
mod bucket;
mod damage;
mod interrupted;
mod merging;
mod models;
mod moving;
mod under_load;
mod world;
