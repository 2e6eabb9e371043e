//! Sends one event once, and judges the answer.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, StatusCode};
use streamforge_bus::Bus;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::Target;
use crate::{
    endpoints::{Endpoints, Lease},
    message::{Message, is_attribute_name},
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
        Self { reason: reason.into(), is_retryable, code: None, data: Bytes::new(), extensions: Vec::new() }
    }
}

#[derive(Clone)]
pub(super) struct Sender {
    pub(super) bus: Arc<dyn Bus>,
    pub(super) client: reqwest::Client,
    pub(super) endpoints: Endpoints,
    /// Namespace of the Trigger.
    pub(super) namespace: String,
    pub(super) timeout: Duration,
    pub(super) stop: CancellationToken,
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
            Target::Url(_) | Target::Service { .. } => {
                let (url, _lease) = self.locate(target).await?;
                // A stop does not cut this short: a request under way shall end by itself.
                let exchange = timeout(self.timeout, self.exchange(url, event)).await;
                let timed_out = || Err(Failure::without_code("no answer in time", true));
                exchange.unwrap_or_else(|_| timed_out()).map_err(Ended::Failed)
            }
        }
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

    /// Where the request goes; a Service managed here may have to start a worker first.
    async fn locate(&self, target: &Target) -> Result<(String, Option<Lease>), Ended> {
        let Target::Service { name, path } = target else {
            return Ok((target.to_string(), None));
        };
        if !self.endpoints.is_managed(name) {
            return Ok((target.to_string(), None));
        }
        tokio::select! {
            () = self.stop.cancelled() => Err(Ended::Abandoned),
            lease = self.endpoints.pick(name) => {
                Ok((format!("http://{}{path}", lease.address()), Some(lease)))
            }
            () = self.endpoints.absent_for(name, self.timeout) => {
                Err(Ended::Failed(Failure::without_code("no worker in time", true)))
            }
        }
    }

    async fn exchange(&self, url: String, event: &Message) -> Result<Answer, Failure> {
        let mut headers = event.to_headers();
        headers.insert("prefer", HeaderValue::from_static("reply"));
        if let Ok(namespace) = HeaderValue::from_str(&self.namespace) {
            headers.insert("kn-namespace", namespace);
        }
        let request = self.client.post(url).headers(headers).body(event.body().clone());
        let broken = |error: reqwest::Error| Failure::without_code(describe(&error), true);
        let mut response = request.send().await.map_err(broken)?;
        let status = response.status();
        let headers = response.headers().clone();
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ANSWER_BYTES {
                break;
            }
        }
        if !status.is_success() {
            return Err(Failure {
                reason: format!("answered {status}"),
                is_retryable: is_retryable(status),
                code: Some(status),
                data: body.freeze(),
                extensions: extensions(&headers),
            });
        }
        if body.len() > MAX_ANSWER_BYTES {
            return Err(Failure::without_code("answered with too long a reply", false));
        }
        Ok(Answer { headers, body: body.freeze() })
    }
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
