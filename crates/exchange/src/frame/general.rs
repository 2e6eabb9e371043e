//! Any JSON of the exchange, in any order and with any spaces: the judge of what is no frame.

use std::borrow::Cow;

use serde::Deserialize;
use streamforge_events::{Decimal, Interval, Kline, Millis};

use super::{Frame, Trade};
use crate::book::{Difference, Level, Price, Snapshot, Top};

#[derive(Deserialize)]
struct Combined<'a> {
    // A symbol may have letters that are written as escapes.
    #[serde(borrow)]
    stream: Cow<'a, str>,
    #[serde(borrow)]
    data: &'a serde_json::value::RawValue,
}

#[derive(Deserialize)]
struct Traded<'a> {
    #[serde(borrow)]
    s: Cow<'a, str>,
    #[serde(flatten)]
    trade: Trade,
}

#[derive(Deserialize)]
struct RawDepth<'a> {
    #[serde(rename = "E")]
    event_time: Millis,
    #[serde(borrow)]
    s: Cow<'a, str>,
    #[serde(rename = "U")]
    first: u64,
    u: u64,
    b: Vec<(Price, Decimal)>,
    a: Vec<(Price, Decimal)>,
}

#[derive(Deserialize)]
struct RawKline<'a> {
    #[serde(rename = "E")]
    event_time: Millis,
    #[serde(borrow)]
    s: Cow<'a, str>,
    k: RawBar,
}

#[derive(Deserialize)]
struct RawBar {
    t: Millis,
    #[serde(rename = "T")]
    close_time: Millis,
    i: Interval,
    o: Decimal,
    c: Decimal,
    h: Decimal,
    l: Decimal,
    v: Decimal,
    n: u64,
    x: bool,
    q: Decimal,
    #[serde(rename = "V")]
    taker_volume: Decimal,
    #[serde(rename = "Q")]
    taker_quote_volume: Decimal,
}

#[derive(Deserialize)]
struct RawBookTicker<'a> {
    u: u64,
    #[serde(borrow)]
    s: Cow<'a, str>,
    b: Price,
    #[serde(rename = "B")]
    bid_quantity: Decimal,
    a: Price,
    #[serde(rename = "A")]
    ask_quantity: Decimal,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawSnapshot {
    last_update_id: u64,
    bids: Vec<(Price, Decimal)>,
    asks: Vec<(Price, Decimal)>,
}

/// Reads a frame, or says what is wrong with it.
pub(super) fn frame(json: &str, limit: Option<usize>) -> Result<Frame<'_>, serde_json::Error> {
    let Ok(Combined { stream, data }) = serde_json::from_str::<Combined<'_>>(json) else {
        if !json.contains("\"lastUpdateId\"") {
            serde_json::from_str::<serde::de::IgnoredAny>(json)?;
            return Ok(Frame::Other);
        }
        return Ok(Frame::Snapshot(snapshot(json, limit)?));
    };
    let name = stream.split_once('@').map_or("", |(_, name)| name);
    if name == "depth" || name.starts_with("depth@") {
        let RawDepth { event_time, s: symbol, first, u: last, b, a } = serde_json::from_str(data.get())?;
        let difference = Difference { first, last, bids: levels(b), asks: levels(a) };
        return Ok(Frame::Depth { symbol, event_time, difference });
    }
    if name == "trade" {
        let Traded { s: symbol, trade } = serde_json::from_str(data.get())?;
        return Ok(Frame::Trade { symbol, trade });
    }
    if name == "aggTrade" {
        let Traded { s: symbol, trade } = serde_json::from_str(data.get())?;
        return Ok(Frame::AggTrade { symbol, trade });
    }
    if name.starts_with("kline_") {
        let RawKline { event_time, s: symbol, k } = serde_json::from_str(data.get())?;
        let kline = Kline {
            open_time: k.t,
            open: k.o,
            high: k.h,
            low: k.l,
            close: k.c,
            volume: k.v,
            close_time: k.close_time,
            quote_asset_volume: k.q,
            number_of_trades: k.n,
            taker_buy_base_asset_volume: k.taker_volume,
            taker_buy_quote_asset_volume: k.taker_quote_volume,
        };
        return Ok(Frame::Kline { symbol, event_time, interval: k.i, kline: Box::new(kline), is_closed: k.x });
    }
    if name == "bookTicker" {
        let raw: RawBookTicker = serde_json::from_str(data.get())?;
        let bid = Level { price: raw.b, quantity: raw.bid_quantity };
        let ask = Level { price: raw.a, quantity: raw.ask_quantity };
        return Ok(Frame::BookTicker { symbol: raw.s, update_id: raw.u, top: Top { bid, ask } });
    }
    if name == "snapshot" {
        let symbol = stream.split_once('@').map_or("", |(symbol, _)| symbol).to_uppercase();
        return Ok(Frame::SnapshotOf { symbol, snapshot: snapshot(data.get(), limit)? });
    }
    Ok(Frame::Other)
}

fn snapshot(json: &str, limit: Option<usize>) -> Result<Snapshot, serde_json::Error> {
    let raw: RawSnapshot = serde_json::from_str(json)?;
    let (bids, asks) = (levels(raw.bids), levels(raw.asks));
    let limit = limit.unwrap_or_else(|| likely_limit(bids.len().max(asks.len())));
    Ok(Snapshot { last_update_id: raw.last_update_id, bids, asks, limit })
}

/// The stream and the data of a combined frame; none for anything else.
pub(crate) fn stream_of(json: &str) -> Option<(Cow<'_, str>, &str)> {
    let Combined { stream, data } = serde_json::from_str(json).ok()?;
    Some((stream, data.get()))
}

fn levels(rows: Vec<(Price, Decimal)>) -> Vec<Level> {
    rows.into_iter().map(|(price, quantity)| Level { price, quantity }).collect()
}

/// The limit that a snapshot with so many levels was asked for with, most likely.
///
/// # Source
/// <https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints#order-book>
fn likely_limit(levels: usize) -> usize {
    [5, 10, 20, 50, 100, 500, 1_000, 5_000].into_iter().find(|limit| *limit >= levels).unwrap_or(levels)
}
