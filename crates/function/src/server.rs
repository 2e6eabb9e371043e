//! Serving a function on given listeners until it is told to stop, and then draining.

use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::connection::Connection;
use crate::lifecycle::Phase;
use crate::{Context, Function, PatientListener, host, metrics};

/// Why serving ended other than by a clean drain.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Events were still at work when the drain's time was over; the broker delivers them again.
    #[error("events were still at work {} s after the end of the grace", .0.as_secs())]
    DrainTimeout(Duration),
    /// The server ended by itself.
    #[error("the server ended by itself")]
    Ended(#[source] std::io::Error),
}

/// Serves until `shutdown` resolves, then drains.
///
/// Draining keeps serving for the configured grace while the readiness probe fails, because callers learn late that
/// a process is going; then it takes no new connection, ends every event at work and returns.
///
/// # Errors
/// [`ServeError`] where events at work did not end in time.
pub async fn serve<F: Function>(
    function: F,
    context: Context,
    listener: TcpListener,
    metrics_listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let (grace, timeout) = (context.config().drain_grace, context.config().drain_timeout);
    let scraped = context.clone();
    let metrics =
        tokio::spawn(axum::serve(metrics_listener, metrics::router(move || scraped.metrics().scrape())).into_future());
    let (drain, drained) = oneshot::channel::<()>();
    let app = host::router(function, context.clone()).into_make_service_with_connect_info::<Connection>();
    let mut server = tokio::spawn(
        axum::serve(PatientListener::new(listener), app)
            .with_graceful_shutdown(async {
                // A dropped sender means the same as a sent signal: stop.
                let _ = drained.await;
            })
            .into_future(),
    );
    context.lifecycle().enter(Phase::Ready);
    context.metrics().ready_after(context.config().started.elapsed());
    tracing::info!(function = F::NAME, "ready");

    tokio::select! {
        () = shutdown => {}
        ended = &mut server => return ended_early(ended),
    }
    context.lifecycle().enter(Phase::Draining);
    tracing::info!(function = F::NAME, "draining");
    tokio::time::sleep(grace).await;
    drop(drain);
    let outcome = match tokio::time::timeout(timeout, server).await {
        Ok(ended) => ended_early(ended),
        Err(_) => Err(ServeError::DrainTimeout(timeout)),
    };
    metrics.abort();
    if outcome.is_ok() {
        tracing::info!(function = F::NAME, "drained");
    }
    outcome
}

fn ended_early(ended: Result<std::io::Result<()>, tokio::task::JoinError>) -> Result<(), ServeError> {
    ended.unwrap_or_else(|error| Err(std::io::Error::other(error))).map_err(ServeError::Ended)
}
