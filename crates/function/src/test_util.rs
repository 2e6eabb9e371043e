//! What a function's own tests need: events posted through the router, and an ingress that records.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, Request, Response, StatusCode};
use axum::routing::post;
use streamforge_events::{AttributesReader, Event, Millis};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower::ServiceExt;

use crate::{Config, Context, Setting, wire};

/// A broker ingress on a real port that keeps what it acknowledged.
#[derive(Debug)]
pub struct TestIngress {
    url: String,
    state: Arc<Recording>,
    server: tokio::task::JoinHandle<()>,
}

#[derive(Debug)]
struct Recording {
    answer: Mutex<StatusCode>,
    held: watch::Sender<bool>,
    arrived: watch::Sender<usize>,
    received: watch::Sender<Vec<Received>>,
    refused: watch::Sender<usize>,
}

/// One event as the ingress got it.
#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    /// Namespace and name of the Broker, `streamforge/queue-events`.
    pub broker: String,
    /// Headers of the request.
    pub headers: HeaderMap,
    /// The event.
    pub event: Event,
}

impl TestIngress {
    /// Listens on a port of the system's choice.
    ///
    /// # Panics
    /// Where the loopback interface cannot be used.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("the loopback interface has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let state = Arc::new(Recording {
            answer: Mutex::new(StatusCode::ACCEPTED),
            held: watch::Sender::new(false),
            arrived: watch::Sender::new(0),
            received: watch::Sender::new(Vec::new()),
            refused: watch::Sender::new(0),
        });
        let app = Router::new()
            .route("/{namespace}/{broker}", post(record))
            .with_state(Arc::clone(&state))
            .layer(axum::extract::DefaultBodyLimit::disable());
        let server = tokio::spawn(async {
            axum::serve(listener, app).await.expect("the test's server runs until it is dropped");
        });
        Self { url: format!("http://{address}"), state, server }
    }

    /// Base URL, for `STREAMFORGE_INGRESS_URL`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Answers this status from now on; events are kept only for 2xx.
    pub fn answer_with(&self, status: StatusCode) {
        *self.state.answer.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }

    /// Leaves every request without an answer until [`release`](Self::release).
    pub fn hold(&self) {
        self.state.held.send_replace(true);
    }

    /// Answers the held requests and those that follow.
    pub fn release(&self) {
        self.state.held.send_replace(false);
    }

    /// Waits until `count` requests have arrived, answered or not.
    ///
    /// # Panics
    /// Never: the sender lives as long as the ingress.
    pub async fn wait_for_arrivals(&self, count: usize) {
        let mut arrived = self.state.arrived.subscribe();
        arrived.wait_for(|arrived| *arrived >= count).await.expect("the sender lives in self");
    }

    /// What was acknowledged so far, in order of arrival.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.state.received.borrow().clone()
    }

    /// The events alone.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.received().into_iter().map(|received| received.event).collect()
    }

    /// The events that were acknowledged since they were last taken; they are not kept any longer.
    #[must_use]
    pub fn take(&self) -> Vec<Event> {
        let mut taken = Vec::new();
        self.state.received.send_modify(|received| taken.append(received));
        taken.into_iter().map(|received| received.event).collect()
    }

    /// How many requests were refused so far.
    #[must_use]
    pub fn refused(&self) -> usize {
        *self.state.refused.borrow()
    }

    /// Waits until at least `count` events were acknowledged, and returns them.
    ///
    /// # Panics
    /// Never: the sender lives as long as the ingress.
    pub async fn wait_for(&self, count: usize) -> Vec<Event> {
        let mut received = self.state.received.subscribe();
        received.wait_for(|received| received.len() >= count).await.expect("the sender lives in self");
        self.events()
    }

    /// Configuration whose outputs come here, with short retries.
    #[must_use]
    pub fn config(&self) -> Config {
        config(&[("STREAMFORGE_INGRESS_URL", &self.url), ("STREAMFORGE_PUBLISH_ATTEMPTS", "2")], &[])
    }

    /// Context for the function `name` whose outputs come here, with a clock that stands at `now`.
    ///
    /// # Panics
    /// Where the HTTP client cannot be set up.
    #[must_use]
    pub fn context(&self, name: &'static str, now: Millis) -> Context {
        Context::with_clock(name, self.config(), move || now).expect("the client needs no outside resource")
    }
}

impl Drop for TestIngress {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Configuration from the given variables alone.
///
/// # Panics
/// Where they do not fit.
#[must_use]
pub fn config(variables: &[(&str, &str)], settings: &[Setting]) -> Config {
    let variables: BTreeMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Config::from_map(&variables, settings).expect("the test's configuration fits")
}

/// What a function answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// The `kne-reason` header, or nothing.
    pub reason: String,
    /// The body as text.
    pub body: String,
}

/// Posts one event to `/` in binary mode.
///
/// # Panics
/// Where the event cannot be written as a request.
pub async fn post_event(router: &Router, event: &Event) -> Answer {
    let (headers, body) = wire::encode(event).expect("the test's event is sound");
    post_raw(router, headers, body.into()).await
}

/// A history in which, after each event, an earlier one or the event itself comes again; `repeats` chooses which.
#[must_use]
pub fn with_repeats(history: &[Event], repeats: &[usize]) -> Vec<Event> {
    let again = |(place, repeat): (usize, &usize)| [history[place].clone(), history[repeat % (place + 1)].clone()];
    repeats.iter().cycle().enumerate().take(history.len()).flat_map(again).collect()
}

/// Posts events one after another and answers what was published meanwhile: type and content by source and id.
///
/// The time at which the exchange was read is left out of the content.
///
/// # Panics
/// Where an event is to come again, or one id stands for two contents.
pub async fn post_events(router: &Router, ingress: &TestIngress, events: &[Event]) -> BTreeMap<String, String> {
    let mut published = BTreeMap::new();
    for event in events {
        let answer = post_event(router, event).await;
        assert!(answer.status < 500, "{} was not handled: {answer:?}", event.id());
        for event in ingress.take() {
            let mut payload: serde_json::Value = streamforge_events::data(&event).expect("outputs are JSON");
            if let Some(payload) = payload.as_object_mut() {
                payload.remove("read_at");
            }
            let content = format!("{} {payload}", event.ty());
            let known = published.insert(format!("{} {}", event.source(), event.id()), content.clone());
            if let Some(known) = known {
                assert_eq!(known, content, "{} stands for two contents", event.id());
            }
        }
    }
    published
}

/// Posts one event over the network to a function's `address`.
///
/// # Panics
/// Where the address does not answer.
pub async fn post_event_to(address: &str, event: &Event) -> Answer {
    let (headers, body) = wire::encode(event).expect("the test's event is sound");
    let (client, url) = remote(address, "/");
    read_remote(client.post(url).headers(headers).body(body)).await
}

/// Gets a path over the network from a function's `address`.
///
/// # Panics
/// Where the address does not answer.
pub async fn get_from(address: &str, path: &str) -> Answer {
    let (client, url) = remote(address, path);
    read_remote(client.get(url)).await
}

fn remote(address: &str, path: &str) -> (reqwest::Client, reqwest::Url) {
    let url = format!("http://{address}{path}").parse().expect("the test's address is sound");
    let client = crate::http_client(&url, Duration::from_mins(1)).expect("the client needs no outside resource");
    (client, url)
}

/// Posts any headers and body to `/`.
///
/// # Panics
/// Where the answer's body cannot be read.
pub async fn post_raw(router: &Router, headers: HeaderMap, body: Body) -> Answer {
    let mut request = Request::builder().method(Method::POST).uri("/").body(body).expect("the URI is constant");
    *request.headers_mut() = headers;
    send(router, request).await
}

/// Sends any request.
///
/// # Panics
/// Where the answer's body cannot be read.
pub async fn send(router: &Router, request: Request<Body>) -> Answer {
    let Ok(response) = router.clone().oneshot(request).await;
    read(response).await
}

async fn read_remote(request: reqwest::RequestBuilder) -> Answer {
    let response: Response<reqwest::Body> = request.send().await.expect("the function answers").into();
    read(response.map(Body::new)).await
}

async fn read(response: Response<Body>) -> Answer {
    let status = response.status().as_u16();
    let reason = response.headers().get("kne-reason").and_then(|value| value.to_str().ok());
    let reason = reason.unwrap_or_default().to_owned();
    let body = to_bytes(response.into_body(), usize::MAX).await.expect("the answer's body is in memory");
    Answer { status, reason, body: String::from_utf8_lossy(&body).into_owned() }
}

async fn record(
    State(state): State<Arc<Recording>>,
    Path((namespace, broker)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    state.arrived.send_modify(|count| *count += 1);
    let mut held = state.held.subscribe();
    if held.wait_for(|held| !held).await.is_err() {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let answer = *state.answer.lock().unwrap_or_else(PoisonError::into_inner);
    if !answer.is_success() {
        state.refused.send_modify(|count| *count += 1);
        return answer;
    }
    match wire::decode(&headers, &body) {
        Err(_) => StatusCode::BAD_REQUEST,
        Ok(event) => {
            let received = Received { broker: format!("{namespace}/{broker}"), headers, event };
            state.received.send_modify(|all| all.push(received));
            answer
        }
    }
}
