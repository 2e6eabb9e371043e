//! The HTTP side: charges each request, imitates failures, and sets the exchange's headers.

use std::sync::{Arc, Mutex, PoisonError};

use axum::{
    Router,
    body::Body,
    extract::{self, Query},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::Response,
};

use super::{
    Counters, RunningClock, SimulatorConfig,
    endpoints::{Endpoint, Request},
    fault_engine::{Draws, Failure, FaultEngine},
    limiter::{Admission, Limiter},
    market::{Listing, Market},
    parameters::Parameters,
    refusal::Refusal,
    wire::TimeUnit,
};

const JSON: &str = "application/json;charset=UTF-8";
const HTML: &str = "<html><head><title>Error</title></head><body><center><h1>Bad request</h1></center></body></html>";

/// Limit that exchangeInfo tells when none is enforced.
const USUAL_LIMIT: u32 = 6_000;

/// Everything that requests share.
#[derive(Debug)]
pub(super) struct State {
    pub(super) market: Market,
    pub(super) faults: FaultEngine,
    pub(super) weight_limit: u32,
    clock: RunningClock,
    limiter: Mutex<Limiter>,
    counters: Arc<Counters>,
}

impl State {
    /// The listing of a symbol, or the exchange's refusal.
    pub(super) fn listing(&self, symbol: &str) -> Result<&Listing, Refusal> {
        let listing = self.market.listings().iter().find(|listing| listing.symbol == symbol);
        listing.filter(|_| self.is_listed(symbol)).ok_or_else(Refusal::invalid_symbol)
    }

    /// Whether a symbol has not vanished.
    pub(super) fn is_listed(&self, symbol: &str) -> bool {
        !self.faults.faults.vanish.iter().any(|vanished| vanished == symbol)
    }
}

pub(super) fn router(config: SimulatorConfig) -> Router {
    let market = config.source.0;
    let state = Arc::new(State {
        clock: RunningClock::start(config.clock, &market),
        market,
        faults: FaultEngine::new(config.faults),
        weight_limit: config.weight_limit.unwrap_or(USUAL_LIMIT),
        limiter: Mutex::new(Limiter::new(config.weight_limit)),
        counters: config.counters,
    });
    Router::new().fallback(handle).with_state(state)
}

async fn handle(
    extract::State(state): extract::State<Arc<State>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    Query(parameters): Query<Vec<(String, String)>>,
) -> Response {
    let Some(endpoint) = Endpoint::parse(uri.path()).filter(|_| method == Method::GET) else {
        return response(StatusCode::NOT_FOUND, None, Body::empty());
    };
    let parameters = Parameters(parameters);
    let now = state.clock.now();
    let (used, admission) = charge(&state, now, endpoint.weight(&parameters));
    let draws = state.faults.draws();
    let mut failure = None;
    let answer = if let Err(refusal) = admit(&state, admission) {
        Err(refusal)
    } else {
        failure = state.faults.failure(draws);
        let draws = failure.is_none().then_some(draws);
        work(Arc::clone(&state), endpoint, parameters, time_unit(&state, &headers), now, draws).await
    };
    let mut response = match answer {
        Ok(json) => response(StatusCode::OK, Some(JSON), Body::from(json)),
        Err(refusal) => refuse(&refusal),
    };
    if let Some(failure) = failure {
        state.counters.count_fault();
        response = fail(&state, failure, response).await;
    }
    let headers = response.headers_mut();
    headers.insert("x-mbx-used-weight", HeaderValue::from(used));
    headers.insert("x-mbx-used-weight-1m", HeaderValue::from(used));
    if let Admission::TooMuch { retry_after_seconds, .. } | Admission::Banned { retry_after_seconds, .. } = admission {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after_seconds));
    }
    response
}

/// Computing a page takes longer than a runtime's thread should be kept.
async fn work(
    state: Arc<State>,
    endpoint: Endpoint,
    parameters: Parameters,
    unit: Result<TimeUnit, Refusal>,
    now: i64,
    draws: Option<Draws>,
) -> Result<String, Refusal> {
    let unit = unit?;
    let task = tokio::task::spawn_blocking(move || {
        endpoint.answer(&state, Request { parameters: &parameters, unit, now, draws })
    });
    task.await.unwrap_or_else(|error| Err(Refusal::unknown(format!("the simulator failed: {error}"))))
}

fn charge(state: &State, now: i64, weight: u32) -> (u32, Admission) {
    let mut limiter = state.limiter.lock().unwrap_or_else(PoisonError::into_inner);
    let (used, admission) = limiter.charge(now, weight);
    state.counters.count_request(used);
    (used, admission)
}

fn admit(state: &State, admission: Admission) -> Result<(), Refusal> {
    match admission {
        Admission::TooMuch { limit, .. } => {
            state.counters.count_too_many();
            Err(Refusal::too_much_weight(limit))
        }
        Admission::Banned { until, .. } => {
            state.counters.count_banned();
            Err(Refusal::banned(until))
        }
        Admission::Allowed if state.faults.faults.geo => Err(Refusal::restricted()),
        Admission::Allowed => Ok(()),
    }
}

/// Reads `X-MBX-TIME-UNIT`, spelled in capitals or small letters.
fn time_unit(state: &State, headers: &HeaderMap) -> Result<TimeUnit, Refusal> {
    match headers.get("x-mbx-time-unit").map(HeaderValue::as_bytes) {
        None if state.faults.faults.microseconds => Ok(TimeUnit::Microsecond),
        None | Some(b"MILLISECOND" | b"millisecond") => Ok(TimeUnit::Millisecond),
        Some(b"MICROSECOND" | b"microsecond") => Ok(TimeUnit::Microsecond),
        Some(_) => Err(Refusal::invalid_time_unit()),
    }
}

async fn fail(state: &State, failure: Failure, good: Response) -> Response {
    match failure {
        Failure::Html { status } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
            response(status, Some("text/html"), Body::from(HTML))
        }
        Failure::Code { status, code, message } => refuse(&Refusal { status, code, message: message.to_owned() }),
        Failure::Slow => {
            tokio::time::sleep(state.faults.faults.delay).await;
            good
        }
        Failure::Cut => cut(good).await,
    }
}

/// Sends the first half of the body, then drops the connection.
async fn cut(good: Response) -> Response {
    let (parts, body) = good.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let half = body.slice(..body.len() / 2);
    let end = std::io::Error::other("the connection is cut on purpose");
    let halves = futures::stream::iter([Ok(half), Err(end)]);
    Response::from_parts(parts, Body::from_stream(halves))
}

fn refuse(refusal: &Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response(status, Some(JSON), Body::from(refusal.body()))
}

fn response(status: StatusCode, kind: Option<&'static str>, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    if let Some(kind) = kind {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    response
}
