//! Sends one event once, and judges the answer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header::USER_AGENT};
use http_body_util::Full;
use streamforge_bus::Bus;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::Target;
use crate::{
    endpoints::{Broken, Connection, Endpoints, Lease},
    manifest::ObjectName,
    message::{Message, is_attribute_name},
    metrics::TriggerMetrics,
};

/// Bytes kept of an answer; a longer one can be no reply, because no topic would take it.
const MAX_ANSWER_BYTES: usize = 2 << 20;

/// Wait before the log is asked again to take an event that it has no room for.
const LOG_RETRY: Duration = Duration::from_secs(1);

/// A 2xx answer.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Why a delivery came to no success.
#[derive(Debug)]
pub(super) enum Ended {
    /// The dispatcher stops, or the log does not work: the event stays uncommitted and comes again.
    Abandoned,
    /// The event was not taken.
    Failed(Failure),
}

/// What is known about an event that was not taken.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) reason: String,
    pub(super) is_retryable: bool,
    /// Whether nobody was there to be asked.
    pub(super) is_unreachable: bool,
    /// Status of the answer, if there was one that counts as an error.
    pub(super) code: Option<StatusCode>,
    /// Body of that answer.
    pub(super) data: Bytes,
    /// Extensions that the subscriber asked for by `kne-` headers.
    pub(super) extensions: Vec<(String, String)>,
}

impl Failure {
    /// A failure without an error answer.
    pub(super) fn without_code(reason: impl Into<String>, is_retryable: bool) -> Self {
        Self {
            reason: reason.into(),
            is_retryable,
            is_unreachable: false,
            code: None,
            data: Bytes::new(),
            extensions: Vec::new(),
        }
    }
}

pub(super) struct Sender {
    pub(super) bus: Arc<dyn Bus>,
    pub(super) client: reqwest::Client,
    pub(super) endpoints: Endpoints,
    /// Namespace of the Trigger.
    pub(super) namespace: String,
    pub(super) timeout: Duration,
    pub(super) stop: CancellationToken,
    pub(super) metrics: TriggerMetrics,
}

impl Sender {
    pub(super) async fn send(&self, target: &Target, event: &Message) -> Result<Answer, Ended> {
        match target {
            Target::Broker { topic, .. } => {
                // The next hop names its own place in the log.
                let mut event = event.clone();
                event.remove("knativekafkapartition");
                event.remove("knativekafkaoffset");
                self.publish(topic, &event).await?;
                Ok(Answer::default())
            }
            Target::KafkaSink { topic, .. } => {
                self.publish(topic, event).await?;
                Ok(Answer::default())
            }
            Target::Service { name, path } if self.endpoints.is_managed(name) => {
                // The lease lasts until the request is over.
                let lease = self.lease(name).await?;
                self.in_time(self.ask_worker(&lease, path, event)).await
            }
            Target::Url(_) | Target::Service { .. } => self.in_time(self.ask(target.to_string(), event)).await,
        }
    }

    /// A stop does not cut a request short: one under way shall end by itself.
    async fn in_time(&self, exchange: impl Future<Output = Result<Answer, Failure>>) -> Result<Answer, Ended> {
        let answered = timeout(self.timeout, exchange).await;
        answered.unwrap_or_else(|_| Err(Failure::without_code("no answer in time", true))).map_err(Ended::Failed)
    }

    /// Appends an event to a topic, and waits while the log has no room for it.
    pub(super) async fn publish(&self, topic: &str, event: &Message) -> Result<(), Ended> {
        loop {
            let record = event.to_record(chrono::Utc::now().timestamp_millis());
            match self.bus.publish(topic, record).await {
                Ok(_) => return Ok(()),
                Err(error) if error.is_retryable() => {
                    warn!(%topic, %error, "event waits for the log");
                    self.pause(LOG_RETRY).await?;
                }
                Err(
                    error @ (streamforge_bus::Error::TooLarge { .. } | streamforge_bus::Error::UnknownTopic { .. }),
                ) => {
                    return Err(Ended::Failed(Failure::without_code(error.to_string(), false)));
                }
                Err(error) => {
                    warn!(%topic, %error, "event not recorded");
                    return Err(Ended::Abandoned);
                }
            }
        }
    }

    /// Sleeps, unless the dispatcher stops.
    pub(super) async fn pause(&self, wait: Duration) -> Result<(), Ended> {
        tokio::select! {
            () = self.stop.cancelled() => Err(Ended::Abandoned),
            () = tokio::time::sleep(wait) => Ok(()),
        }
    }

    /// A worker of a Service that is managed here; one may have to be started first.
    async fn lease(&self, service: &ObjectName) -> Result<Lease, Ended> {
        if let Some(lease) = self.endpoints.try_pick(service) {
            return Ok(lease);
        }
        let (began, is_absent) = (Instant::now(), !self.endpoints.has_worker(service));
        tokio::select! {
            () = self.stop.cancelled() => Err(Ended::Abandoned),
            lease = self.endpoints.pick(service) => {
                if is_absent {
                    self.metrics.cold_start(began.elapsed());
                }
                Ok(lease)
            }
            () = self.endpoints.absent_for(service, self.timeout) => {
                Err(Ended::Failed(Failure::without_code("no worker in time", true)))
            }
        }
    }

    async fn ask_worker(&self, lease: &Lease, path: &str, event: &Message) -> Result<Answer, Failure> {
        let broken = |error: Broken| Failure::without_code(error.to_string(), true);
        let (connection, answer) = self.exchange_with(lease, path, event).await.map_err(broken)?;
        lease.note_answer(chrono::Utc::now().timestamp_millis());
        let (head, body) = answer.into_parts();
        if body.len() <= MAX_ANSWER_BYTES {
            keep(lease, connection).await;
        }
        judge(head.status, head.headers, body)
    }

    /// Sends the event over a kept connection, or over a new one if the worker has closed all that were kept.
    ///
    /// A worker closes connections when it likes, and it may do so while a request is on its way. The event was
    /// delivered only if it is answered, so it is sent again at once: the worker has refused nothing.
    async fn exchange_with(
        &self,
        lease: &Lease,
        path: &str,
        event: &Message,
    ) -> Result<(Connection, Response<Bytes>), Broken> {
        while let Some(mut connection) = lease.take_connection() {
            if !connection.is_usable().await {
                continue;
            }
            match connection.exchange(self.request(path, event), MAX_ANSWER_BYTES).await {
                Ok(answer) => return Ok((connection, answer)),
                Err(Broken::Unanswered(error)) => {
                    debug!(%error, worker = %lease.address(), "kept connection was closed");
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        let mut connection = Connection::open(lease.address()).await?;
        let answer = connection.exchange(self.request(path, event), MAX_ANSWER_BYTES).await?;
        Ok((connection, answer))
    }

    fn request(&self, path: &str, event: &Message) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(event.body().clone()));
        *request.method_mut() = Method::POST;
        // Paths are checked when manifests are read.
        *request.uri_mut() = path.parse().unwrap_or_default();
        *request.headers_mut() = self.headers(event);
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(super::USER_AGENT));
        request
    }

    fn headers(&self, event: &Message) -> HeaderMap {
        let mut headers = event.to_headers();
        headers.insert("prefer", HeaderValue::from_static("reply"));
        if let Ok(namespace) = HeaderValue::from_str(&self.namespace) {
            headers.insert("kn-namespace", namespace);
        }
        headers
    }

    /// Sends the event to somebody else's URL.
    async fn ask(&self, url: String, event: &Message) -> Result<Answer, Failure> {
        let request = self.client.post(url).headers(self.headers(event)).body(event.body().clone());
        let broken = |error: reqwest::Error| Failure {
            is_unreachable: error.is_connect(),
            ..Failure::without_code(describe(&error), true)
        };
        let mut response = request.send().await.map_err(broken)?;
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ANSWER_BYTES {
                break;
            }
        }
        judge(status, headers, body.freeze())
    }
}

/// Keeps a connection that the answer has not used up.
async fn keep(lease: &Lease, mut connection: Connection) {
    if connection.is_usable().await {
        lease.keep_connection(connection);
    }
}

fn judge(status: StatusCode, headers: HeaderMap, body: Bytes) -> Result<Answer, Failure> {
    if !status.is_success() {
        return Err(Failure {
            reason: format!("answered {status}"),
            is_retryable: is_retryable(status),
            is_unreachable: false,
            code: Some(status),
            data: body,
            extensions: extensions(&headers),
        });
    }
    if body.len() > MAX_ANSWER_BYTES {
        return Err(Failure::without_code("answered with too long a reply", false));
    }
    Ok(Answer { headers, body })
}

/// Which error statuses are tried again.
fn is_retryable(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status.as_u16(), 404 | 408 | 409 | 429)
}

/// Headers `kne-NAME` of an error answer become extensions NAME.
fn extensions(headers: &HeaderMap) -> Vec<(String, String)> {
    let mut extensions = Vec::new();
    for (name, value) in headers {
        let name = name.as_str().strip_prefix("kne-");
        if let (Some(name), Ok(value)) = (name.filter(|name| is_attribute_name(name)), value.to_str()) {
            extensions.push((name.to_owned(), value.to_owned()));
        }
    }
    extensions
}

/// The error with its causes: the outermost text of reqwest hides what happened.
fn describe(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
