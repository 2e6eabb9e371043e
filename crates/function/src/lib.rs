//! What a function is and how it is served: the trait, the HTTP host, the publisher, configuration, telemetry.
//!
//! A function crate implements [`Function`] and has a `main.rs` of three lines:
//!
//! ```no_run
//! # use streamforge_function::{BuildError, Config, Context, Error, Event, EventType, Function};
//! # struct Echo;
//! # impl Function for Echo {
//! #     const NAME: &'static str = "echo";
//! #     fn accepts(&self) -> &'static [EventType] { &[EventType::ControlStart] }
//! #     async fn handle(&self, _: Event, _: &Context) -> Result<Vec<Event>, Error> { Ok(Vec::new()) }
//! # }
//! # impl Echo { async fn from_config(_: &Config) -> Result<Self, BuildError> { Ok(Self) } }
//! fn main() -> std::process::ExitCode {
//!     streamforge_function::main(Echo::from_config)
//! }
//! ```
//!
//! Everything else is the host's: size limit, parsing, validation, deadline, panics, publishing, tracing,
//! metrics, probes and the drain. No function knows HTTP, and nothing but this crate reads the environment.

mod answer;
pub mod api;
pub mod body;
mod config;
mod connection;
mod context;
mod control;
mod drain;
mod error;
mod function;
mod holder;
mod host;
mod http;
pub mod job;
mod lifecycle;
mod metrics;
mod patience;
mod process;
mod publisher;
mod report;
mod server;
mod stops;
#[cfg(feature = "test-util")]
pub mod test_util;
mod trace;
pub mod wire;

pub use answer::chain;
pub use axum;
pub use prometheus_client;
pub use streamforge_events::{Event, EventType};

pub use config::{Config, ConfigError, Setting, VARIABLES};
pub use context::Context;
pub use error::{BuildError, Error};
pub use function::Function;
pub use holder::{Holder, NoHolder, lease_key};
pub use host::router;
pub use http::http_client;
pub use metrics::{METRICS, MetricDescription};
pub use patience::PatientListener;
pub use process::main;
pub use publisher::{PublishError, Publisher};
pub use server::{ServeError, serve};
pub use trace::Trace;
