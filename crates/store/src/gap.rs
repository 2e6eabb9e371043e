//! What was told of records that are missing of live streams: each word of it is kept, none is changed.

use async_trait::async_trait;
use streamforge_events::{FeedInterrupted, Symbol, TimeRange};

use crate::{BatchReport, Error, Reject};

/// Which of it to read; what is not given matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GapQuery {
    /// Only of this symbol.
    pub symbol: Option<Symbol>,
    /// Only of this stream.
    pub stream: Option<String>,
    /// Only gaps that touch these numbers: first and last, both inclusive.
    pub numbers: Option<(u64, u64)>,
}

/// What was told of gaps, each under its symbol, stream, numbers, time and state.
///
/// As nothing is ever changed, it may be told again and in any order; [`declared`](crate::declared) says what is true
/// by all of it.
#[async_trait]
pub trait GapStore: Send + Sync {
    /// Keeps what was told and answers once it is on the disk; what is kept already stays as it is.
    ///
    /// A gap that ends before it begins, or has a number or a time that no record can have, is rejected.
    ///
    /// # Errors
    /// Only what befell the whole batch.
    async fn keep_gaps(&self, gaps: &[FeedInterrupted]) -> Result<BatchReport, Error>;

    /// Reads at most `max` after the one given, ascending by symbol, stream, first and last number, time and the word
    /// for the state; names in the order of their bytes.
    ///
    /// Fewer than `max` means that there are no more.
    ///
    /// # Errors
    /// A failure of the store.
    async fn read_gaps(
        &self,
        query: &GapQuery,
        after: Option<&FeedInterrupted>,
        max: usize,
    ) -> Result<Vec<FeedInterrupted>, Error>;
}

/// Why what was told of a gap cannot be kept, if it cannot.
pub(crate) fn check(gap: &FeedInterrupted) -> Result<(), Reject> {
    for (field, value) in [("from", gap.from), ("to", gap.to)] {
        if i64::try_from(value).is_err() {
            return Err(Reject::TooLarge { field, value });
        }
    }
    if gap.from > gap.to {
        return Err(Reject::Range { field: "to", value: signed(gap.to) });
    }
    let is_time = TimeRange::new(gap.since, gap.since.saturating_add(1)).is_ok();
    if is_time { Ok(()) } else { Err(Reject::Range { field: "since", value: gap.since }) }
}

/// A number as a store keeps it; larger ones were rejected.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
