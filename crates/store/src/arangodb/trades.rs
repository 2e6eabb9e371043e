//! Trades in `ArangoDB`: one document a trade, and an index by time to read them by.

use serde::{Deserialize, Serialize};
use serde_json::json;
use streamforge_events::{Decimal, Millis, SeriesId, TimeRange, Trade};

use super::{
    ArangoStore, aql,
    documents::json as bytes,
    failure::Failure,
    names::{self, record_key, series_key},
    series::Note,
};
use crate::{BatchReport, Coverage, Error, MAX_VERSION, Reject, Versioned, tally::TradeTally};

/// A trade as it is stored, under the names of the wire.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "_key")]
    key: &'a str,
    symbol: &'a str,
    version: u64,
    #[serde(flatten)]
    trade: &'a Trade,
}

impl ArangoStore {
    pub(super) async fn store_trades(
        &self,
        series: &SeriesId,
        rows: &[Versioned<Trade>],
    ) -> Result<BatchReport, Failure> {
        if rows.is_empty() {
            return Ok(BatchReport::default());
        }
        self.note(series).await?;
        let checks = rows.iter().map(check).collect();
        let prefix = series_key(series);
        let document = |row: &Versioned<Trade>| {
            let key = record_key(&prefix, row.value.trade_id);
            let symbol = series.symbol.as_str();
            let body = bytes(&Document { key: &key, symbol, version: row.version, trade: &row.value })?;
            Ok((key, body))
        };
        self.upsert_survivors(names::TRADES, rows, checks, |trade| trade.trade_id, |trade| trade, document).await
    }

    pub(super) async fn trades(
        &self,
        series: &SeriesId,
        range: TimeRange,
        after: Option<i64>,
        max: usize,
    ) -> Result<Vec<Versioned<Trade>>, Failure> {
        let mut start = (range.from() - 1, i64::MAX);
        if let Some(after) = after {
            match self.time_of(series, after).await? {
                Some(time) => start = start.max((time, after)),
                None => return Ok(Vec::new()),
            }
        }
        let variables = |last: Option<&TradeRow>, limit: usize| {
            let (time, id) = last.map_or(start, |last| (last.3, last.0));
            let from = range.from().max(time);
            json!({
                "symbol": series.symbol, "from": from, "to": range.to(), "time": time, "id": id, "limit": limit,
            })
        };
        let rows: Vec<TradeRow> = self.pages(aql::TRADES, max, variables).await?;
        Ok(rows.into_iter().map(Versioned::from).collect())
    }

    pub(super) async fn trades_before(
        &self,
        series: &SeriesId,
        before: Option<i64>,
        max: usize,
    ) -> Result<Vec<Trade>, Failure> {
        let prefix = series_key(series);
        // No trade has a number below zero.
        let highest = before.map_or(i64::MAX, |before| before.saturating_sub(1));
        let variables = |last: Option<&TradeRow>, limit: usize| {
            let highest = last.map_or(highest, |last| last.0.saturating_sub(1));
            json!({
                "from": record_key(&prefix, 0),
                // The beginning alone sorts before every key with it.
                "last": if highest < 0 { format!("{prefix}-") } else { record_key(&prefix, highest) },
                "symbol": series.symbol,
                "limit": limit,
            })
        };
        let rows: Vec<TradeRow> = self.pages(aql::TRADES_BEFORE, max, variables).await?;
        Ok(rows.into_iter().rev().map(|row| Versioned::from(row).value).collect())
    }

    /// When a trade happened; none if nothing is stored of its series at all.
    async fn time_of(&self, series: &SeriesId, trade: i64) -> Result<Option<Millis>, Failure> {
        #[derive(Deserialize)]
        struct Timed {
            timestamp: Millis,
        }
        let prefix = series_key(series);
        if trade >= 0
            && let Some(found) = self.find::<Timed>(names::TRADES, &record_key(&prefix, trade)).await?
        {
            return Ok(Some(found.value.timestamp));
        }
        match self.find_marked::<Note>(names::SERIES, &prefix).await? {
            Some(_) => Err(Error::Cursor(trade.to_string()).into()),
            None => Ok(None),
        }
    }

    pub(super) async fn coverage_of_trades(
        &self,
        series: &SeriesId,
        range: Option<TimeRange>,
    ) -> Result<Coverage, Failure> {
        let prefix = series_key(series);
        let (from, to) = range.map_or((Millis::MIN, Millis::MAX), |range| (range.from(), range.to()));
        let variables = |last: Option<&(i64, Millis)>, limit: usize| {
            json!({
                // The beginning alone sorts before every key with it.
                "after": last.map_or_else(|| format!("{prefix}-"), |last| record_key(&prefix, last.0)),
                "last": record_key(&prefix, i64::MAX),
                "symbol": series.symbol,
                "from": from,
                "to": to,
                "limit": limit,
            })
        };
        let numbers: Vec<(i64, Millis)> = self.pages(aql::TRADE_NUMBERS, usize::MAX, variables).await?;
        let mut tally = TradeTally::default();
        for (id, time) in numbers {
            tally.add(id, time);
        }
        Ok(tally.finish())
    }
}

fn check(row: &Versioned<Trade>) -> Result<(), Reject> {
    if row.version >= MAX_VERSION {
        return Err(Reject::Version(row.version));
    }
    if row.value.trade_id < 0 {
        return Err(Reject::Range { field: "trade_id", value: row.value.trade_id });
    }
    Ok(())
}

/// A trade and its version in the order of [`aql::TRADES`].
#[derive(Deserialize)]
struct TradeRow(i64, Decimal, Decimal, Millis, bool, u64);

impl From<TradeRow> for Versioned<Trade> {
    fn from(row: TradeRow) -> Self {
        let value = Trade { trade_id: row.0, price: row.1, quantity: row.2, timestamp: row.3, is_buyer_maker: row.4 };
        Self { version: row.5, value }
    }
}
