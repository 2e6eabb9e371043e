//! What the subscribed streams of a connection send as the exchange's clock goes on.

use std::{collections::BTreeMap, sync::Arc};

use streamforge_events::{Interval, Millis};

use super::{
    frames,
    names::{self, Kind},
};
use crate::simulator::{
    market::{Change, Market, Selection, TradeSelection},
    synthetic::{Reader, STEP},
};

/// The clock tick of bars: as often as the exchange tells of an open bar.
const BAR_TICK: Millis = 2_000;
const SECOND_TICK: Millis = 1_000;

/// One frame, before it is written as raw or combined.
pub(in crate::simulator) struct Emission {
    /// When the exchange sends it.
    pub(in crate::simulator) time: Millis,
    pub(in crate::simulator) stream: Arc<str>,
    pub(in crate::simulator) data: String,
}

/// The streams of one connection, by symbol.
#[derive(Default)]
pub(super) struct Feeds {
    symbols: BTreeMap<String, SymbolFeeds>,
}

struct SymbolFeeds {
    reader: Option<Reader>,
    streams: Vec<Stream>,
}

struct Stream {
    name: Arc<str>,
    kind: Kind,
    /// The last update that a difference told of.
    told: Option<i64>,
    /// The first update of a difference that was swallowed, for the next one to tell.
    swallowed: Option<i64>,
    /// How many trades were swallowed.
    shift: i64,
    /// The best levels told last.
    top: String,
}

impl Feeds {
    /// Begins a stream at `now`; unknown ones are taken and stay silent.
    pub(super) fn subscribe(&mut self, market: &Market, stream: &str) {
        let Some((symbol, kind)) = names::parse(stream) else { return };
        if !market.listings().iter().any(|listing| listing.symbol == symbol) {
            return;
        }
        let feeds = self
            .symbols
            .entry(symbol)
            .or_insert_with_key(|symbol| SymbolFeeds { reader: market.reader(symbol), streams: Vec::new() });
        if feeds.streams.iter().any(|known| *known.name == *stream) {
            return;
        }
        let name = Arc::from(stream);
        feeds.streams.push(Stream { name, kind, told: None, swallowed: None, shift: 0, top: String::new() });
    }

    pub(super) fn unsubscribe(&mut self, stream: &str) {
        for feeds in self.symbols.values_mut() {
            feeds.streams.retain(|known| *known.name != *stream);
        }
    }

    /// Everything from `from` to `to`, exclusive, in the order of time; `swallow` says which frame is swallowed so that
    /// its ids do not show it.
    pub(super) fn advance(
        &mut self,
        market: &Market,
        from: Millis,
        to: Millis,
        swallow: &mut dyn FnMut() -> bool,
    ) -> Vec<Emission> {
        let mut emissions = Vec::new();
        if let Market::Capture(capture) = market {
            let wanted = |stream: &str| self.symbols.values().any(|feeds| feeds.has(stream));
            return capture.frames(from, to, wanted);
        }
        for (symbol, feeds) in &mut self.symbols {
            let SymbolFeeds { reader, streams } = feeds;
            for stream in streams {
                stream.advance(market, symbol, reader.as_mut(), from, to, &mut emissions, swallow);
            }
        }
        emissions.sort_by_key(|emission| emission.time);
        emissions
    }
}

impl SymbolFeeds {
    fn has(&self, stream: &str) -> bool {
        self.streams.iter().any(|known| *known.name == *stream)
    }
}

impl Stream {
    #[expect(clippy::too_many_arguments, reason = "what a stream is made of, named at one place")]
    fn advance(
        &mut self,
        market: &Market,
        symbol: &str,
        reader: Option<&mut Reader>,
        from: Millis,
        to: Millis,
        emissions: &mut Vec<Emission>,
        swallow: &mut dyn FnMut() -> bool,
    ) {
        let name = Arc::clone(&self.name);
        let mut emit = |time, data| emissions.push(Emission { time, stream: Arc::clone(&name), data });
        match (self.kind, reader) {
            (Kind::Kline(interval), reader) => {
                bars(market, symbol, reader, interval, from, to, &mut emit);
            }
            (Kind::AggTrade, Some(reader)) => {
                for mut trade in reader.agg_trades(from, to) {
                    if swallow() {
                        self.shift += 1;
                        continue;
                    }
                    trade.id -= self.shift;
                    emit(trade.time, frames::agg_trade(symbol, &trade));
                }
            }
            (Kind::AggTrade, None) => {
                let times = Selection { start: Some(from), end: Some(to - 1), limit: usize::MAX };
                for trade in market.agg_trades(symbol, TradeSelection::Times(times), usize::MAX, to - 1) {
                    emit(trade.time, frames::agg_trade(symbol, &trade));
                }
            }
            (Kind::Trade, Some(reader)) => {
                for trade in reader.trades(from, to) {
                    emit(trade.time, frames::trade(symbol, &trade));
                }
            }
            (Kind::Depth(steps), Some(reader)) => {
                // An update is over with its step.
                for time in ticks(steps * STEP, from, to) {
                    let last = time / STEP - 1;
                    let Some(told) = self.told.replace(last) else { continue };
                    let Some(change) = reader.change(told, last) else {
                        self.told = Some(told);
                        continue;
                    };
                    if swallow() {
                        self.swallowed.get_or_insert(change.first);
                        continue;
                    }
                    let first = self.swallowed.take().unwrap_or(change.first);
                    emit(time, frames::depth(symbol, &Change { first, ..change }, time));
                }
            }
            (Kind::BookTicker, Some(reader)) => {
                for time in ticks(STEP, from, to) {
                    let book = reader.book(1, time - STEP);
                    let (Some(bid), Some(ask)) = (book.bids.first(), book.asks.first()) else { continue };
                    let top = format!("{bid:?} {ask:?}");
                    if self.top != top {
                        emit(time, frames::book_ticker(symbol, book.last_update_id, bid, ask));
                        self.top = top;
                    }
                }
            }
            // Nobody records these beside klines.
            (Kind::Trade | Kind::Depth(_) | Kind::BookTicker, None) => {}
        }
    }
}

/// The open bar every two seconds in which something was traded, and each bar as it closes.
fn bars(
    market: &Market,
    symbol: &str,
    mut reader: Option<&mut Reader>,
    interval: Interval,
    from: Millis,
    to: Millis,
    emit: &mut dyn FnMut(Millis, String),
) {
    let tick = if interval == Interval::S1 { SECOND_TICK } else { BAR_TICK };
    for time in ticks(tick, from, to) {
        let Some(bar) = market.bar(symbol, reader.as_deref_mut(), interval, time - 1) else { continue };
        let is_closed = bar.close_time < time;
        let was_traded = reader.as_mut().is_none_or(|reader| reader.has_traded(time - tick, time));
        if is_closed || was_traded {
            emit(time, frames::kline(symbol, interval, &bar, time, is_closed));
        }
    }
}

/// Multiples of `length` from `from` to `to`, exclusive.
fn ticks(length: Millis, from: Millis, to: Millis) -> impl Iterator<Item = Millis> {
    let first = (from + length - 1).div_euclid(length) * length;
    std::iter::successors(Some(first), move |time| Some(time + length)).take_while(move |time| *time < to)
}
