//! The whole way of a request, in real processes: from the request to the export.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod backup;
mod database;
mod interrupted_backup;
mod pages;
mod recorded;
mod repeated;
mod scaling;
#[path = "../support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "each target needs its own part")]
mod support;
mod whole;
