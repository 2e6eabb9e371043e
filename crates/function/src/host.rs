//! The way of one event through a process: shed, bound, parse, check, handle, publish, answer.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures::FutureExt;
use streamforge_events::{AttributesReader, Event, EventType, event_type, extension};
use tokio::sync::Semaphore;
use tracing::Instrument;

use crate::answer::Refusal;
use crate::body::{self, Unread};
use crate::connection::Wear;
use crate::{Context, Error, Function, Trace, control, lifecycle, wire};

/// The whole HTTP surface of a function: events on `POST /`, probes, and the function's own routes.
pub fn router<F: Function>(function: F, context: Context) -> Router {
    let config = context.config();
    let (body_limit, permits) = (config.body_limit, Semaphore::new(config.max_in_flight));
    let wear = Wear {
        requests: config.connection_requests,
        age: config.connection_age,
        lifecycle: context.lifecycle().clone(),
    };
    context.metrics().with_registry(|registry| function.register_metrics(registry));
    let function = Arc::new(function);
    let api = Arc::clone(&function).api(context.clone());
    let probes = lifecycle::probes(context.lifecycle());
    let host = Arc::new(Host { function, context, permits });
    Router::new()
        .route("/", post(receive::<F>))
        .with_state(host)
        .merge(probes)
        .merge(api)
        .layer(DefaultBodyLimit::max(body_limit))
        .layer(middleware::from_fn(move |request, next| wear.clone().limit(request, next)))
}

/// What all requests of a process share.
struct Host<F> {
    function: Arc<F>,
    context: Context,
    permits: Semaphore,
}

/// Label of an event type that is not ours.
const OTHER: &str = "other";

/// What is known of an event so far, for what is counted and logged of it.
struct Known {
    kind: &'static str,
    id: Option<String>,
    queue_id: Option<String>,
    task: Option<String>,
}

async fn receive<F: Function>(State(host): State<Arc<Host<F>>>, request: Request) -> Response {
    let metrics = host.context.metrics();
    let mut known = Known { kind: OTHER, id: None, queue_id: None, task: None };
    let outcome = match host.permits.try_acquire() {
        Err(_) => Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, "BUSY", "too many events at work")),
        Ok(_permit) => {
            let _in_flight = metrics.enter();
            let deadline = host.context.config().deadline;
            tokio::time::timeout(deadline, host.process(request, &mut known)).await.unwrap_or_else(|_| {
                let reason = format!("not done within {} ms", deadline.as_millis());
                Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "DEADLINE", reason))
            })
        }
    };
    match outcome {
        Ok(()) => {
            metrics.answered(known.kind, "DONE");
            StatusCode::NO_CONTENT.into_response()
        }
        Err(refusal) => {
            metrics.answered(known.kind, refusal.code);
            tracing::warn!(
                r#type = known.kind,
                id = known.id,
                queue_id = known.queue_id,
                task = known.task,
                status = refusal.status.as_u16(),
                code = refusal.code,
                reason = refusal.reason,
                "event not done"
            );
            refusal.into_response()
        }
    }
}

impl<F: Function> Host<F> {
    async fn process(&self, request: Request, known: &mut Known) -> Result<(), Refusal> {
        let (parts, body) = request.into_parts();
        let limit = self.context.config().body_limit;
        let body = body::read(&parts.headers, body, limit).await.map_err(|unread| {
            let code = match unread {
                Unread::TooLarge(_) => "TOO_LARGE",
                Unread::TooSlow(_) => "TOO_SLOW",
                Unread::Broken => "UNREADABLE_BODY",
            };
            Refusal::new(unread.status(), code, unread.to_string())
        })?;
        let event = wire::decode(&parts.headers, &body)?;
        drop(body);
        let kind = event_type(&event)
            .ok()
            .filter(|kind| self.function.accepts().contains(kind) || control::is_answered_by_host(*kind));
        let Some(kind) = kind else {
            let shown: String = event.ty().chars().take(128).collect();
            let reason = format!("{} does not accept events of type `{shown}`", F::NAME);
            return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "UNKNOWN_TYPE", reason));
        };
        *known = Known {
            kind: kind.as_str(),
            id: Some(event.id().to_owned()),
            queue_id: extension(&event, "queueid"),
            task: extension(&event, "task"),
        };

        let context = self.context.within(Trace::of(&event, &parts.headers).child());
        let span = tracing::info_span!(
            "event",
            id = known.id,
            r#type = known.kind,
            queue_id = known.queue_id,
            task = known.task,
            trace_id = context.trace().trace_id(),
            span_id = context.trace().span_id(),
        );
        let started = Instant::now();
        let is_task = kind == EventType::ControlStart && known.task.is_some();
        let handling = async {
            if is_task {
                tracing::info!("task begun");
            }
            let outcome = self.handle(kind, event, &context).await;
            if is_task && outcome.is_ok() {
                tracing::info!(millis = started.elapsed().as_millis(), "task handled");
            }
            outcome
        };
        let outcome = handling.instrument(span).await;
        self.context.metrics().handled(kind.as_str(), started.elapsed());
        outcome
    }

    async fn handle(&self, kind: EventType, event: Event, context: &Context) -> Result<(), Refusal> {
        if kind == EventType::ControlStop {
            control::remember_stop(&event, context).map_err(|error| Refusal::from(&error))?;
        }
        let outputs = if self.function.accepts().contains(&kind) {
            // A panic leaves nothing behind but the function's own state, which a process that lives on shares
            // with the next event; functions keep state behind locks that recover.
            AssertUnwindSafe(self.function.handle(event, context))
                .catch_unwind()
                .await
                .unwrap_or_else(|panic| Err(Error::Internal(panic_text(panic.as_ref()))))
        } else {
            control::answer(kind, &event, context)
        };
        let published = match outputs {
            Ok(outputs) => context.publish_all(outputs).await,
            Err(error) => Err(error),
        };
        published.map_err(|error| {
            if let Error::Internal(details) = &error {
                tracing::error!(details, "handling the event failed by a bug");
            }
            Refusal::from(&error)
        })
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panic: {}", text.unwrap_or("without a text"))
}
