//! The whole way of a request, in real processes: from the request to the export, and every place for bad input.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod bad_events;
mod recorded;
mod refusals;
mod repeated;
mod scaling;
mod subscriber;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "each target needs its own part")]
mod support;
mod whole;
