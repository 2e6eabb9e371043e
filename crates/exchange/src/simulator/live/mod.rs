//! The streams: a WebSocket for each client, on which the market goes by as the exchange's clock does.
//!
//! A connection belongs to one `session`; what it has subscribed to is read in `names`, made in `feeds`, written in
//! `frames`, and spoiled by `trouble`. A recording that is to be heard whole is `played` instead.
//!
//! # Source
//! <https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams>

mod compressed;
mod control;
mod feeds;
mod frames;
mod names;
mod played;
mod session;
mod trouble;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::time::Instant;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{handshake::derive_accept_key, protocol::Role},
};

pub(in crate::simulator) use feeds::Emission;
pub(super) use names::kind;

use compressed::Compressed;

use super::{
    Playing,
    market::Market,
    server::{self, State},
};

/// Connections that an address may open in five minutes.
const MOST_ATTEMPTS: usize = 300;
const ATTEMPTS_IN: Duration = Duration::from_mins(5);

/// When connections were opened lately.
#[derive(Debug, Default)]
pub(super) struct Attempts(VecDeque<Instant>);

impl Attempts {
    /// Counts one; says whether it is within the limit.
    pub(super) fn count(&mut self, now: Instant) -> bool {
        while self.0.front().is_some_and(|first| now.duration_since(*first) > ATTEMPTS_IN) {
            self.0.pop_front();
        }
        self.0.push_back(now);
        self.0.len() <= MOST_ATTEMPTS
    }
}

/// Whether a path is one of a stream.
pub(super) fn is_stream(path: &str) -> bool {
    path == "/stream" || path == "/ws" || path.starts_with("/ws/")
}

/// Answers a handshake, and serves the streams on its connection.
pub(super) fn open(state: &Arc<State>, mut request: Request) -> Response {
    state.counters.count_connection();
    if !state.counts_attempt() {
        return server::response(StatusCode::TOO_MANY_REQUESTS, None, Body::empty());
    }
    let trouble = state.faults.of_connection();
    if trouble.is_html() {
        state.counters.count_fault();
        return server::html(StatusCode::BAD_GATEWAY);
    }
    let query = request.uri().query().unwrap_or_default();
    let Some(asked) = names::asked(request.uri().path(), query) else {
        return server::response(StatusCode::NOT_FOUND, None, Body::from("Invalid request path"));
    };
    let (Some(key), Some(upgrade)) = (key(request.headers()), request.extensions_mut().remove::<OnUpgrade>()) else {
        return server::response(StatusCode::BAD_REQUEST, None, Body::from("expected a WebSocket handshake"));
    };
    let is_compressed = compressed::is_offered(request.headers()) && !trouble.is_plain();
    let counters = Arc::clone(&state.counters);
    let state = Arc::clone(state);
    tokio::spawn(async move {
        let Ok(connection) = upgrade.await else { return };
        let connection = Compressed::new(TokioIo::new(connection), is_compressed);
        let socket = WebSocketStream::from_raw_socket(connection, Role::Server, None).await;
        let played = Arc::clone(&state);
        match &played.market {
            Market::Capture(capture) if state.playing == Playing::Whole => {
                played::serve(state, capture, asked, socket).await;
            }
            _ => session::Session::new(state, asked, trouble).run(socket).await,
        }
    });
    let mut response = server::response(StatusCode::SWITCHING_PROTOCOLS, None, Body::empty());
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, key);
    if is_compressed {
        counters.count_compressed();
        headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, compressed::ACCEPTED);
    }
    response
}

/// What proves that the handshake was read.
fn key(headers: &HeaderMap) -> Option<HeaderValue> {
    let key = headers.get(header::SEC_WEBSOCKET_KEY)?;
    HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok()
}
