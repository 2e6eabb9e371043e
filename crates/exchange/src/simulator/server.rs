//! The HTTP side: charges each request, imitates failures, and sets the exchange's headers.

use std::sync::{Arc, Mutex, PoisonError};

use axum::{
    Router,
    body::Body,
    extract::{self, Query},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::Response,
};

use streamforge_events::Millis;

use super::{
    Counters, Playing, RunningClock, SimulatorConfig,
    endpoints::{Endpoint, Request},
    fault_engine::{Draws, Failure, FaultEngine},
    huge,
    limiter::{Admission, Limiter, USUAL_LIMIT},
    live::{self, Attempts},
    market::{Listing, Market},
    parameters::Parameters,
    refusal::Refusal,
    wire::TimeUnit,
};

pub(super) const JSON: &str = "application/json;charset=UTF-8";
const HTML: &str = "<html><head><title>Error</title></head><body><center><h1>Bad request</h1></center></body></html>";

/// Everything that requests share.
#[derive(Debug)]
pub(super) struct State {
    pub(super) market: Market,
    pub(super) faults: FaultEngine,
    pub(super) weight_limit: u32,
    pub(super) counters: Arc<Counters>,
    pub(super) playing: Playing,
    clock: RunningClock,
    limiter: Mutex<Limiter>,
    attempts: Mutex<Attempts>,
}

impl State {
    /// The exchange's time.
    pub(super) fn now(&self) -> Millis {
        self.clock.now()
    }

    /// Counts a connection for streams; says whether it is within the limit.
    pub(super) fn counts_attempt(&self) -> bool {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.count(tokio::time::Instant::now())
    }

    /// The listing of a symbol, or the exchange's refusal.
    pub(super) fn listing(&self, symbol: &str) -> Result<&Listing, Refusal> {
        let listing = self.market.listings().iter().find(|listing| listing.symbol == symbol);
        listing.filter(|_| self.faults.is_listed(symbol)).ok_or_else(Refusal::invalid_symbol)
    }
}

pub(super) fn router(config: SimulatorConfig) -> Router {
    let market = config.source.0;
    let limit = config.faults.weight.or(config.weight_limit);
    let state = Arc::new(State {
        clock: RunningClock::start(config.clock, config.faults.skew, &market, config.playing),
        playing: config.playing,
        market,
        faults: FaultEngine::new(config.faults),
        weight_limit: limit.unwrap_or(USUAL_LIMIT),
        limiter: Mutex::new(Limiter::new(limit)),
        attempts: Mutex::default(),
        counters: config.counters,
    });
    Router::new().fallback(handle).with_state(state)
}

async fn handle(extract::State(state): extract::State<Arc<State>>, request: extract::Request) -> Response {
    if live::is_stream(request.uri().path()) {
        return live::open(&state, request);
    }
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    let Ok(Query(parameters)) = Query::<Vec<(String, String)>>::try_from_uri(uri) else {
        return response(StatusCode::BAD_REQUEST, None, Body::empty());
    };
    let Some(endpoint) = Endpoint::parse(uri.path()).filter(|_| *method == Method::GET) else {
        return response(StatusCode::NOT_FOUND, None, Body::empty());
    };
    let parameters = Parameters(parameters);
    let now = state.clock.now();
    let draws = state.faults.draws();
    let (used, admission) = charge(&state, now, endpoint.weight(&parameters), draws);
    let mut failure = None;
    let answer = if let Err(refusal) = admit(&state, admission) {
        Err(refusal)
    } else {
        failure = state.faults.failure(draws);
        let draws = failure.is_none().then_some(draws);
        work(Arc::clone(&state), endpoint, parameters, time_unit(&state, headers), now, draws).await
    };
    let takes_gzip = headers.get(header::ACCEPT_ENCODING).is_some_and(|kinds| kinds.as_bytes().starts_with(b"gzip"));
    let mut response = match answer {
        Ok(json) => response(StatusCode::OK, Some(JSON), Body::from(json)),
        Err(refusal) => refuse(&refusal),
    };
    if let Some(failure) = failure {
        state.counters.count_fault();
        response = fail(&state, failure, response, takes_gzip).await;
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

fn charge(state: &State, now: i64, weight: u32, draws: Draws) -> (u32, Admission) {
    let mut limiter = state.limiter.lock().unwrap_or_else(PoisonError::into_inner);
    if limiter.is_closed(now) {
        state.counters.count_impatient();
    }
    let (used, mut admission) = limiter.charge(now, weight);
    state.counters.count_request(used);
    if let (Admission::Allowed, Some(penalty)) = (admission, state.faults.penalty(draws)) {
        let pause = i64::try_from(state.faults.faults.pause.as_millis()).unwrap_or(i64::MAX / 4);
        admission = limiter.impose(now, penalty, pause);
        state.counters.count_fault();
    }
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

async fn fail(state: &State, failure: Failure, good: Response, takes_gzip: bool) -> Response {
    match failure {
        Failure::Html { status } => html(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY)),
        Failure::Code { status, code, message } => refuse(&Refusal { status, code, message: message.to_owned() }),
        Failure::Slow => {
            tokio::time::sleep(state.faults.faults.delay).await;
            good
        }
        Failure::Cut => cut(good).await,
        Failure::Huge => huge::response_of_spaces(takes_gzip),
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

/// A page of a proxy instead of the exchange's answer.
pub(super) fn html(status: StatusCode) -> Response {
    response(status, Some("text/html"), Body::from(HTML))
}

pub(super) fn response(status: StatusCode, kind: Option<&'static str>, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    if let Some(kind) = kind {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    response
}
