//! Where a process stands: starting, ready, draining.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::sync::watch;

/// Phase of a process, shared by the probes and the server.
#[derive(Debug, Clone)]
pub(crate) struct Lifecycle(Arc<watch::Sender<Phase>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Starting,
    Ready,
    Draining,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Phase::Starting)))
    }
}

impl Lifecycle {
    pub(crate) fn enter(&self, phase: Phase) {
        self.0.send_replace(phase);
    }

    pub(crate) async fn until(&self, wanted: Phase) {
        // The sender lives in `self`.
        let _ = self.0.subscribe().wait_for(|phase| *phase == wanted).await;
    }

    pub(crate) fn phase(&self) -> Phase {
        *self.0.borrow()
    }
}

/// The three probes, which differ on purpose: a draining process is alive and not ready, and no probe asks
/// anything outside the process.
pub(crate) fn probes(lifecycle: &Lifecycle) -> Router {
    let startup = lifecycle.clone();
    let ready = lifecycle.clone();
    Router::new()
        .route("/health/live", get(async || StatusCode::OK))
        .route("/health/startup", get(async move || yes(startup.phase() != Phase::Starting)))
        .route("/health/ready", get(async move || yes(ready.phase() == Phase::Ready)))
}

fn yes(holds: bool) -> StatusCode {
    if holds { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}
