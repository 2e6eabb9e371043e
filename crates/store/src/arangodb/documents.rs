//! Single documents: read, made once, replaced by whoever saw their last revision.
//!
//! # Source
//! <https://docs.arangodb.com/3.12/develop/http-api/documents/>

use http::Method;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    ArangoStore,
    failure::{CONFLICT, Failure, NO_DOCUMENT, TAKEN},
    names::in_path,
    transport::Call,
};

/// A document and the state it is in.
pub(super) struct Found<T> {
    pub(super) value: T,
    pub(super) revision: String,
}

/// What became of a conditional change.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The document has the new content under this revision.
    Won(String),
    /// It had another revision.
    Lost,
    /// There is none.
    Missing,
}

#[derive(Deserialize)]
struct Written {
    #[serde(rename = "_rev")]
    revision: String,
}

impl ArangoStore {
    pub(super) async fn find<T: DeserializeOwned>(
        &self,
        collection: &str,
        key: &str,
    ) -> Result<Option<Found<T>>, Failure> {
        let path = self.session.place.path(&format!("/_api/document/{collection}/{}", in_path(key)));
        match self.call(&Call::new(Method::GET, path, "")).await {
            Ok(reply) => {
                let Written { revision } = understood(&reply.body)?;
                Ok(Some(Found { value: understood(&reply.body)?, revision }))
            }
            Err(failure) if failure.is(404, NO_DOCUMENT) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Makes a document and answers its revision; none if the key is taken.
    pub(super) async fn insert(&self, collection: &str, document: &impl Serialize) -> Result<Option<String>, Failure> {
        let path = self.session.place.path(&format!("/_api/document/{collection}?waitForSync=true"));
        match self.call(&Call::new(Method::POST, path, json(document)?)).await {
            Ok(reply) => understood(&reply.body).map(|written: Written| Some(written.revision)),
            Err(failure) if failure.is(409, TAKEN) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Changes the named fields of a document, each as a whole, if it still has the revision.
    pub(super) async fn change(
        &self,
        collection: &str,
        key: &str,
        revision: &str,
        fields: &impl Serialize,
    ) -> Result<Change, Failure> {
        let path = format!("/_api/document/{collection}/{}?mergeObjects=false&waitForSync=true", in_path(key));
        let mut call = Call::new(Method::PATCH, self.session.place.path(&path), json(fields)?);
        call.if_match = Some(revision.to_owned());
        match self.call(&call).await {
            Ok(reply) => understood(&reply.body).map(|written: Written| Change::Won(written.revision)),
            Err(failure) if failure.is(412, CONFLICT) => Ok(Change::Lost),
            Err(failure) if failure.is(404, NO_DOCUMENT) => Ok(Change::Missing),
            Err(failure) => Err(failure),
        }
    }
}

/// Reads what the server sent.
pub(super) fn understood<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| Failure::Unfit(format!("a document cannot be read: {error}")))
}

/// Writes what the server is sent.
pub(super) fn json(value: &impl Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(value).map_err(|error| Failure::Unfit(format!("a document cannot be written: {error}")))
}
