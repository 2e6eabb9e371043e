//! HTTP interfaces for people and their pages: one envelope of answers, one guard, one form of documentation.

mod answer;
pub mod openapi;
pub mod schema;
mod streams;

use axum::{
    Router,
    extract::Request,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header, uri::Authority},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};

pub use self::answer::{
    PathName, Problem, fields, name_in_path, parse_body, parse_query, parse_repeatable_query, required, success,
};
pub use self::streams::{Place, Streams};
use crate::body::{self, Unread};

/// Largest body of a request: some thousand symbols.
pub const BODY_LIMIT: usize = 256 * 1024;

/// Guards an interface without a login: bodies are bounded, and what the page of another site sends is refused.
pub fn guarded(router: Router) -> Router {
    router
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "the path knows other methods")
        })
        .layer(middleware::from_fn(bound_body))
        .layer(middleware::from_fn(refuse_foreign_pages))
}

/// The answer to a path that is no call.
#[must_use]
pub fn unknown_path() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "unknown_path", "there is no such path, see /docs")
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
    let mut response = next.run(request).await;
    // What a message holds is never taken for anything but what it is announced as.
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
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
