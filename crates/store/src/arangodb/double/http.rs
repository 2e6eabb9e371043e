//! The HTTP side: takes whole requests, springs traps, closes connections.

use std::{
    io,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{self, Query},
    http::{HeaderMap, Response, header},
    response::IntoResponse,
};
use futures::stream;
use serde_json::Value;

use super::{
    Fault, Mode, Shared,
    request::{No, Reply, Request},
    routes::handle,
};

/// One address.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) shared: Arc<Shared>,
    pub(super) mode: Arc<AtomicU8>,
}

impl Door {
    pub(super) fn router(self) -> Router {
        Router::new().fallback(answer).with_state(self)
    }
}

async fn answer(
    extract::State(door): extract::State<Door>,
    Query(query): Query<std::collections::BTreeMap<String, String>>,
    request: extract::Request,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else { return close() };
    door.shared.requests.fetch_add(1, Ordering::SeqCst);
    match door.mode.load(Ordering::SeqCst) {
        mode if mode == Mode::Hung as u8 => hang().await,
        mode if mode == Mode::Down as u8 => return close(),
        _ => {}
    }
    if head.headers.contains_key(header::TRANSFER_ENCODING) {
        return sent(&No(501, 9, "chunked bodies are not supported").into());
    }
    let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let request = Request {
        method: head.method,
        path: head.uri.path().to_owned(),
        query,
        token: text(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer ").map(str::to_owned)),
        if_match: text(header::IF_MATCH).map(|value| value.trim_matches('"').to_owned()),
        body,
    };
    let fault = door.shared.faults().spring(&request);
    let _air = Air::enter(&door.shared, &request).await;
    let carry_out = || handle(&mut door.shared.server(), &request, fault);
    match fault {
        Some(Fault::Drop) => close(),
        Some(Fault::Hang) => hang().await,
        Some(Fault::Html) => page(),
        Some(Fault::Refuse { status, number }) => sent(&No(status, number, "a trap").into()),
        Some(Fault::LoseReply) => {
            drop(carry_out());
            close()
        }
        Some(Fault::HangAfter) => {
            drop(carry_out());
            hang().await
        }
        _ => sent(&carry_out()),
    }
}

/// A batch on its way; counted are keys that are on their way already.
struct Air<'a> {
    shared: &'a Shared,
    keys: Vec<String>,
}

impl<'a> Air<'a> {
    async fn enter(shared: &'a Shared, request: &Request) -> Self {
        let documents: Vec<Value> = serde_json::from_slice(&request.body).unwrap_or_default();
        let key = |document: &Value| Some(format!("{} {}", request.path, document["_key"].as_str()?));
        let keys: Vec<String> = documents.iter().filter_map(key).collect();
        {
            let mut in_flight = shared.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
            let overlaps = keys.iter().filter(|key| !in_flight.insert((*key).clone())).count();
            shared.overlaps.fetch_add(overlaps, Ordering::SeqCst);
        }
        let air = Self { shared, keys };
        if !air.keys.is_empty() {
            // Whoever else is on the way gets the time to arrive.
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
        }
        air
    }
}

impl Drop for Air<'_> {
    fn drop(&mut self) {
        let mut in_flight = self.shared.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        for key in &self.keys {
            in_flight.remove(key);
        }
    }
}

fn sent(reply: &Reply) -> Response<Body> {
    let mut headers = HeaderMap::new();
    headers.insert(header::SERVER, header::HeaderValue::from_static("ArangoDB"));
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert("x-arango-queue-time-seconds", header::HeaderValue::from_static("0.000000"));
    for (name, value) in &reply.headers {
        headers.insert(*name, value.parse().expect("our headers are sound"));
    }
    let status = axum::http::StatusCode::from_u16(reply.status).expect("our statuses are sound");
    (status, headers, reply.body.to_string()).into_response()
}

fn page() -> Response<Body> {
    let body = "<html><body><h1>503 Service Unavailable</h1>No server is available.</body></html>";
    (axum::http::StatusCode::SERVICE_UNAVAILABLE, [(header::CONTENT_TYPE, "text/html")], body).into_response()
}

/// An answer that ends before its length: the connection is closed.
fn close() -> Response<Body> {
    let broken = stream::iter([Err::<Bytes, io::Error>(io::ErrorKind::ConnectionReset.into())]);
    ([(header::CONTENT_LENGTH, "1000")], Body::from_stream(broken)).into_response()
}

async fn hang<T>() -> T {
    std::future::pending().await
}
