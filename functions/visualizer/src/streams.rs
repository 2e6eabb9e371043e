//! Answers that have no end: how many there are at once, and when they do end.

use std::{convert::Infallible, sync::Arc};

use futures::{Stream, StreamExt};
use streamforge_function::{
    api::Problem,
    axum::{
        http::StatusCode,
        response::{
            IntoResponse, Response,
            sse::{Event, KeepAlive, Sse},
        },
    },
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Views;

/// Streams at once; each costs a connection and what waits in it.
const MOST: usize = 2000;

/// The places for streams.
#[derive(Clone)]
pub(crate) struct Streams(Arc<Semaphore>);

impl Default for Streams {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST)))
    }
}

impl Streams {
    /// Takes a place for as long as the permit is kept.
    fn enter(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let message = format!("{MOST} streams are open, more are not served; close some, or try again");
        let busy = |_| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_streams", message);
        Arc::clone(&self.0).try_acquire_owned().map_err(busy)
    }
}

impl Views {
    /// Answers with events until there are no more, the client goes, or the server is told to stop.
    ///
    /// Events are made when the connection takes them, so that none waits for a slow client but in its connection.
    pub(crate) fn stream(&self, events: impl Stream<Item = Event> + Send + 'static) -> Result<Response, Problem> {
        let place = self.streams.enter()?;
        let events = events.take_until(self.shutdown.clone()).map(move |event| {
            let _ = &place;
            Ok::<_, Infallible>(event)
        });
        Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_to_an_end_and_are_given_back() {
        let streams = Streams::default();
        let mut taken: Vec<_> = (0..MOST).map(|_| streams.enter().unwrap()).collect();
        let response = streams.enter().unwrap_err().into_response();
        let retry_after = response.headers()["retry-after"].to_str().unwrap();
        assert_eq!((response.status().as_u16(), retry_after), (503, "5"));
        taken.pop();
        assert!(streams.enter().is_ok());
    }
}
