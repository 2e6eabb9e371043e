//! Recorded aggregate trades.

use std::path::Path;

use serde::Deserialize;
use streamforge_events::{Decimal, Millis};

use super::fail_at;
use crate::{
    Error,
    simulator::market::{AggTrade, Selection, SingleTrade, TradeSelection},
};

#[derive(Deserialize)]
struct RawAggTrade {
    a: i64,
    p: Decimal,
    q: Decimal,
    f: i64,
    l: i64,
    #[serde(rename = "T")]
    time: Millis,
    m: bool,
}

/// Reads one object of the exchange for each line.
pub(super) fn parse(path: &Path, text: &str) -> Result<Vec<AggTrade>, Error> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let rows = lines.map(|(index, line)| {
        let raw: RawAggTrade = serde_json::from_str(line).map_err(|error| {
            fail_at(path, index + 1, &format!("expected an object of aggTrades as the exchange sends it: {error}"))
        })?;
        Ok(AggTrade {
            id: raw.a,
            price: raw.p,
            quantity: raw.q,
            first_id: raw.f,
            last_id: raw.l,
            time: raw.time,
            is_buyer_maker: raw.m,
        })
    });
    rows.collect()
}

/// The rows that `selection` asks for.
pub(super) fn select(rows: &[AggTrade], selection: TradeSelection, limit: usize, now: Millis) -> &[AggTrade] {
    let rows = &rows[..rows.partition_point(|row| row.time <= now)];
    let until = |end: Option<Millis>| end.map_or(rows.len(), |end| rows.partition_point(|row| row.time <= end));
    let (first, end) = match selection {
        TradeSelection::From(id) => (rows.partition_point(|row| row.id < id), rows.len()),
        TradeSelection::Times(Selection { start: Some(start), end, .. }) => {
            (rows.partition_point(|row| row.time < start), until(end))
        }
        TradeSelection::Times(Selection { end, .. }) => (until(end).saturating_sub(limit), until(end)),
    };
    if first >= end { &[] } else { &rows[first..end.min(first + limit)] }
}

/// Each aggregate trade as its last single trade.
pub(super) fn singles(rows: &[AggTrade], from: Option<i64>, limit: usize, now: Millis) -> Vec<SingleTrade> {
    let rows = &rows[..rows.partition_point(|row| row.time <= now)];
    let first = from.map_or(rows.len().saturating_sub(limit), |id| rows.partition_point(|row| row.last_id < id));
    rows[first..]
        .iter()
        .take(limit)
        .map(|row| SingleTrade {
            id: row.last_id,
            price: row.price,
            quantity: row.quantity,
            quote_quantity: product(row.price, row.quantity),
            time: row.time,
            is_buyer_maker: row.is_buyer_maker,
        })
        .collect()
}

/// Price times quantity with the exchange's eight digits, cut after them.
pub(super) fn product(price: Decimal, quantity: Decimal) -> Decimal {
    let scale = price.scale() + quantity.scale();
    let exact = price.mantissa().checked_mul(quantity.mantissa()).unwrap_or(0);
    let cut = exact / 10_u128.pow(scale.saturating_sub(8));
    Decimal::from_parts(cut, scale.min(8)).unwrap_or(Decimal::ZERO)
}
