//! The trait that every function implements.

use std::sync::Arc;

use axum::Router;
use prometheus_client::registry::Registry;
use streamforge_events::{Event, EventType};

use crate::{Context, Error, Setting};

/// Turns one event into the events that follow from it.
///
/// The same event may arrive twice, at the same time, in two processes: outputs and effects must follow from the
/// event alone, with ids computed from it.
pub trait Function: Send + Sync + 'static {
    /// Name of the folder, crate, Service, Trigger and `ScaledObject`.
    const NAME: &'static str;

    /// Environment variables that only this function reads; any other unknown `STREAMFORGE_*` name is refused.
    const SETTINGS: &'static [Setting] = &[];

    /// Event types it accepts; anything else is answered 422.
    ///
    /// The host itself answers `control.ping` and remembers `control.stop` where they are not listed.
    fn accepts(&self) -> &'static [EventType];

    /// Does the work of one event and returns what to publish.
    ///
    /// The host publishes the outputs in order per key and answers 204 after the broker acknowledged all of them.
    /// The future is dropped at the deadline or when the caller hangs up, at any `.await`.
    ///
    /// # Errors
    /// [`Error`] decides between "retry" and "dead letter"; see its variants.
    fn handle(&self, event: Event, context: &Context) -> impl Future<Output = Result<Vec<Event>, Error>> + Send;

    /// Further HTTP routes on the main port, for a function that has an API of its own.
    ///
    /// They share the body limit and the drain, not the deadline; `/` and `/health/*` belong to the host.
    fn api(self: Arc<Self>, context: Context) -> Router {
        let _ = context;
        Router::new()
    }

    /// Registers metrics of its own beside the host's.
    fn register_metrics(&self, registry: &mut Registry) {
        let _ = registry;
    }
}
