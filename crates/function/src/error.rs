//! How handling an event can fail, and the one place that decides what the broker is told.

use axum::http::StatusCode;

use crate::{ConfigError, PublishError};

/// Why an event was not handled; the variant decides whether it comes again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The event is malformed for this function: 400, dead letter.
    #[error("{0}")]
    Invalid(String),
    /// The event is well formed, and no retry will ever do what it asks: 422, dead letter.
    #[error("{0}")]
    Unprocessable(String),
    /// Somebody else is at work on it: 409, comes again.
    #[error("{0}")]
    Conflict(String),
    /// Too much to do at the moment: 429, comes again.
    #[error("{0}")]
    Busy(String),
    /// Something that the work needs does not answer: 503, comes again.
    #[error("{0}")]
    Unavailable(String),
    /// A bug: 500, comes again; the text is logged and not shown to the caller.
    #[error("{0}")]
    Internal(String),
    /// An output was not acknowledged by the broker: 503, comes again; 422 for one that never will be.
    #[error("an output could not be published")]
    Publish(#[source] PublishError),
}

impl Error {
    /// Status of the answer: 409, 429 and 5xx are retried by the broker, any other 4xx becomes a dead letter.
    ///
    /// # Source
    /// Retried statuses: eventing-kafka-broker, `WebClientCloudEventSender.java`.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Busy(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Publish(error) if error.is_permanent() => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Unavailable(_) | Self::Publish(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unprocessable(_) => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }

    /// Stable reason code for the `kne-reason` header, logs and metrics.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "INVALID_EVENT",
            Self::Unprocessable(_) => "UNPROCESSABLE",
            Self::Conflict(_) => "CONFLICT",
            Self::Busy(_) => "BUSY",
            Self::Unavailable(_) => "UNAVAILABLE",
            Self::Internal(_) => "INTERNAL",
            Self::Publish(error) if error.is_permanent() => "OUTPUT_REFUSED",
            Self::Publish(_) => "PUBLISH_FAILED",
        }
    }

    /// Whether the broker will deliver the event again.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        let status = self.status();
        status.is_server_error() || status == StatusCode::CONFLICT || status == StatusCode::TOO_MANY_REQUESTS
    }
}

impl From<PublishError> for Error {
    fn from(error: PublishError) -> Self {
        Self::Publish(error)
    }
}

impl From<streamforge_events::Error> for Error {
    fn from(error: streamforge_events::Error) -> Self {
        match error {
            streamforge_events::Error::Build(_) => Self::Internal(error.to_string()),
            _ => Self::Invalid(error.to_string()),
        }
    }
}

/// Why a function could not be built from its configuration.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The configuration is wrong: the process ends with exit code 64.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The configuration is fine, something it names is not usable: the process ends with exit code 1.
    #[error("{0}")]
    Unusable(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_answers_whether_it_comes_again() {
        let cases = [
            (Error::Invalid(String::new()), 400, false),
            (Error::Unprocessable(String::new()), 422, false),
            (Error::Conflict(String::new()), 409, true),
            (Error::Busy(String::new()), 429, true),
            (Error::Unavailable(String::new()), 503, true),
            (Error::Internal(String::new()), 500, true),
        ];
        for (error, status, retryable) in cases {
            assert_eq!(error.status().as_u16(), status, "{}", error.code());
            assert_eq!(error.is_retryable(), retryable, "{}", error.code());
        }
    }
}
