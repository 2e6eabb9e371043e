//! The API over HTTP: starts, stops and shows workflows.
//!
//! A start is validated here, written down as pending and published; everything after that is the engine's.

mod answer;
mod control;
mod coverage;
mod live;
mod openapi;
mod read;
mod routes;
mod start;
#[cfg(test)]
mod tests;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use streamforge_bus::Bus;
use streamforge_events::{digest, hex};
use streamforge_function::{
    axum::{
        Router,
        extract::Request,
        http::{HeaderMap, StatusCode, Uri, header, uri::Authority},
        middleware::{self, Next},
        response::{IntoResponse, Response},
    },
    body::{self, Unread},
};

pub(crate) use self::answer::Problem;
use crate::engine::Engine;

/// Largest body of a request: some thousand symbols.
const BODY_LIMIT: usize = 256 * 1024;

/// What the API needs.
pub struct ApiState {
    engine: Engine,
    bus: Option<Arc<dyn Bus>>,
    instance: String,
    requests: AtomicU64,
}

impl ApiState {
    /// An API over this engine.
    ///
    /// `bus` gives live messages, which are refused without it. `instance` tells processes apart that
    /// serve the same API, such as the name of a pod.
    #[must_use]
    pub fn new(engine: Engine, bus: Option<Arc<dyn Bus>>, instance: &str) -> Self {
        Self { engine, bus, instance: instance.to_owned(), requests: AtomicU64::new(0) }
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
    let probes = ["live", "ready", "startup"].into_iter().fold(Router::new(), |router, probe| {
        router.route(&format!("/health/{probe}"), streamforge_function::axum::routing::get(async || StatusCode::OK))
    });
    guarded(probes, state)
}

/// The API without probes, for a host that has its own.
pub fn routes(state: ApiState) -> Router {
    guarded(Router::new(), state)
}

fn guarded(router: Router, state: ApiState) -> Router {
    router
        .merge(routes::router(Arc::new(state)))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "the path knows other methods")
        })
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "unknown_path", "there is no such path, see /docs"))
        .layer(middleware::from_fn(bound_body))
        .layer(middleware::from_fn(refuse_foreign_pages))
}

/// Reads the body within its bounds, so that no handler meets one that is larger or never ends.
async fn bound_body(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    match body::read(&parts.headers, body, BODY_LIMIT).await {
        Ok(body) => next.run(Request::from_parts(parts, body.into())).await,
        Err(unread) => {
            let code = match unread {
                Unread::TooLarge(_) => "too_large",
                Unread::TooSlow(_) => "too_slow",
                Unread::Broken => "unreadable_body",
            };
            Problem::new(unread.status(), code, unread.to_string()).into_response()
        }
    }
}

/// Refuses what the page of another site sends: the API has no login, the browser's word is all there is.
async fn refuse_foreign_pages(request: Request, next: Next) -> Response {
    if is_foreign(request.headers()) {
        let message = "requests of other sites' pages are refused";
        return Problem::new(StatusCode::FORBIDDEN, "foreign_origin", message).into_response();
    }
    next.run(request).await
}

fn is_foreign(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return false;
    };
    let origin = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok());
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let authority = origin.as_ref().and_then(Uri::authority).map(Authority::as_str);
    authority.is_none() || authority != host
}
