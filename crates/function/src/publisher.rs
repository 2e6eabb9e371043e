//! Publishing to the broker ingress: one POST per event, done when the broker has acknowledged it.

use std::collections::HashMap;
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use reqwest::{Client, Url};
use streamforge_events::{AttributesReader, Event, event_type, extension};

use crate::{Config, http_client, wire};

/// Client of one broker ingress, `{ingress}/{namespace}/{broker}`; cheap to clone.
#[derive(Debug, Clone)]
pub struct Publisher {
    client: Client,
    namespace_url: String,
    shown_url: String,
    attempts: usize,
}

/// Why an event was not acknowledged by the broker.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Over the size that the broker takes; it was not sent.
    #[error("event `{id}` has {bytes} bytes, the broker takes {LARGEST_EVENT}")]
    TooLarge {
        /// Id of the event.
        id: String,
        /// Size of headers and body.
        bytes: usize,
    },
    /// Not an event that can be sent: unknown type, or an attribute that is no header.
    #[error("event `{id}` cannot be sent: {reason}")]
    Unfit {
        /// Id of the event.
        id: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The broker answered something else than "accepted".
    #[error("broker {url} answered {status}")]
    Refused {
        /// URL of the Broker, without credentials.
        url: String,
        /// Its last answer.
        status: StatusCode,
    },
    /// The broker did not answer.
    #[error("broker {url} did not answer")]
    Unreachable {
        /// URL of the Broker, without credentials.
        url: String,
        /// What went wrong on the way.
        #[source]
        source: reqwest::Error,
    },
    /// The client itself could not be set up.
    #[error("the publisher could not be set up")]
    Client(#[source] reqwest::Error),
}

/// What the broker's Kafka producer takes, record headers included (`max.request.size`).
///
/// # Units
/// Bytes.
pub(crate) const LARGEST_EVENT: usize = 1 << 20;

/// Outputs without an order between them that are under way at once.
const CONCURRENT_EVENTS: usize = 16;

/// First wait between two attempts, doubled each time and cut at random.
const BACKOFF: Duration = Duration::from_millis(50);

impl PublishError {
    /// Whether no later attempt can succeed.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::TooLarge { .. } | Self::Unfit { .. } => true,
            Self::Refused { status, .. } => *status == StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unreachable { .. } | Self::Client(_) => false,
        }
    }
}

impl Publisher {
    /// Sets up the client; nothing is sent.
    ///
    /// # Errors
    /// [`PublishError::Client`] where TLS or the resolver cannot be set up.
    pub fn new(config: &Config) -> Result<Self, PublishError> {
        let client = http_client(&config.ingress_url, config.publish_timeout).map_err(PublishError::Client)?;
        let namespace_url = |url: &Url| format!("{}/{}", url.as_str().trim_end_matches('/'), config.namespace);
        Ok(Self {
            client,
            namespace_url: namespace_url(&config.ingress_url),
            shown_url: namespace_url(&without_credentials(&config.ingress_url)),
            attempts: config.publish_attempts,
        })
    }

    /// Publishes one event to the Broker that its type names, and waits for the acknowledgement.
    ///
    /// # Errors
    /// [`PublishError`]; transport errors, 5xx and 429 were tried again shortly before.
    pub async fn publish(&self, event: &Event) -> Result<(), PublishError> {
        let unfit = |reason: String| PublishError::Unfit { id: event.id().to_owned(), reason };
        let broker = event_type(event).map_err(|error| unfit(error.to_string()))?.topic().to_string();
        let (mut headers, body) = wire::encode(event).map_err(unfit)?;
        for name in ["traceparent", "tracestate"] {
            if let Some(value) = headers.get(format!("ce-{name}")).cloned() {
                headers.insert(name, value);
            }
        }
        let bytes = body.len() + headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>();
        if bytes > LARGEST_EVENT {
            return Err(PublishError::TooLarge { id: event.id().to_owned(), bytes });
        }
        self.send(&broker, headers, Bytes::from(body)).await
    }

    /// Publishes events, those of one key in the given order, and waits until all are acknowledged.
    ///
    /// # Errors
    /// The first [`PublishError`]; other events may have been published, and will be again.
    pub async fn publish_all(&self, events: Vec<Event>) -> Result<(), PublishError> {
        futures::stream::iter(by_key(events))
            .map(|events| async move {
                for event in &events {
                    self.publish(event).await?;
                }
                Ok(())
            })
            .buffer_unordered(CONCURRENT_EVENTS)
            .try_collect()
            .await
    }

    /// Publishes events in any order and waits until all are acknowledged.
    ///
    /// # Errors
    /// As [`Self::publish_all`].
    pub async fn publish_unordered(&self, events: Vec<Event>) -> Result<(), PublishError> {
        futures::stream::iter(events)
            .map(|event| async move { self.publish(&event).await })
            .buffer_unordered(CONCURRENT_EVENTS)
            .try_collect()
            .await
    }

    /// Publishes an event as it is to the Broker of this name, and waits for the acknowledgement.
    ///
    /// # Errors
    /// As [`Self::publish`].
    pub async fn forward(&self, broker: &str, headers: HeaderMap, body: Bytes) -> Result<(), PublishError> {
        self.send(broker, headers, body).await
    }

    async fn send(&self, broker: &str, headers: HeaderMap, body: Bytes) -> Result<(), PublishError> {
        let mut attempt = 1;
        loop {
            let request = self
                .client
                .post(format!("{}/{broker}", self.namespace_url))
                .headers(headers.clone())
                .body(body.clone());
            let error = match request.send().await {
                Ok(response) if response.status().is_success() => return Ok(()),
                Ok(response) => self.refused(broker, response.status()),
                Err(source) => self.unreachable(broker, source),
            };
            if attempt >= self.attempts || !is_worth_retrying(&error) {
                return Err(error);
            }
            tracing::debug!(broker, attempt, %error, "publishing again");
            tokio::time::sleep(backoff(attempt)).await;
            attempt += 1;
        }
    }

    fn refused(&self, broker: &str, status: StatusCode) -> PublishError {
        PublishError::Refused { url: format!("{}/{broker}", self.shown_url), status }
    }

    fn unreachable(&self, broker: &str, source: reqwest::Error) -> PublishError {
        PublishError::Unreachable { url: format!("{}/{broker}", self.shown_url), source: source.without_url() }
    }
}

fn without_credentials(url: &Url) -> Url {
    let mut url = url.clone();
    // Both fail only for URLs without a host, which an http URL always has.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}

/// Groups of events with the same Broker and partition key, in order.
fn by_key(events: Vec<Event>) -> Vec<Vec<Event>> {
    let mut groups: Vec<Vec<Event>> = Vec::new();
    let mut places = HashMap::new();
    for event in events {
        let broker = event_type(&event).ok().map(|kind| kind.topic().to_string());
        match extension(&event, "partitionkey") {
            Some(key) => {
                let place = *places.entry((broker, key)).or_insert_with(|| {
                    groups.push(Vec::new());
                    groups.len() - 1
                });
                groups[place].push(event);
            }
            None => groups.push(vec![event]),
        }
    }
    groups
}

fn is_worth_retrying(error: &PublishError) -> bool {
    match error {
        PublishError::Unreachable { .. } => true,
        PublishError::Refused { status, .. } => status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS,
        _ => false,
    }
}

fn backoff(attempt: usize) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(u32::MAX).min(5);
    BACKOFF.saturating_mul(1 << doublings).mul_f64(fastrand::f64())
}
