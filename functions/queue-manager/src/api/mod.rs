//! The API over HTTP: starts, stops and shows workflows.
//!
//! A start is validated here, written down as pending and published; everything after that is the engine's.

mod control;
mod coverage;
mod live;
mod problem;
mod read;
mod routes;
mod schemas;
mod start;
mod starting;
#[cfg(test)]
mod tests;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use streamforge_bus::Bus;
use streamforge_events::{digest, hex};
use streamforge_function::{
    api::{Streams, guarded, unknown_path},
    axum::{Router, http::StatusCode},
};

use crate::engine::Engine;

/// What the API needs.
pub struct ApiState {
    engine: Engine,
    bus: Option<Arc<dyn Bus>>,
    instance: String,
    requests: AtomicU64,
    streams: Streams,
}

impl ApiState {
    /// An API over this engine.
    ///
    /// `bus` gives live messages, which are refused without it. `instance` tells processes apart that
    /// serve the same API, such as the name of a pod.
    #[must_use]
    pub fn new(engine: Engine, bus: Option<Arc<dyn Bus>>, instance: &str) -> Self {
        Self { engine, bus, instance: instance.to_owned(), requests: AtomicU64::new(0), streams: Streams::default() }
    }

    /// A text that no other request has: who was asked, when, and the how-manieth request it was.
    fn nonce(&self) -> String {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let now = self.engine.now().to_string();
        hex(&digest(&[&self.instance, &now, &number.to_string()])[..12])
    }
}

/// The whole API with its probes, ready to be served on a port of its own.
pub fn router(state: ApiState) -> Router {
    let router = calls(state).merge(probes()).fallback(async || unknown_path());
    guarded(router)
}

/// The API without probes, for a host that has its own.
pub fn routes(state: ApiState) -> Router {
    guarded(calls(state).fallback(async || unknown_path()))
}

/// The calls alone, for a server that has others beside them and guards them all.
pub fn calls(state: ApiState) -> Router {
    routes::router(Arc::new(state))
}

/// The probes of a server that is there as soon as it answers.
pub fn probes() -> Router {
    ["live", "ready", "startup"].into_iter().fold(Router::new(), |router, probe| {
        router.route(&format!("/health/{probe}"), streamforge_function::axum::routing::get(async || StatusCode::OK))
    })
}
