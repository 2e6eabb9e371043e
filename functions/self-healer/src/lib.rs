//! Finds what is stuck on a cluster, fences its task, replaces its Job and says why.
//!
//! The middle is pure: `plan` turns what is `seen` into findings with a remedy each; `healer` is the loop around
//! it. Whether a training makes progress is the workflow engine's to judge: see `docs/decisions/0019-self-healer.md`.

mod cluster;
mod error;
mod healer;
mod memory;
mod metrics;
mod plan;
mod reading;
mod reason;
mod report;
mod seen;
mod service;
mod tasks;

pub use service::SelfHealer;
