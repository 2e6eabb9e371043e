//! Queries: a cursor is followed to its end or the query is asked anew; a result is whole or an error.
//!
//! # Source
//! <https://docs.arangodb.com/3.12/develop/http-api/queries/aql-queries/>

use http::Method;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{ArangoStore, documents::json as bytes, failure::Failure, retry::Tries, transport::Call};

#[derive(Deserialize)]
#[serde(bound(deserialize = "T: DeserializeOwned"))]
struct Batch<T> {
    result: Vec<T>,
    #[serde(default, rename = "hasMore")]
    has_more: bool,
    id: Option<String>,
}

impl ArangoStore {
    /// All rows of a query; `rows` is how many the server may send at once.
    pub(super) async fn query<T: DeserializeOwned + Send>(
        &self,
        text: &str,
        variables: Value,
        rows: usize,
    ) -> Result<Vec<T>, Failure> {
        let body = bytes(&json!({"query": text, "bindVars": variables, "batchSize": rows.max(1)}))?;
        let call = Call::new(Method::POST, self.session.place.path("/_api/cursor"), body);
        let mut tries = Tries::start(&self.session.options);
        loop {
            let first: Batch<T> = read(&self.call(&call).await?.body)?;
            match self.rest(first).await {
                Ok(rows) => return Ok(rows),
                Err(reason) => tries.wait(&reason).await?,
            }
        }
    }

    /// Follows a cursor. It moves on with every call, so that one without an answer must not be made again.
    ///
    /// # Errors
    /// Why the cursor cannot be followed any more.
    async fn rest<T: DeserializeOwned + Send>(&self, first: Batch<T>) -> Result<Vec<T>, String> {
        let Batch { mut result, mut has_more, mut id } = first;
        while has_more {
            let cursor = id.ok_or_else(|| "a cursor has no id".to_owned())?;
            let path = self.session.place.path(&format!("/_api/cursor/{cursor}"));
            let reply = self.session.call_once(&Call::new(Method::POST, path, "")).await;
            let next: Batch<T> =
                reply.and_then(|reply| read(&reply.body)).map_err(|failure| format!("a cursor broke: {failure:?}"))?;
            result.extend(next.result);
            (has_more, id) = (next.has_more, next.id.or(Some(cursor)));
        }
        Ok(result)
    }

    /// Rows page by page, at most `max`; each page is a query of its own that begins behind the row before it.
    pub(super) async fn pages<T: DeserializeOwned + Send + Sync>(
        &self,
        text: &str,
        max: usize,
        variables: impl Fn(Option<&T>, usize) -> Value + Send,
    ) -> Result<Vec<T>, Failure> {
        let mut rows: Vec<T> = Vec::new();
        let mut size = self.session.options.page_rows;
        while rows.len() < max {
            let limit = size.min(max - rows.len());
            match self.query(text, variables(rows.last(), limit), limit).await {
                Ok(page) => {
                    let is_last = page.len() < limit;
                    rows.extend(page);
                    if is_last {
                        break;
                    }
                }
                Err(Failure::TooLarge) if limit > 1 => size = limit.div_ceil(2),
                Err(failure) => return Err(failure),
            }
        }
        Ok(rows)
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| Failure::Unfit(format!("rows of a query cannot be read: {error}")))
}
