//! The exchange's JSON, key for key and in its order.

use std::fmt::Write;

use streamforge_events::{Decimal, Kline, Millis};

use super::market::{AggTrade, Book, SingleTrade};

/// Unit of times in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeUnit {
    Millisecond,
    Microsecond,
}

impl TimeUnit {
    pub(super) fn time(self, time: Millis) -> i64 {
        match self {
            Self::Millisecond => time,
            Self::Microsecond => time * 1_000,
        }
    }

    /// The last instant of a bar; a close time that was not recorded stays nought.
    fn close(self, time: Millis) -> i64 {
        match self {
            Self::Microsecond if time > 0 => time * 1_000 + 999,
            _ => time,
        }
    }
}

pub(super) fn kline(kline: &Kline, unit: TimeUnit) -> String {
    // Bars are what is asked for by the million, and formatting takes most of a page's time.
    let mut row = String::with_capacity(192);
    // Writing to a string cannot fail.
    let _ = write!(row, "[{}", unit.time(kline.open_time));
    for price in [kline.open, kline.high, kline.low, kline.close, kline.volume] {
        push_quoted(&mut row, price);
    }
    let _ = write!(row, ",{}", unit.close(kline.close_time));
    push_quoted(&mut row, kline.quote_asset_volume);
    let _ = write!(row, ",{}", kline.number_of_trades);
    push_quoted(&mut row, kline.taker_buy_base_asset_volume);
    push_quoted(&mut row, kline.taker_buy_quote_asset_volume);
    row.push_str(r#","0"]"#);
    row
}

fn push_quoted(row: &mut String, number: Decimal) {
    row.push_str(",\"");
    row.push_str(&number.text());
    row.push('"');
}

pub(super) fn agg_trade(trade: &AggTrade, unit: TimeUnit) -> String {
    format!(
        r#"{{"a":{},"p":"{}","q":"{}","f":{},"l":{},"T":{},"m":{},"M":true}}"#,
        trade.id,
        trade.price,
        trade.quantity,
        trade.first_id,
        trade.last_id,
        unit.time(trade.time),
        trade.is_buyer_maker,
    )
}

pub(super) fn trade(trade: &SingleTrade, unit: TimeUnit) -> String {
    format!(
        r#"{{"id":{},"price":"{}","qty":"{}","quoteQty":"{}","time":{},"isBuyerMaker":{},"isBestMatch":true}}"#,
        trade.id,
        trade.price,
        trade.quantity,
        trade.quote_quantity,
        unit.time(trade.time),
        trade.is_buyer_maker,
    )
}

pub(super) fn book(book: &Book) -> String {
    format!(
        r#"{{"lastUpdateId":{},"bids":[{}],"asks":[{}]}}"#,
        book.last_update_id,
        levels(&book.bids),
        levels(&book.asks),
    )
}

pub(super) fn list(rows: &[String]) -> String {
    format!("[{}]", rows.join(","))
}

fn levels(levels: &[(Decimal, Decimal)]) -> String {
    let mut text = String::new();
    for (price, quantity) in levels {
        let comma = if text.is_empty() { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(text, r#"{comma}["{price}","{quantity}"]"#);
    }
    text
}
