//! The envelope of every answer: `status`, `message`, `data`, and on errors a stable `code` and the field's name.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, Query, rejection::PathRejection},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Value, json};
use streamforge_events::{FieldError, parse_json};

use crate::chain;

/// Why a request was not done.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    code: String,
    field: Option<String>,
    message: String,
}

impl Problem {
    /// A problem with a stable code and words that say what to do.
    #[must_use]
    pub fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), field: None, message: message.into() }
    }

    /// A field or parameter that does not fit: 422.
    #[must_use]
    pub fn field(code: &str, field: &str, message: impl Into<String>) -> Self {
        Self { field: Some(field.to_owned()), ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message) }
    }

    /// The store or the broker does not answer; details go to the log, not to the caller.
    #[must_use]
    pub fn unavailable(error: &dyn std::error::Error) -> Self {
        tracing::warn!(reason = chain(error), "request could not be served");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the store or the broker does not answer, try again")
    }
}

impl From<FieldError> for Problem {
    fn from(error: FieldError) -> Self {
        Self::field(&error.code, &error.field, error.message)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({"status": "error", "code": self.code, "message": self.message, "data": null});
        if let Some(field) = self.field {
            body["field"] = field.into();
        }
        let mut response = (self.status, Json(body)).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

/// A successful answer.
#[must_use]
pub fn success<T: Serialize>(status: StatusCode, message: &str, data: &T) -> Response {
    #[derive(Serialize)]
    struct Envelope<'answer, T> {
        status: &'static str,
        message: &'answer str,
        data: &'answer T,
    }
    (status, Json(Envelope { status: "success", message, data })).into_response()
}

/// Reads a JSON body. Only `application/json` is taken, so that no web page can send one without asking the browser.
///
/// # Errors
/// [`Problem`] for another media type, or for what is no JSON.
pub fn parse_body(headers: &HeaderMap, body: &Bytes) -> Result<Value, Problem> {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        let message = "the body must have the media type application/json";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message));
    }
    parse_json(body).map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, "invalid_json", format!("the body is not JSON: {error}"))
    })
}

/// The pairs of a query string, every name of which must be known.
///
/// # Errors
/// [`Problem`] for a text that is no query, and for a name that is unknown or comes twice.
pub fn parse_query(text: &str, known: &[&str]) -> Result<Vec<(String, String)>, Problem> {
    parse_repeatable_query(text, known, &[])
}

/// The pairs of a query string, of which those named in `repeatable` may come more than once.
///
/// # Errors
/// As [`parse_query`].
pub fn parse_repeatable_query(
    text: &str,
    known: &[&str],
    repeatable: &[&str],
) -> Result<Vec<(String, String)>, Problem> {
    let invalid = || Problem::new(StatusCode::BAD_REQUEST, "invalid_query", "the query string cannot be read");
    let uri = format!("/?{text}").parse().map_err(|_| invalid())?;
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&uri).map_err(|_| invalid())?;
    if let Some((name, _)) = pairs.iter().find(|(name, _)| !known.contains(&name.as_str())) {
        let message = format!("the parameter is not known; known are {}", known.join(", "));
        return Err(Problem::field("unknown_field", name, message));
    }
    let is_again = |index: usize, name: &String| pairs[..index].iter().any(|pair| pair.0 == *name);
    let repeated = pairs
        .iter()
        .enumerate()
        .find(|(index, (name, _))| !repeatable.contains(&name.as_str()) && is_again(*index, name));
    match repeated {
        None => Ok(pairs),
        Some((_, (name, _))) => Err(Problem::field("repeated_field", name, "give the parameter once")),
    }
}

/// The part of a path that names something, as it came.
pub type PathName = Result<Path<String>, PathRejection>;

/// Reads the part of a path that names something.
///
/// # Errors
/// [`Problem`] for bytes that are no text.
pub fn name_in_path(path: PathName) -> Result<String, Problem> {
    let message = "the path is not UTF-8 text once its percent escapes are decoded";
    path.map(|Path(name)| name).map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "invalid_path", message))
}

/// The fields of a JSON object, every one of which must be known.
///
/// # Errors
/// [`Problem`] for what is no object, and for an unknown field.
pub fn fields<'a>(body: &'a Value, known: &[&str]) -> Result<&'a serde_json::Map<String, Value>, Problem> {
    let Some(fields) = body.as_object() else {
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "not_an_object", "the body must be a JSON object"));
    };
    match fields.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(fields),
        Some(name) => {
            let message = format!("the field is not known; known are {}", known.join(", "));
            Err(Problem::field("unknown_field", name, message))
        }
    }
}

/// The text of a required field.
///
/// # Errors
/// [`Problem`] if it is missing or no text.
pub fn required<'a>(fields: &'a serde_json::Map<String, Value>, name: &str) -> Result<&'a str, Problem> {
    match fields.get(name) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(Problem::field("invalid_field", name, "the field must be text")),
        None => Err(Problem::field("missing_field", name, "the field is missing")),
    }
}
