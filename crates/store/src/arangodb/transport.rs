//! One HTTP client over several servers: a request goes to the one that answered last.

use std::{
    fs, io,
    sync::{
        Arc, Once,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};

use super::{ArangoOptions, place::Place};
use crate::{Cause, Error};

/// Below the 300 seconds after which the server closes a connection that nobody uses.
const IDLE: Duration = Duration::from_mins(1);
const CONNECT: Duration = Duration::from_secs(5);

/// What is asked of the server.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    /// Path with query, from the root of the server.
    pub(super) path: String,
    /// Whole, because the server does not take a body in chunks.
    pub(super) body: Bytes,
    /// The revision that the document must have.
    pub(super) if_match: Option<String>,
}

impl Call {
    pub(super) fn new(method: Method, path: String, body: impl Into<Bytes>) -> Self {
        Self { method, path, body: body.into(), if_match: None }
    }
}

/// What the server answered.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

/// The servers of a store.
pub(super) struct Transport {
    client: reqwest::Client,
    endpoints: Vec<String>,
    current: AtomicUsize,
}

impl Transport {
    pub(super) fn new(place: &Place, options: &ArangoOptions) -> Result<Self, Error> {
        static PROVIDER: Once = Once::new();
        // An error means that the process has installed its own provider, which serves as well.
        PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("streamforge/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT.min(options.request_timeout))
            .timeout(options.request_timeout)
            .pool_idle_timeout(IDLE)
            .no_proxy();
        if let Some(path) = &options.access.authorities {
            let fail = |action, source: Cause| Error::File { action, path: path.clone(), source };
            let pem = fs::read(path).map_err(|error| fail("read the certificates in", Arc::new(error)))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem)
                .map_err(|error| fail("understand the certificates in", Arc::new(error)))?;
            if certificates.is_empty() {
                return Err(fail("find a certificate in", Arc::new(io::Error::from(io::ErrorKind::InvalidData))));
            }
            builder = builder.tls_certs_only(certificates);
        } else if place.endpoints.iter().all(|endpoint| endpoint.starts_with("http:")) {
            // Without TLS there is no need for the certificates of the system, which a bare machine lacks.
            builder = builder.tls_certs_only(std::iter::empty());
        }
        let client = builder
            .build()
            .map_err(|error| Error::Unfit { place: place.to_string(), reason: format!("no HTTP client: {error}") })?;
        Ok(Self { client, endpoints: place.endpoints.clone(), current: AtomicUsize::new(0) })
    }

    /// Sends a call once.
    ///
    /// # Errors
    /// Why there is no answer; whether the server has done it is not known then.
    pub(super) async fn send(&self, call: &Call, token: Option<&HeaderValue>) -> Result<Reply, String> {
        let index = self.current.load(Ordering::Relaxed) % self.endpoints.len();
        let endpoint = &self.endpoints[index];
        let answer = self.send_to(endpoint, call, token).await;
        let is_away = |reply: &Reply| matches!(reply.status.as_u16(), 502..=504);
        if answer.as_ref().map_or(true, is_away) {
            self.leave(index);
        }
        answer.map_err(|error| format!("{endpoint}: {}", chain(&error)))
    }

    async fn send_to(&self, endpoint: &str, call: &Call, token: Option<&HeaderValue>) -> Result<Reply, reqwest::Error> {
        let mut request = self.client.request(call.method.clone(), format!("{endpoint}{}", call.path));
        if !call.body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json").body(call.body.clone());
        }
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, token);
        }
        if let Some(revision) = &call.if_match {
            request = request.header(header::IF_MATCH, format!("\"{revision}\""));
        }
        let reply = request.send().await?;
        Ok(Reply { status: reply.status(), body: reply.bytes().await? })
    }

    /// The next request goes to the next server, unless another request has seen to that already.
    fn leave(&self, index: usize) {
        let next = (index + 1) % self.endpoints.len();
        let left = self.current.compare_exchange(index, next, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if left && next != index {
            tracing::warn!(from = self.endpoints[index], to = self.endpoints[next], "database server is left");
        }
    }
}

/// An error with all its causes, in one line and without the URL, which stands before it.
fn chain(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() { "no answer in time".to_owned() } else { "no answer".to_owned() };
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
