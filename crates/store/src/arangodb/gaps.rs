//! [`GapStore`] on `ArangoDB`: one document for each word on a gap, with an attribute that sorts as its identity does.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;
use streamforge_events::{FeedInterrupted, Millis};

use super::{
    ArangoStore, aql,
    documents::json as bytes,
    failure::Failure,
    names::{self, digest_key, hex},
};
use crate::{
    BatchReport, Error, GapQuery, GapStore, Versioned,
    gap::{check, signed},
};

/// Nothing that was told is ever replaced.
const VERSION: u64 = 1;

/// What was told of a gap, as it is stored.
#[derive(Serialize, Deserialize)]
struct Document {
    #[serde(rename = "_key")]
    key: String,
    order: String,
    version: u64,
    #[serde(flatten)]
    gap: FeedInterrupted,
}

#[async_trait]
impl GapStore for ArangoStore {
    async fn keep_gaps(&self, gaps: &[FeedInterrupted]) -> Result<BatchReport, Error> {
        self.named(self.store_gaps(gaps).await)
    }

    async fn read_gaps(
        &self,
        query: &GapQuery,
        after: Option<&FeedInterrupted>,
        max: usize,
    ) -> Result<Vec<FeedInterrupted>, Error> {
        let (first, last) = query.numbers.map_or((0, i64::MAX), |(first, last)| (signed(first), signed(last)));
        // What belongs to a symbol begins with it, and no order has the letter `g`.
        let of_symbol = query.symbol.as_ref().map(|symbol| ended(symbol.as_str())).unwrap_or_default();
        let end = format!("{of_symbol}g");
        let after = after.map_or(of_symbol, order);
        let variables = |last_read: Option<&Document>, limit: usize| {
            json!({
                "after": last_read.map_or(&after, |last| &last.order),
                "end": end,
                "stream": query.stream,
                "first": first,
                "last": last,
                "limit": limit,
            })
        };
        let found: Result<Vec<Document>, Failure> = self.pages(aql::GAPS, max, variables).await;
        self.named(found.map(|found| found.into_iter().map(|document| document.gap).collect()))
    }
}

impl ArangoStore {
    async fn store_gaps(&self, gaps: &[FeedInterrupted]) -> Result<BatchReport, Failure> {
        if gaps.is_empty() {
            return Ok(BatchReport::default());
        }
        let checks = gaps.iter().map(check).collect();
        let rows: Vec<Versioned<(String, FeedInterrupted)>> =
            gaps.iter().map(|gap| Versioned { version: VERSION, value: (order(gap), gap.clone()) }).collect();
        let document = |row: &Versioned<(String, FeedInterrupted)>| {
            let (order, gap) = row.value.clone();
            let key = digest_key(&[&order]);
            Ok((key.clone(), bytes(&Document { key, order, version: VERSION, gap })?))
        };
        self.upsert_survivors(names::GAPS, &rows, checks, |(order, _)| order.as_str(), |(_, gap)| gap, document).await
    }
}

/// Sorts as symbol, stream, first and last number, time and the word for the state do, names by their bytes.
///
/// The database sorts texts as a language does, so this one has digits and the letters `a` to `f` alone.
fn order(gap: &FeedInterrupted) -> String {
    let FeedInterrupted { symbol, stream, from, to, state, since, .. } = gap;
    // Times before 1970 sort before those after it.
    let since = since ^ Millis::MIN;
    let numbers = [from.to_be_bytes(), to.to_be_bytes(), since.to_be_bytes()].concat();
    [ended(symbol.as_str()), ended(stream), hex(&numbers), hex(state.as_str().as_bytes())].concat()
}

/// No name has a zero byte, so that one ends a name before every longer one.
fn ended(name: &str) -> String {
    hex(name.as_bytes()) + "00"
}
