//! Bad input at every door: refused with a status and words that help, nothing stored, nothing stuck, nothing kept.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod api;
mod command_line;
mod dead_letters;
mod environment;
mod framing;
mod function_port;
mod http;
mod ingress;
mod manifests;
mod models;
mod platform;
mod raw;
mod subscriber;
#[path = "../support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "each target needs its own part")]
mod support;
mod watchers;
