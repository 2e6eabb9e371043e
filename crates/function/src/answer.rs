//! Answers that are not "done": a status, a stable reason code and a short text.

use std::fmt;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::Error;

/// Why an event was not done, as the broker and the dead letter see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Decides whether the event comes again.
    pub status: StatusCode,
    /// Stable code, sent as `kne-reason`: the broker copies `kne-` headers into the dead letter.
    pub code: &'static str,
    /// Short text for people.
    pub reason: String,
}

/// The broker copies this much of a body into the dead letter.
///
/// # Units
/// Bytes.
pub(crate) const LONGEST_BODY: usize = 1024;

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: &'static str, reason: impl Into<String>) -> Self {
        Self { status, code, reason: reason.into() }
    }

    pub(crate) fn bad_request(code: &'static str, reason: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, reason)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.code, self.reason)
    }
}

impl std::error::Error for Refusal {}

impl From<&Error> for Refusal {
    fn from(error: &Error) -> Self {
        let reason = match error {
            Error::Internal(_) => "internal error, see the log of the function".to_owned(),
            Error::Publish(_) => chain(error),
            _ => error.to_string(),
        };
        Self::new(error.status(), error.code(), reason)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let text = &self.reason[..self.reason.floor_char_boundary(LONGEST_BODY)];
        let mut response = (self.status, text.to_owned()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert("kne-reason", HeaderValue::from_static(self.code));
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// An error with all its causes, outermost first.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_long_reason_is_cut_between_characters() {
        let refusal = Refusal::bad_request("INVALID_EVENT", "€".repeat(1_000));
        let body = axum::body::to_bytes(refusal.into_response().into_body(), usize::MAX).await.unwrap();
        assert_eq!(body.len(), 1023);
        assert!(std::str::from_utf8(&body).is_ok());
    }

    #[test]
    fn a_bug_keeps_its_details_to_itself() {
        let refusal = Refusal::from(&Error::Internal("password=s3cret".to_owned()));
        assert!(!refusal.reason.contains("s3cret"));
    }
}
