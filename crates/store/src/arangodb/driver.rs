//! The crate `arangors` over our own session: it logs in and makes the schema, with our timeouts, retries and servers.
//!
//! It stays off the data path, where it would lose batches and the classes of errors.

use std::sync::Arc;

use arangors::{ClientError, GenericConnection, client::ClientExt};
use async_trait::async_trait;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use serde_json::json;

use super::{
    failure::{Failure, Refusal},
    session::Session,
    transport::{Call, Reply},
};

/// The crate joins its paths to this; the session puts a server in its place.
const BASE: &str = "http://arangodb/";

/// Error of the server for a user that it does not let in.
const NOT_AUTHORISED: u32 = 11;

tokio::task_local! {
    /// The crate makes its client from headers alone, so the session has to come another way.
    static SESSION: Arc<Session>;
}

/// What the crate takes for its HTTP client.
#[derive(Clone)]
pub(super) struct Driver {
    session: Arc<Session>,
    headers: HeaderMap,
}

/// Connects as the session's user, if it has one, and lets the session have the token.
///
/// # Errors
/// Why the user is not let in.
pub(super) async fn connect(session: &Arc<Session>) -> Result<GenericConnection<Driver>, Failure> {
    let connection = match session.user() {
        Some(user) => log_in(session, user).await,
        None => connect_as_nobody(session).await,
    }?;
    session.adopt(connection.session().headers.get(header::AUTHORIZATION).cloned());
    Ok(connection)
}

async fn log_in(session: &Arc<Session>, user: &str) -> Result<GenericConnection<Driver>, Failure> {
    let password = session.options.access.password.read()?;
    let connect = GenericConnection::<Driver>::establish_jwt(BASE, user, &password);
    match SESSION.scope(Arc::clone(session), connect).await.map_err(failure) {
        // Where nobody is asked there is no place to log in.
        Err(Failure::Refused(refusal)) if refusal.status == 404 => connect_as_nobody(session).await,
        outcome => outcome,
    }
}

async fn connect_as_nobody(session: &Arc<Session>) -> Result<GenericConnection<Driver>, Failure> {
    let connect = GenericConnection::<Driver>::establish_without_auth(BASE);
    SESSION.scope(Arc::clone(session), connect).await.map_err(failure)
}

#[async_trait]
impl ClientExt for Driver {
    fn new<U: Into<Option<HeaderMap>>>(headers: U) -> Result<Self, ClientError> {
        let session = SESSION.try_with(Arc::clone).map_err(|error| ClientError::HttpClient(error.to_string()))?;
        Ok(Self { session, headers: headers.into().unwrap_or_default() })
    }

    fn headers(&mut self) -> &mut HeaderMap {
        &mut self.headers
    }

    async fn request(&self, request: Request<String>) -> Result<Response<String>, ClientError> {
        let (head, body) = request.into_parts();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        if path == "/" {
            // The crate asks here whether it talks to ArangoDB, where a proxy answers in the server's place. The version
            // that is asked for afterwards says so as well.
            return Ok(server_itself());
        }
        let call = Call::new(head.method, path.to_owned(), body);
        let outcome = if path.starts_with("/_open/") {
            self.session.call_as_nobody(&call).await
        } else {
            self.session.call(&call).await
        };
        answer(outcome)
    }
}

fn server_itself() -> Response<String> {
    let mut response = Response::new(String::new());
    response.headers_mut().insert(header::SERVER, HeaderValue::from_static("ArangoDB"));
    response
}

/// A refusal becomes an error document again, which the crate understands whatever the body was.
fn answer(outcome: Result<Reply, Failure>) -> Result<Response<String>, ClientError> {
    let error = |status: u16, number: u32, message: &str| {
        json!({"error": true, "code": status, "errorNum": number, "errorMessage": message}).to_string()
    };
    let body = match outcome {
        Ok(reply) => String::from_utf8_lossy(&reply.body).into_owned(),
        Err(Failure::Refused(Refusal { status, number, message })) => error(status, number, &message),
        Err(Failure::Unauthorized(reason)) => error(401, NOT_AUTHORISED, &reason),
        Err(Failure::Unavailable(reason)) => return Err(ClientError::HttpClient(reason)),
        Err(other) => return Err(ClientError::InvalidServer(format!("{other:?}"))),
    };
    Ok(Response::new(body))
}

/// What the crate reports, sorted as everything else.
pub(super) fn failure(error: ClientError) -> Failure {
    match error {
        ClientError::Arango(error) if error.code() == 401 => Failure::Unauthorized(error.message().to_owned()),
        ClientError::Arango(error) => Failure::Refused(Refusal {
            status: error.code(),
            number: error.error_num().into(),
            message: error.message().to_owned(),
        }),
        ClientError::HttpClient(reason) => Failure::Unavailable(reason),
        other => Failure::Unfit(other.to_string()),
    }
}
