//! The manifests on a real Kubernetes of one node: `make e2e`.
//!
//! Every test needs the cluster, which needs root and is built in half an hour, so all of them are ignored by default.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod accepted;
mod burst;
mod canary;
mod contract;
#[path = "../support/dashboards.rs"]
mod dashboards;
mod faults;
mod flow;
mod git;
mod healing;
mod judged;
mod knative;
#[path = "../support/promql.rs"]
mod promql;
mod refused;
mod reports;
mod repository;
#[path = "../support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "each target needs its own part")]
mod support;
mod timeline;
mod training;
mod trainings;
mod watched;
mod workflow;
mod world;
