//! Batches of versioned documents, straight to the document API: newer versions win, each document has its own answer.
//!
//! # Source
//! <https://docs.arangodb.com/3.12/develop/http-api/documents/#create-multiple-documents>

use std::hash::Hash;

use futures::{StreamExt, TryStreamExt, stream};
use http::Method;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::{
    ArangoStore,
    failure::{Failure, Fate, Refusal, judge_document},
    retry::Tries,
    transport::Call,
};
use crate::{Applied, BatchReport, Reject, Versioned, survivors::survivors};

/// Batches of one call that are on their way at once.
const PARALLEL: usize = 3;

/// A document that is offered.
pub(super) struct Row<'a, T> {
    pub(super) key: String,
    /// The document with `_key` and `version`, as JSON.
    pub(super) body: Vec<u8>,
    /// What makes two versions of it different.
    pub(super) value: &'a T,
}

/// What became of a document.
type Outcome = Result<Applied, Reject>;

/// The answer to one document of a batch.
#[derive(Deserialize)]
struct Item<'a> {
    #[serde(default)]
    error: bool,
    #[serde(default, rename = "errorNum")]
    number: u32,
    #[serde(default, rename = "errorMessage")]
    message: String,
    #[serde(default, rename = "_rev")]
    revision: Option<String>,
    #[serde(default, rename = "_oldRev")]
    old_revision: Option<String>,
    #[serde(borrow)]
    old: Option<&'a RawValue>,
}

impl ArangoStore {
    /// Stores documents under keys that are each there once; the answers are in the order of the rows.
    pub(super) async fn upsert<T>(&self, collection: &str, rows: &[Row<'_, T>]) -> Result<Vec<Outcome>, Failure>
    where
        T: DeserializeOwned + Serialize + Sync,
    {
        let _claim = self.in_flight.claim(collection, rows.iter().map(|row| row.key.as_str())).await;
        let options = &self.session.options;
        let sizes = rows.iter().map(|row| row.body.len());
        let batches = batches(sizes, options.batch_documents, options.batch_bytes);
        let stored: Vec<Vec<(usize, Outcome)>> = stream::iter(batches)
            .map(|batch| self.store(collection, rows, batch))
            .buffer_unordered(PARALLEL)
            .try_collect()
            .await?;
        let mut outcomes = vec![Ok(Applied::Unchanged); rows.len()];
        for (index, outcome) in stored.into_iter().flatten() {
            outcomes[index] = outcome;
        }
        Ok(outcomes)
    }

    /// Stores of each key the row with the highest version, and lets the others report what became of it.
    pub(super) async fn upsert_survivors<'rows, T, K, C>(
        &self,
        collection: &str,
        rows: &'rows [Versioned<T>],
        checks: Vec<Result<(), Reject>>,
        key: impl Fn(&'rows T) -> K,
        content: impl Fn(&'rows T) -> &'rows C,
        document: impl Fn(&'rows Versioned<T>) -> Result<(String, Vec<u8>), Failure>,
    ) -> Result<BatchReport, Failure>
    where
        C: DeserializeOwned + Serialize + Sync + 'rows,
        K: Copy + Hash + Ord,
    {
        let keys = rows.iter().zip(&checks).map(|(row, check)| check.is_ok().then(|| (key(&row.value), row.version)));
        let survivors = survivors(keys);
        let mut places = vec![0; rows.len()];
        let mut offered = Vec::with_capacity(rows.len());
        for (index, row) in rows.iter().enumerate() {
            if survivors[index] == Some(index) {
                places[index] = offered.len();
                let (key, body) = document(row)?;
                offered.push(Row { key, body, value: content(&row.value) });
            }
        }
        let outcomes = self.upsert(collection, &offered).await?;
        let item = |(index, check): (usize, Result<(), Reject>)| {
            check.and_then(|()| survivors[index].map_or(Ok(Applied::Unchanged), |row| outcomes[places[row]].clone()))
        };
        Ok(BatchReport { items: checks.into_iter().enumerate().map(item).collect() })
    }

    /// Stores one batch: what failed for now is sent again alone, what is too large in halves.
    async fn store<T>(
        &self,
        collection: &str,
        rows: &[Row<'_, T>],
        batch: Vec<usize>,
    ) -> Result<Vec<(usize, Outcome)>, Failure>
    where
        T: DeserializeOwned + Serialize + Sync,
    {
        let path = format!(
            "/_api/document/{collection}?overwriteMode=replace&versionAttribute=version&returnOld=true\
             &waitForSync=true"
        );
        let path = self.session.place.path(&path);
        let mut tries = Tries::start(&self.session.options);
        let mut done = Vec::with_capacity(batch.len());
        let mut waiting = vec![batch];
        while let Some(batch) = waiting.pop() {
            let call = Call::new(Method::POST, path.clone(), joined(batch.iter().map(|&index| &rows[index].body)));
            let reply = match self.call(&call).await {
                Ok(reply) => reply,
                Err(Failure::TooLarge) => {
                    if let [index] = &batch[..] {
                        done.push((*index, Err(Reject::Bytes(rows[*index].body.len()))));
                    } else {
                        let (first, second) = batch.split_at(batch.len() / 2);
                        waiting.extend([second.to_vec(), first.to_vec()]);
                    }
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            let mut again = Again::default();
            for (&index, item) in batch.iter().zip(items(&reply.body, batch.len())?) {
                match item.outcome(rows[index].value)? {
                    Some(outcome) => done.push((index, outcome)),
                    None => again.add(index, &item),
                }
            }
            if let Some(batch) = again.batch() {
                tries.wait(&again.reason).await?;
                waiting.push(batch);
            }
        }
        Ok(done)
    }
}

/// Documents of a batch that may succeed later.
#[derive(Default)]
struct Again {
    indices: Vec<usize>,
    reason: String,
}

impl Again {
    fn add(&mut self, index: usize, item: &Item<'_>) {
        self.indices.push(index);
        self.reason = format!("a document had error {}: {}", item.number, item.message);
    }

    fn batch(&self) -> Option<Vec<usize>> {
        (!self.indices.is_empty()).then(|| self.indices.clone())
    }
}

impl Item<'_> {
    /// What became of the document; none if it may succeed later.
    fn outcome<T: DeserializeOwned + Serialize>(&self, value: &T) -> Result<Option<Outcome>, Failure> {
        if !self.error {
            return Ok(Some(Ok(self.applied(value))));
        }
        let Self { number, message, .. } = self;
        match judge_document(*number) {
            Fate::Rejected => Ok(Some(Err(Reject::Refused { number: *number, message: message.clone() }))),
            Fate::Again => Ok(None),
            Fate::Hopeless => Err(Failure::Refused(Refusal { status: 202, number: *number, message: message.clone() })),
        }
    }

    /// A version that is not newer leaves the document and its revision as they are.
    fn applied<T: DeserializeOwned + Serialize>(&self, value: &T) -> Applied {
        match &self.old_revision {
            None => Applied::Inserted,
            Some(_) if self.old_revision == self.revision => Applied::Unchanged,
            Some(_) if self.old.is_some_and(|old| says_the_same(old, value)) => Applied::Unchanged,
            Some(_) => Applied::Updated,
        }
    }
}

/// Whether a stored document has the same content, to the last digit: 2.0 is not 2.00.
fn says_the_same<T: DeserializeOwned + Serialize>(old: &RawValue, value: &T) -> bool {
    let old: Result<T, _> = serde_json::from_str(old.get());
    matches!((old.map(|old| serde_json::to_vec(&old)), serde_json::to_vec(value)), (Ok(Ok(old)), Ok(new)) if old == new)
}

fn items(body: &[u8], expected: usize) -> Result<Vec<Item<'_>>, Failure> {
    let items: Vec<Item> = serde_json::from_slice(body)
        .map_err(|error| Failure::Unfit(format!("its reply to a batch cannot be read: {error}")))?;
    if items.len() != expected {
        let found = items.len();
        return Err(Failure::Unfit(format!("its reply to a batch of {expected} documents has {found} items")));
    }
    Ok(items)
}

/// Indices cut into batches, none over either limit unless it is of one document.
fn batches(sizes: impl Iterator<Item = usize>, most_documents: usize, most_bytes: usize) -> Vec<Vec<usize>> {
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut bytes = 0;
    for (index, size) in sizes.enumerate() {
        match batches.last_mut() {
            Some(batch) if batch.len() < most_documents && bytes + size < most_bytes => {
                batch.push(index);
                bytes += size + 1;
            }
            _ => {
                batches.push(vec![index]);
                bytes = size + 2;
            }
        }
    }
    batches
}

/// Documents as one array.
fn joined<'a>(bodies: impl Iterator<Item = &'a Vec<u8>> + Clone) -> Vec<u8> {
    let mut array = Vec::with_capacity(2 + bodies.clone().map(|body| body.len() + 1).sum::<usize>());
    for (index, body) in bodies.enumerate() {
        array.push(if index == 0 { b'[' } else { b',' });
        array.extend_from_slice(body);
    }
    array.push(b']');
    array
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_keep_to_both_limits() {
        let cut = |sizes: &[usize], documents, bytes| batches(sizes.iter().copied(), documents, bytes);
        assert_eq!(cut(&[10, 10, 10, 10, 10], 2, 1000), [vec![0, 1], vec![2, 3], vec![4]]);
        assert_eq!(cut(&[10, 10, 10], 9, 24), [vec![0, 1], vec![2]]);
        assert_eq!(cut(&[90, 10, 10], 9, 24), [vec![0], vec![1, 2]]);
        assert_eq!(cut(&[], 9, 24), [[0; 0]; 0]);
        let bodies = [b"{}".to_vec(), b"{\"a\":1}".to_vec()];
        assert_eq!(joined(bodies.iter()), br#"[{},{"a":1}]"#);
    }

    #[test]
    fn reply_of_another_length_is_not_believed() {
        assert!(items(b"[{}]", 2).is_err());
        assert!(items(b"{}", 1).is_err());
        assert_eq!(items(b"[{},{}]", 2).unwrap().len(), 2);
    }
}
