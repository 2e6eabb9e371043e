//! Frames as the exchange writes them, key for key.

use std::fmt::Write as _;

use streamforge_events::{Decimal, Interval, Kline, Millis};

use crate::simulator::market::{AggTrade, Change, SingleTrade};

pub(super) fn combined(stream: &str, data: &str) -> String {
    format!(r#"{{"stream":"{stream}","data":{data}}}"#)
}

pub(super) fn agg_trade(symbol: &str, trade: &AggTrade) -> String {
    format!(
        r#"{{"e":"aggTrade","E":{},"s":"{symbol}","a":{},"p":"{}","q":"{}","f":{},"l":{},"T":{},"m":{},"M":true}}"#,
        trade.time,
        trade.id,
        trade.price,
        trade.quantity,
        trade.first_id,
        trade.last_id,
        trade.time,
        trade.is_buyer_maker,
    )
}

pub(super) fn trade(symbol: &str, trade: &SingleTrade) -> String {
    format!(
        r#"{{"e":"trade","E":{},"s":"{symbol}","t":{},"p":"{}","q":"{}","T":{},"m":{},"M":true}}"#,
        trade.time, trade.id, trade.price, trade.quantity, trade.time, trade.is_buyer_maker,
    )
}

/// A bar at `time`; `first_id` is that of its first single trade.
pub(super) fn kline(symbol: &str, interval: Interval, kline: &Kline, time: Millis, is_closed: bool) -> String {
    format!(
        concat!(
            r#"{{"e":"kline","E":{},"s":"{}","k":{{"t":{},"T":{},"s":"{}","i":"{}","f":-1,"L":-1,"o":"{}","c":"{}","#,
            r#""h":"{}","l":"{}","v":"{}","n":{},"x":{},"q":"{}","V":"{}","Q":"{}","B":"0"}}}}"#
        ),
        time,
        symbol,
        kline.open_time,
        kline.close_time,
        symbol,
        interval,
        kline.open,
        kline.close,
        kline.high,
        kline.low,
        kline.volume,
        kline.number_of_trades,
        is_closed,
        kline.quote_asset_volume,
        kline.taker_buy_base_asset_volume,
        kline.taker_buy_quote_asset_volume,
    )
}

pub(super) fn depth(symbol: &str, change: &Change, time: Millis) -> String {
    let mut text =
        format!(r#"{{"e":"depthUpdate","E":{time},"s":"{symbol}","U":{},"u":{},"b":["#, change.first, change.last);
    levels(&mut text, &change.bids);
    text.push_str(r#"],"a":["#);
    levels(&mut text, &change.asks);
    text.push_str("]}");
    text
}

pub(super) fn book_ticker(symbol: &str, id: i64, bid: &(Decimal, Decimal), ask: &(Decimal, Decimal)) -> String {
    format!(r#"{{"u":{id},"s":"{symbol}","b":"{}","B":"{}","a":"{}","A":"{}"}}"#, bid.0, bid.1, ask.0, ask.1)
}

fn levels(text: &mut String, levels: &[(Decimal, Decimal)]) {
    for (number, (price, quantity)) in levels.iter().enumerate() {
        let comma = if number == 0 { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(text, r#"{comma}["{}","{}"]"#, &*price.text(), &*quantity.text());
    }
}
