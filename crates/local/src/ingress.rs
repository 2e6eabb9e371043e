//! Where events are posted to: `POST /{namespace}/{broker}` appends to the Broker's topic.
//!
//! Answers as the receiver of Knative's Kafka Broker does, always without a body: 202 once the log has the event,
//! 400 what is no event, 404 an unknown path, 405 another method, 503 what the log did not take. A record above the
//! log's size limit is answered 503 too, which is why our functions refuse to publish one. Only what no event can be
//! is refused on its way in: 413 a body above twice that limit, 408 one that does not come to its end.
//!
//! Source: <https://github.com/knative-extensions/eventing-kafka-broker/tree/main/data-plane/receiver>

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use axum::{
    Router,
    extract::{Request, State},
    routing::get,
};
use http::{Method, StatusCode};
use streamforge_bus::Bus;
use streamforge_function::body;
use tracing::{debug, warn};

use crate::{
    manifest::Broker,
    message::Message,
    metrics::{self, Metrics, Taken},
};

/// Bytes kept of a request: a record's limit and what base64 adds to it in structured mode.
const KEPT_BYTES: usize = 2 << 20;

/// The topic behind each Broker, which may change while requests come in; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Topics(Arc<RwLock<HashMap<String, String>>>);

impl Topics {
    /// Those of these Brokers.
    #[must_use]
    pub fn of(brokers: &[Broker]) -> Self {
        let topics = Self::default();
        topics.set(brokers);
        topics
    }

    /// From now on, those of these Brokers and no others.
    pub fn set(&self, brokers: &[Broker]) {
        let topics = brokers.iter().map(|broker| (format!("/{}", broker.name), broker.topic.clone())).collect();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = topics;
    }

    fn get(&self, path: &str) -> Option<String> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(path).cloned()
    }
}

struct Ingress {
    bus: Arc<dyn Bus>,
    topics: Topics,
    metrics: Metrics,
}

/// Serves the Brokers' URLs, and `/healthz`, `/readyz` and `/metrics`.
pub fn router(bus: Arc<dyn Bus>, topics: Topics, metrics: Metrics) -> Router {
    Router::new()
        .route("/healthz", get(StatusCode::OK))
        .route("/readyz", get(StatusCode::OK))
        .fallback(post)
        .with_state(Arc::new(Ingress { bus: Arc::clone(&bus), topics, metrics: metrics.clone() }))
        .merge(metrics::router(bus, metrics))
}

async fn post(State(ingress): State<Arc<Ingress>>, request: Request) -> StatusCode {
    if request.method() != Method::POST {
        return StatusCode::METHOD_NOT_ALLOWED;
    }
    let path = request.uri().path();
    let path = path.strip_suffix('/').unwrap_or(path).to_owned();
    let Some(topic) = ingress.topics.get(&path) else {
        ingress.metrics.taken(None, Taken::Refused);
        return StatusCode::NOT_FOUND;
    };
    let status = accept(&*ingress.bus, &topic, &path, request).await;
    let outcome = match status {
        StatusCode::ACCEPTED => Taken::Accepted,
        StatusCode::SERVICE_UNAVAILABLE => Taken::Failed,
        _ => Taken::Refused,
    };
    ingress.metrics.taken(path.strip_prefix('/'), outcome);
    status
}

async fn accept(bus: &dyn Bus, topic: &str, path: &str, request: Request) -> StatusCode {
    let (parts, body) = request.into_parts();
    let body = match body::read(&parts.headers, body, KEPT_BYTES).await {
        Ok(body) => body,
        Err(unread) => return unread.status(),
    };
    let message = match Message::from_http(&parts.headers, body) {
        Ok(message) => message,
        Err(error) => {
            debug!(%path, %error, "request refused");
            return StatusCode::BAD_REQUEST;
        }
    };
    let record = message.to_record(chrono::Utc::now().timestamp_millis());
    match bus.publish(topic, record).await {
        Ok(_) => StatusCode::ACCEPTED,
        Err(error) => {
            warn!(%topic, %error, "event not recorded");
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}
