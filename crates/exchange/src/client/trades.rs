//! Complete blocks of aggregate trades, by id: several trades share one time, so time alone cannot page.

use std::collections::BTreeMap;

use streamforge_events::{Symbol, TimeRange, Trade};

use super::{
    Client, TradePage, encoded,
    request::Call,
    rows::{self, AggTradeRow},
};
use crate::Error;

/// The most rows of one page.
const PAGE: u32 = 1_000;

/// Answers in a row that bring nothing new before the exchange is given up.
const MOST_STALLS: u32 = 8;

impl Client {
    /// Finds the id of the first aggregate trade in `range`, if there is one.
    ///
    /// # Errors
    /// [`Error::Refused`] with the exchange's words, or any other [`Error`] of a request.
    pub async fn first_agg_trade(&self, symbol: &Symbol, range: TimeRange) -> Result<Option<i64>, Error> {
        self.greet(symbol).await?;
        let first = |rows: &[AggTradeRow]| rows.iter().filter(|row| range.contains(row.time)).map(|row| row.id).min();
        for query in [
            format!("startTime={}&endTime={}&limit=1", range.from(), range.to() - 1),
            // An empty answer is not believed before the next trade of any time has been asked for.
            format!("startTime={}&limit=1", range.from()),
        ] {
            if let Some(id) = first(&self.agg_trade_rows(symbol, &query).await?) {
                return Ok(Some(id));
            }
        }
        Ok(None)
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
        let (mut empties, mut stalls) = (0, 0);
        while block.cursor < block.end && empties < 2 {
            let query = format!("fromId={}&limit={}", block.cursor, block.end - block.cursor);
            let page = self.agg_trade_rows(symbol, &query).await?;
            let was_empty = page.is_empty();
            if block.take(page) {
                (empties, stalls) = (0, 0);
                continue;
            }
            (empties, stalls) = (if was_empty { empties + 1 } else { 0 }, stalls + 1);
            if stalls >= MOST_STALLS {
                return Err(Error::Malformed {
                    request: format!("aggTrades of {symbol} from {}", block.cursor),
                    expected: "trades at or after the id asked for".to_owned(),
                    found: "only others, again and again".to_owned(),
                });
            }
        }
        let is_full = block.cursor >= block.end;
        let next_id = block.cursor;
        let poisoned = block.rows.values().filter(|trade| trade.is_none()).count() as u64;
        Ok(TradePage { rows: block.rows.into_values().flatten().collect(), read_at, next_id, is_full, poisoned })
    }

    async fn agg_trade_rows(&self, symbol: &Symbol, query: &str) -> Result<Vec<AggTradeRow>, Error> {
        let target = format!("aggTrades?symbol={}&{query}", encoded(symbol));
        self.get(&Call { target, weight: 4 }, rows::read_agg_trades).await
    }
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
