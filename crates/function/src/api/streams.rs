//! Answers that have no end of their own: how many there are at once.

use std::{convert::Infallible, sync::Arc};

use axum::{
    http::StatusCode,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::{Stream, StreamExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Problem;

/// Streams of one interface at once; each costs a connection and what waits in it.
const MOST: usize = 2000;

/// The places for streams; clones share them.
#[derive(Clone, Debug)]
pub struct Streams(Arc<Semaphore>);

/// A place that is taken until this is dropped.
#[derive(Debug)]
pub struct Place {
    _permit: OwnedSemaphorePermit,
}

impl Default for Streams {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST)))
    }
}

impl Streams {
    /// Takes a place.
    ///
    /// # Errors
    /// [`Problem`] if there is none.
    pub fn enter(&self) -> Result<Place, Problem> {
        let message = format!("{MOST} streams are open, more are not served; close some, or try again");
        let busy = |_| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_streams", message);
        Ok(Place { _permit: Arc::clone(&self.0).try_acquire_owned().map_err(busy)? })
    }

    /// How many places are taken.
    #[must_use]
    pub fn open(&self) -> usize {
        MOST.saturating_sub(self.0.available_permits())
    }

    /// Answers with events until there are no more, or the client goes.
    ///
    /// Events are made when the connection takes them, so that none waits for a slow client but in its connection.
    ///
    /// # Errors
    /// As [`Self::enter`].
    pub fn serve(&self, events: impl Stream<Item = Event> + Send + 'static) -> Result<Response, Problem> {
        let place = self.enter()?;
        let events = events.map(move |event| {
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
        assert_eq!(streams.open(), MOST);
        taken.pop();
        assert!(streams.enter().is_ok());
    }
}
