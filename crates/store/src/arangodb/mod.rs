//! The store on `ArangoDB`: versioned documents in a few collections, reached over HTTP.
//!
//! Each document is written whole or not at all; nothing joins two of them. So whatever belongs together is either one
//! document, or becomes visible with the last one that is written.

mod access;
mod aql;
mod bulk;
mod cas;
mod documents;
#[cfg(feature = "test-util")]
pub mod double;
mod driver;
mod failure;
mod gaps;
mod graphs;
mod in_flight;
mod klines;
mod leases;
mod loaded;
mod names;
mod options;
mod place;
mod predictions;
mod query;
mod retry;
mod schema;
mod series;
mod session;
mod trades;
mod transport;
mod workflows;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use streamforge_events::SeriesId;

use crate::Error;
pub use access::{ARANGO_VARIABLES, ArangoAccess, ArangoPassword};
use failure::{Failure, NO_COLLECTION};
use in_flight::InFlight;
pub use options::ArangoOptions;
use place::Place;
pub(crate) use place::is_meant;
use schema::Care;
use session::Session;
use transport::{Call, Reply};

/// A store in a database of `ArangoDB` 3.12 or later.
///
/// An acknowledged write is on the server's disk. Writes and reads are tried again until they have an answer, or until
/// the patience is over.
pub struct ArangoStore {
    session: Arc<Session>,
    in_flight: InFlight,
    /// Series that are known to be noted.
    noted: Mutex<HashSet<SeriesId>>,
    /// Marks of loaded ranges of this process wait for each other here, rather than for each other's failures.
    marking: tokio::sync::Mutex<()>,
}

impl ArangoStore {
    /// Opens the store of a URL such as `arangodb://root@localhost:8529/streamforge`, and makes what is missing of it.
    ///
    /// # Errors
    /// [`Error::Url`] for another kind of URL, [`Error::Unfit`] for a server that is too old or a database of something
    /// else, [`Error::Unauthorized`], or why the server cannot be used.
    pub async fn open(url: &str, options: ArangoOptions) -> Result<Self, Error> {
        let session = Arc::new(Session::new(Place::parse(url)?, options)?);
        let store = Self {
            session,
            in_flight: InFlight::default(),
            noted: Mutex::default(),
            marking: tokio::sync::Mutex::default(),
        };
        store.named(schema::ensure(&store.session, Care::Trusting).await)?;
        Ok(store)
    }

    /// Removes the whole database.
    ///
    /// # Errors
    /// Why it is still there.
    #[cfg(feature = "test-util")]
    pub async fn remove(&self) -> Result<(), Error> {
        let path = format!("/_api/database/{}", self.session.place.database);
        let removed = self.session.call(&Call::new(http::Method::DELETE, path, "")).await;
        self.named(removed.map(drop))
    }

    /// Calls the server; where a collection is gone the schema is made once more.
    async fn call(&self, call: &Call) -> Result<Reply, Failure> {
        match self.session.call(call).await {
            Err(failure) if failure.is(404, NO_COLLECTION) => {
                schema::ensure(&self.session, Care::Thorough).await?;
                self.session.call(call).await
            }
            outcome => outcome,
        }
    }

    /// Names the place in what went wrong.
    fn named<T>(&self, outcome: Result<T, Failure>) -> Result<T, Error> {
        outcome.map_err(|failure| failure.into_error(&self.session.place.to_string()))
    }
}
