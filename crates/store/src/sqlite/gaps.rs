//! [`GapStore`] on `SQLite`: a row for each word on a gap.

use async_trait::async_trait;
use rusqlite::{Connection, params};
use streamforge_events::{FeedInterrupted, GapState};

use super::{
    SqliteStore,
    failure::{Failure, parse, unsigned},
};
use crate::{
    Applied, BatchReport, Error, GapQuery, GapStore, Reject,
    gap::{check, signed},
};

const INSERT: &str = "
    INSERT INTO gaps (symbol, stream, from_number, to_number, since, state, why) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
    ON CONFLICT DO NOTHING";

/// Names lie between bounds, so that the key serves with and without them.
const SELECT: &str = "
    SELECT symbol, stream, from_number, to_number, since, state, why FROM gaps
    WHERE symbol BETWEEN ?1 AND ?2 AND stream BETWEEN ?3 AND ?4 AND to_number >= ?5 AND from_number <= ?6
        AND (symbol, stream, from_number, to_number, since, state) > (?7, ?8, ?9, ?10, ?11, ?12)
    ORDER BY symbol, stream, from_number, to_number, since, state LIMIT ?13";

/// No name comes after it.
const LAST: &str = "\u{10ffff}";

#[async_trait]
impl GapStore for SqliteStore {
    async fn keep_gaps(&self, gaps: &[FeedInterrupted]) -> Result<BatchReport, Error> {
        if gaps.is_empty() {
            return Ok(BatchReport::default());
        }
        let gaps = gaps.to_vec();
        self.writer.run(gaps.len(), move |connection| keep(connection, &gaps)).await
    }

    async fn read_gaps(
        &self,
        query: &GapQuery,
        after: Option<&FeedInterrupted>,
        max: usize,
    ) -> Result<Vec<FeedInterrupted>, Error> {
        let (query, after) = (query.clone(), after.cloned());
        self.readers.run(move |connection| read(connection, &query, after.as_ref(), max)).await
    }
}

fn keep(connection: &Connection, gaps: &[FeedInterrupted]) -> Result<BatchReport, Failure> {
    let mut items: Vec<Result<Applied, Reject>> = Vec::with_capacity(gaps.len());
    for gap in gaps {
        if let Err(reject) = check(gap) {
            items.push(Err(reject));
            continue;
        }
        let FeedInterrupted { symbol, stream, from, to, state, why, since } = gap;
        let values = params![symbol.as_str(), stream, signed(*from), signed(*to), since, state.as_str(), why];
        let is_new = connection.prepare_cached(INSERT)?.execute(values)? == 1;
        items.push(Ok(if is_new { Applied::Inserted } else { Applied::Unchanged }));
    }
    Ok(BatchReport { items })
}

fn read(
    connection: &Connection,
    query: &GapQuery,
    after: Option<&FeedInterrupted>,
    max: usize,
) -> Result<Vec<FeedInterrupted>, Failure> {
    let symbols = query.symbol.as_ref().map_or(("", LAST), |symbol| (symbol.as_str(), symbol.as_str()));
    let streams = query.stream.as_ref().map_or(("", LAST), |stream| (stream.as_str(), stream.as_str()));
    let (first, last) = query.numbers.map_or((0, i64::MAX), |(first, last)| (signed(first), signed(last)));
    let after = after.map_or(("", "", 0, 0, 0, ""), |gap| {
        let numbers = (signed(gap.from), signed(gap.to));
        (gap.symbol.as_str(), gap.stream.as_str(), numbers.0, numbers.1, gap.since, gap.state.as_str())
    });
    let limit = i64::try_from(max).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(SELECT)?;
    let mut rows = statement.query(params![
        symbols.0, symbols.1, streams.0, streams.1, first, last, after.0, after.1, after.2, after.3, after.4, after.5,
        limit
    ])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(FeedInterrupted {
            symbol: parse(&row.get::<_, String>(0)?)?,
            stream: row.get(1)?,
            from: unsigned(row.get(2)?)?,
            to: unsigned(row.get(3)?)?,
            since: row.get(4)?,
            state: state(&row.get::<_, String>(5)?)?,
            why: row.get(6)?,
        });
    }
    Ok(found)
}

fn state(text: &str) -> Result<GapState, Failure> {
    let found = [GapState::Open, GapState::Left, GapState::Filled].into_iter().find(|state| state.as_str() == text);
    found.ok_or_else(|| Failure::Damaged(format!("state `{text}` of a gap is not known")))
}
