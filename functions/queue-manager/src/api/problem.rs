//! Why a call was not done, in the words of the engine.

use streamforge_function::{api::Problem, axum::http::StatusCode};

use crate::engine::Error;

/// The answer to a caller who names a workflow that is not there.
pub(super) fn unknown_queue(id: &str) -> Problem {
    let shown: String = id.chars().take(200).collect();
    Problem::new(StatusCode::NOT_FOUND, "unknown_queue", format!("there is no workflow `{shown}`"))
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(error) => error.into(),
            Error::IdempotencyConflict(_) => {
                Self::field("idempotency_conflict", "Idempotency-Key", "the key came before with another request")
            }
            Error::Contended(_) => {
                Self::new(StatusCode::CONFLICT, "contended", "the workflow is being changed by others, try again")
            }
            Error::Document { .. } | Error::Event { .. } | Error::Store(_) | Error::Publish(_) => {
                Self::unavailable(&error)
            }
        }
    }
}
