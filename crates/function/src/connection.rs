//! Closes long-lived connections now and then, so that callers find replicas that started later.
//!
//! Kubernetes balances connections, not requests: a kept-alive connection stays with its pod for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request};
use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use axum::middleware::Next;
use axum::response::Response;
use axum::serve::IncomingStream;

use crate::PatientListener;
use crate::lifecycle::{Lifecycle, Phase};

/// One connection: its age and how many requests it has carried.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    opened: Instant,
    requests: Arc<AtomicUsize>,
}

impl Connected<IncomingStream<'_, PatientListener>> for Connection {
    fn connect_info(_: IncomingStream<'_, PatientListener>) -> Self {
        Self { opened: Instant::now(), requests: Arc::default() }
    }
}

/// When a connection has been used enough.
#[derive(Debug, Clone)]
pub(crate) struct Wear {
    pub(crate) requests: usize,
    pub(crate) age: Duration,
    pub(crate) lifecycle: Lifecycle,
}

impl Wear {
    /// Adds `Connection: close` to the answer that uses a connection up, and to every answer while draining.
    pub(crate) async fn limit(self, request: Request, next: Next) -> Response {
        let is_worn = request.extensions().get().is_some_and(|ConnectInfo(connection): &ConnectInfo<Connection>| {
            let carried = connection.requests.fetch_add(1, Ordering::Relaxed) + 1;
            carried >= self.requests || connection.opened.elapsed() >= self.age
        });
        let mut response = next.run(request).await;
        if is_worn || self.lifecycle.phase() == Phase::Draining {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
