//! The whole way of a request with an exchange that fails in every way it can.
//!
//! `STREAMFORGE_SEED=N` repeats the requests that met the failures, where another seed is not named.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod ends;
mod passing;
mod restated;
mod skew;
#[path = "../support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "each target needs its own part")]
mod support;
mod workflow;
