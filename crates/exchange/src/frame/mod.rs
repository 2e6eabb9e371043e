//! What the exchange sends over its streams and answers for a snapshot: books and trades.
//!
//! A frame is read twice at most: `quick` knows the usual ones by heart and never judges, `general` reads any JSON and
//! alone says what is no frame.

#[cfg(test)]
mod agreement;
mod cursor;
mod general;
mod quick;

use std::borrow::Cow;

use serde::Deserialize;
use streamforge_events::{Decimal, Interval, Kline, Millis};

use crate::book::{Difference, Level, Snapshot, Top};
pub(crate) use general::stream_of;

/// A frame of a stream, or an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame<'a> {
    /// A difference of a symbol's book.
    Depth {
        /// The symbol.
        symbol: Cow<'a, str>,
        /// When the exchange sent it.
        event_time: Millis,
        /// The difference.
        difference: Difference,
    },
    /// The best bid and ask of a symbol after an update.
    BookTicker {
        /// The symbol.
        symbol: Cow<'a, str>,
        /// The update.
        update_id: u64,
        /// The best levels.
        top: Top,
    },
    /// A trade of a symbol.
    Trade {
        /// The symbol.
        symbol: Cow<'a, str>,
        /// The trade.
        trade: Trade,
    },
    /// Trades of a symbol at one price and by one taker, put together.
    AggTrade {
        /// The symbol.
        symbol: Cow<'a, str>,
        /// The trades; its id counts such rows, not trades.
        trade: Trade,
    },
    /// A bar of a symbol.
    Kline {
        /// The symbol.
        symbol: Cow<'a, str>,
        /// When the exchange sent it.
        event_time: Millis,
        /// Its interval.
        interval: Interval,
        /// The bar.
        kline: Box<Kline>,
        /// Whether it will not change any more.
        is_closed: bool,
    },
    /// A snapshot of a book, which does not say whose.
    Snapshot(Snapshot),
    /// A snapshot among the frames, as a recording has it that is played.
    SnapshotOf {
        /// The symbol.
        symbol: String,
        /// The snapshot.
        snapshot: Snapshot,
    },
    /// Anything else.
    Other,
}

/// A trade as the streams `trade` and `aggTrade` send it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Trade {
    /// Follows the one before without a break.
    #[serde(alias = "a", rename = "t")]
    pub id: u64,
    /// Price; nought for what the exchange has invalidated.
    #[serde(rename = "p")]
    pub price: Decimal,
    /// Quantity of the base asset.
    #[serde(rename = "q")]
    pub quantity: Decimal,
    /// When the exchange sent it.
    #[serde(rename = "E")]
    pub event_time: Millis,
    /// When it was made.
    #[serde(rename = "T")]
    pub trade_time: Millis,
    /// Whether the seller was the taker.
    #[serde(rename = "m")]
    pub is_buyer_maker: bool,
}

/// What is no frame of the exchange.
#[derive(Debug, thiserror::Error)]
#[error("frame is not as the exchange sends it: {0}")]
pub struct UnknownFrame(#[from] serde_json::Error);

/// Reads frames one after another, without asking for memory once differences are handed back.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    bids: Vec<Level>,
    asks: Vec<Level>,
}

impl Reader {
    /// Reads a frame of a combined stream, or a snapshot that was asked for with a limit, if that is known.
    ///
    /// # Errors
    /// [`UnknownFrame`] for what the exchange would not send.
    ///
    /// # Source
    /// <https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams>
    pub fn read<'a>(&mut self, json: &'a str, limit: Option<usize>) -> Result<Frame<'a>, UnknownFrame> {
        match quick::frame(json, self) {
            Some(frame) => Ok(frame),
            None => Ok(general::frame(json, limit)?),
        }
    }

    /// Takes a difference back that is needed no more: the next one gets its room.
    pub fn reuse(&mut self, difference: Difference) {
        self.bids = difference.bids;
        self.asks = difference.asks;
    }
}

/// Reads one frame as a new [`Reader`] does.
///
/// # Errors
/// [`UnknownFrame`] for what the exchange would not send.
///
/// # Source
/// <https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams>
pub fn frame(json: &str, limit: Option<usize>) -> Result<Frame<'_>, UnknownFrame> {
    Reader::default().read(json, limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_as_the_exchange_sends_them() {
        let depth = r#"{"stream":"x@depth@100ms","data":{"e":"depthUpdate","E":7,"s":"X","U":3,"u":5,"b":[["1.5","0"]],"a":[]}}"#;
        let Frame::Depth { symbol, event_time, difference } = frame(depth, None).unwrap() else { panic!("{depth}") };
        assert_eq!((symbol.as_ref(), event_time, difference.first, difference.last), ("X", 7, 3, 5));
        assert_eq!((difference.bids.len(), difference.asks.len()), (1, 0));
        let ticker = r#"{"stream":"x@bookTicker","data":{"u":9,"s":"X","b":"1","B":"2","a":"3","A":"4"}}"#;
        assert!(matches!(frame(ticker, None).unwrap(), Frame::BookTicker { update_id: 9, .. }));
        for (stream, id) in [("trade", "t"), ("aggTrade", "a")] {
            let json = format!(
                r#"{{"stream":"x@{stream}","data":{{"e":"{stream}","E":8,"s":"X","{id}":5,"p":"1.50","q":"2","T":7,"m":true}}}}"#
            );
            let (Frame::Trade { symbol, trade } | Frame::AggTrade { symbol, trade }) = frame(&json, None).unwrap()
            else {
                panic!("{json}")
            };
            assert_eq!((symbol.as_ref(), trade.id, trade.event_time, trade.trade_time), ("X", 5, 8, 7));
            assert_eq!((trade.price.to_string().as_str(), trade.is_buyer_maker), ("1.50", true));
        }
        let snapshot = r#"{"lastUpdateId":4,"bids":[["1","2"]],"asks":[["3","4"],["5","6"]]}"#;
        let Frame::Snapshot(read) = frame(snapshot, None).unwrap() else { panic!("{snapshot}") };
        assert_eq!((read.last_update_id, read.bids.len(), read.asks.len(), read.limit), (4, 1, 2, 5));
        for other in [r#"{"result":null,"id":1}"#, r#"{"stream":"x@depth20","data":{}}"#, "[]"] {
            assert_eq!(frame(other, None).unwrap(), Frame::Other, "{other}");
        }
    }

    #[test]
    fn what_the_exchange_would_not_send_is_refused() {
        for wrong in [
            "<html>",
            "",
            r#"{"stream":"x@depth","data":{"E":1,"s":"X","U":1,"u":2,"b":[["0","1"]],"a":[]}}"#,
            r#"{"stream":"x@depth","data":{"E":1,"s":"X","U":1,"u":2,"b":[["1e30","1"]],"a":[]}}"#,
            r#"{"stream":"x@depth","data":{"E":1,"s":"X","U":-1,"u":2,"b":[],"a":[]}}"#,
            r#"{"stream":"x@depth","data":{"E":1,"s":"X","U":1,"u":2,"b":[["1"]],"a":[]}}"#,
            r#"{"stream":"x@bookTicker","data":{"u":9,"s":"X","b":"1","B":"-2","a":"3","A":"4"}}"#,
            r#"{"lastUpdateId":4,"bids":"none","asks":[]}"#,
            r#"{"stream":"x@trade","data":{"E":8,"s":"X","t":-5,"p":"1","q":"2","T":7,"m":true}}"#,
            r#"{"stream":"x@trade","data":{"E":8,"s":"X","t":5,"p":"1","q":"2","T":7}}"#,
            r#"{"stream":"\u5e01@bookTicker","data":7}"#,
        ] {
            assert!(frame(wrong, None).is_err(), "{wrong}");
        }
    }
}
