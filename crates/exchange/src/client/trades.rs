//! Complete blocks of aggregate trades, by id: several trades share one time, so time alone cannot page.

use std::collections::BTreeMap;

use streamforge_events::{Millis, Symbol, TimeRange, Trade};

use super::{
    Client, TradePage, encoded,
    request::{Call, LARGEST_PAGE},
    rows::{self, AggTradeRow},
    sound,
};
use crate::Error;

/// The most rows of one page.
const PAGE: u32 = 1_000;

/// How often the exchange has to say that there is nothing, and to show it; an answer that shows nothing does not count.
const DOUBTS: u32 = 3;

/// Answers in a row that bring nothing new before the exchange is given up.
const MOST_STALLS: u32 = 16;

impl Client {
    /// Finds the id of the first aggregate trade in `range`, if there is one.
    ///
    /// # Errors
    /// [`Error::Refused`] with the exchange's words, or any other [`Error`] of a request.
    pub async fn first_agg_trade(&self, symbol: &Symbol, range: TimeRange) -> Result<Option<i64>, Error> {
        self.greet(symbol).await?;
        let (from, to) = (range.from(), range.to());
        let mut emptiness = 0;
        for _ in 0..MOST_STALLS {
            let page = self.agg_trade_rows(symbol, &format!("startTime={from}&endTime={}&limit=1", to - 1)).await?;
            let was_empty = page.is_empty();
            // An empty answer is not believed before the next trade of any time has been asked for.
            let next = if page.iter().any(|row| range.contains(row.time)) {
                Vec::new()
            } else {
                self.agg_trade_rows(symbol, &format!("startTime={from}&limit=1")).await?
            };
            if let Some(id) = page.iter().chain(&next).filter(|row| range.contains(row.time)).map(|row| row.id).min() {
                if self.is_first(symbol, id, from).await? {
                    return Ok(Some(id));
                }
                continue;
            }
            let is_before = match next.iter().min_by_key(|row| row.id) {
                Some(row) => row.time >= to && self.is_first(symbol, row.id, from).await?,
                None => self.agg_trade_rows(symbol, "limit=1").await?.iter().all(|row| row.time < from),
            };
            emptiness += u32::from(was_empty && is_before);
            if emptiness >= DOUBTS {
                return Ok(None);
            }
        }
        Err(only_others(format!("first aggTrade of {symbol} in {range}")))
    }

    /// Reads all aggregate trades with ids from `from_id` to `from_id + limit`, exclusive; `limit` is 1,000 at most.
    ///
    /// The same ids always give the same block, so it can be numbered by its ids.
    ///
    /// # Errors
    /// [`Error::Refused`] with the exchange's words, or any other [`Error`] of a request.
    pub async fn agg_trades(&self, symbol: &Symbol, from_id: i64, limit: u32) -> Result<TradePage<Trade>, Error> {
        self.greet(symbol).await?;
        let read_at = self.time().await?;
        let mut block = Block::new(from_id, limit.clamp(1, PAGE));
        let (mut stalls, mut emptiness) = (0, 0);
        while block.cursor < block.end {
            let query = format!("fromId={}&limit={}", block.cursor, block.end - block.cursor);
            let page = self.agg_trade_rows(symbol, &query).await?;
            let was_empty = page.is_empty();
            if self.is_next(symbol, block.cursor, &page).await? && block.take(page) {
                (stalls, emptiness) = (0, 0);
                continue;
            }
            let is_empty = was_empty && self.has_no_trade_from(symbol, block.cursor).await?;
            emptiness += u32::from(is_empty);
            if emptiness >= DOUBTS {
                break;
            }
            stalls += 1;
            if stalls >= MOST_STALLS {
                return Err(only_others(format!("aggTrades of {symbol} from {}", block.cursor)));
            }
        }
        let is_full = block.cursor >= block.end;
        let next_id = block.cursor;
        let poisoned = block.rows.values().filter(|trade| trade.is_none()).count() as u64;
        Ok(TradePage { rows: block.rows.into_values().flatten().collect(), read_at, next_id, is_full, poisoned })
    }

    /// Whether the trade before `id` happened before `from`: an answer that was meant for another question would show
    /// some trade of the range, but not its first.
    async fn is_first(&self, symbol: &Symbol, id: i64, from: Millis) -> Result<bool, Error> {
        let before = id - 1;
        let page = self.agg_trade_rows(symbol, &format!("fromId={}&limit=2", before.max(0))).await?;
        let is_there = page.iter().any(|row| row.id == before && row.time < from);
        Ok(is_there || are(&page, id, id + 1) || (id == 0 && page.iter().any(|row| row.id == 0)))
    }

    /// Whether a page begins with the trade at the cursor, or else with the one that follows the trade before it: a
    /// later beginning is more likely another page.
    async fn is_next(&self, symbol: &Symbol, cursor: i64, page: &[AggTradeRow]) -> Result<bool, Error> {
        let Some(first) = page.iter().map(|row| row.id).min().filter(|first| *first > cursor) else {
            return Ok(true);
        };
        let before = cursor - 1;
        let pair = self.agg_trade_rows(symbol, &format!("fromId={}&limit=2", before.max(0))).await?;
        Ok(are(&pair, before, first))
    }

    /// Whether the newest trade lies before `id`, so that an empty page told the truth.
    async fn has_no_trade_from(&self, symbol: &Symbol, id: i64) -> Result<bool, Error> {
        let newest = self.agg_trade_rows(symbol, "limit=1").await?;
        Ok(!newest.is_empty() && newest.iter().all(|row| row.id < id))
    }

    async fn agg_trade_rows(&self, symbol: &Symbol, query: &str) -> Result<Vec<AggTradeRow>, Error> {
        let target = format!("aggTrades?symbol={}&{query}", encoded(symbol));
        let call = Call { target, weight: 4, largest: LARGEST_PAGE };
        self.get(&call, |body| sound::trades(rows::read_agg_trades(body)?)).await
    }
}

/// Whether an answer of two rows is these two: a page that was meant for another question holds others.
fn are(rows: &[AggTradeRow], one: i64, next: i64) -> bool {
    let holds = |id| rows.iter().any(|row| row.id == id);
    holds(one) && holds(next) && rows.iter().all(|row| row.id == one || row.id == next)
}

fn only_others(request: String) -> Error {
    let expected = "trades at or after the place asked for".to_owned();
    Error::Malformed { request, expected, found: "only others, again and again".to_owned() }
}

/// What is known of a block so far; a poisoned row is known to be none.
struct Block {
    from: i64,
    end: i64,
    cursor: i64,
    rows: BTreeMap<i64, Option<Trade>>,
}

impl Block {
    fn new(from: i64, limit: u32) -> Self {
        Self { from, end: from.saturating_add(i64::from(limit)), cursor: from, rows: BTreeMap::new() }
    }

    /// Takes the rows of a page, in any order, and says whether it went beyond the cursor.
    ///
    /// A row after the end proves that the exchange has nothing more for this block.
    fn take(&mut self, page: Vec<AggTradeRow>) -> bool {
        let before = self.cursor;
        for row in page {
            if row.id < self.from {
                continue;
            }
            self.cursor = self.cursor.max(row.id.saturating_add(1).min(self.end));
            if row.id < self.end {
                self.rows.insert(row.id, row.trade);
            }
        }
        self.cursor > before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_before_and_after_the_block_are_dropped() {
        let row = |id| AggTradeRow { id, time: 0, trade: None };
        let mut block = Block::new(10, 5);
        assert!(!block.take(vec![row(9)]));
        assert!(block.take(vec![row(12), row(10), row(10)]));
        assert_eq!(block.cursor, 13);
        assert!(!block.take(vec![row(11)]));
        assert!(block.take(vec![row(17)]));
        assert_eq!((block.cursor, block.rows.keys().copied().collect::<Vec<_>>()), (15, vec![10, 11, 12]));
    }
}
