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
    format!(
        r#"[{},"{}","{}","{}","{}","{}",{},"{}",{},"{}","{}","0"]"#,
        unit.time(kline.open_time),
        kline.open,
        kline.high,
        kline.low,
        kline.close,
        kline.volume,
        unit.close(kline.close_time),
        kline.quote_asset_volume,
        kline.number_of_trades,
        kline.taker_buy_base_asset_volume,
        kline.taker_buy_quote_asset_volume,
    )
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
