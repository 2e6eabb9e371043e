//! A market computed on demand: no state, no files, the same seed gives the same rows for ever.
//!
//! **The model is the tape.** Trade number `i` of a symbol lies in the `i`-th slot of time since the listing, at a
//! hashed instant of it; so trade, time and id lead to each other without counting. Its price lies on the path of a
//! factor model (log price = beta × market + sector + own, each a Brownian path that can be read anywhere), its size
//! and side are hashes. A bar is the exact sum of its trades in whole ticks and lots, and coarser bars are therefore
//! exactly the sums of finer ones. Each symbol trades at least once a minute, so only bars of a second can be without
//! trades; they are flat at the previous price. Days that are over are remembered: weeks and months are made of them.

mod coins;
mod depth;
pub(super) mod hash;
mod path;
mod tape;
mod totals;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use streamforge_events::{Interval, Kline, Millis};

use super::market::{AggTrade, Book, Calendar, Listing, Selection, SingleTrade, TradeSelection};
use coins::Coin;
pub(super) use depth::STEP;
use tape::{Tape, amount};
use totals::Totals;

const DAY: Millis = 86_400_000;

/// The end of the paths; nothing trades from here on.
const END_OF_TIME: Millis = 3_400_000_000_000;

/// Remembered days, of which ten years of all symbols have some hundred thousand, before all are forgotten.
const MOST_DAYS: usize = 200_000;

/// Reads one symbol again and again.
pub(in crate::simulator) struct Reader {
    number: usize,
    tape: Tape,
    seed: u64,
}

impl Reader {
    /// Trades from `from` to `to`, exclusive.
    pub(super) fn agg_trades(&mut self, from: Millis, to: Millis) -> Vec<AggTrade> {
        let indices = self.tape.index_at(from)..self.tape.index_at(to.min(END_OF_TIME));
        indices.map(|index| self.tape.agg_trade(index)).collect()
    }

    /// Whether anything was traded from `from` to `to`, exclusive.
    pub(super) fn has_traded(&self, from: Millis, to: Millis) -> bool {
        self.tape.index_at(from) < self.tape.index_at(to)
    }

    /// Single trades from `from` to `to`, exclusive.
    pub(super) fn trades(&mut self, from: Millis, to: Millis) -> Vec<SingleTrade> {
        let indices = self.tape.index_at(from)..self.tape.index_at(to.min(END_OF_TIME));
        let mut rows = Vec::new();
        for index in indices {
            singles(&mut self.tape, index, &mut rows);
        }
        rows
    }
}

/// The computed market.
#[derive(Debug)]
pub(super) struct Synthetic {
    seed: u64,
    coins: Vec<Arc<Coin>>,
    listings: Vec<Listing>,
    days: Mutex<HashMap<(usize, Millis), Option<Totals>>>,
}

impl Synthetic {
    pub(super) fn new(seed: u64) -> Self {
        Self::with(seed, None, 1)
    }

    /// A market of so many symbols, which trade `pace` times as often as usual.
    pub(super) fn with(seed: u64, symbols: Option<usize>, pace: u32) -> Self {
        let coins: Vec<Arc<Coin>> =
            coins::coins(symbols.unwrap_or(coins::KNOWN), pace).into_iter().map(Arc::new).collect();
        let listings = coins.iter().map(|coin| coin.listing()).collect();
        Self { seed, coins, listings, days: Mutex::default() }
    }

    pub(super) fn listings(&self) -> &[Listing] {
        &self.listings
    }

    pub(super) fn klines(
        &self,
        symbol: &str,
        interval: Interval,
        offset: Millis,
        selection: Selection,
        now: Millis,
    ) -> Vec<Kline> {
        let Some((number, mut tape)) = self.tape(symbol) else {
            return Vec::new();
        };
        let now = now.min(END_OF_TIME);
        let calendar = Calendar { interval, offset, first_day: tape.coin.listed() };
        let earliest = calendar.align_down(tape.coin.listed());
        let last = calendar.align_down(selection.end.unwrap_or(now).min(now));
        let mut open = if let Some(start) = selection.start {
            calendar.align_up(start.clamp(earliest, END_OF_TIME))
        } else {
            let back = |open: &Millis| (*open > earliest).then(|| calendar.previous(*open));
            let opens = std::iter::successors(Some(last.max(earliest)), back);
            opens.take(selection.limit).last().unwrap_or(last)
        };
        let mut rows = Vec::new();
        while open <= last && rows.len() < selection.limit {
            let next = calendar.next(open);
            if let Some(totals) = self.bar(number, &mut tape, open, next, now) {
                rows.push(totals.kline(&tape.coin, open, next));
            }
            open = next;
        }
        rows
    }

    pub(super) fn agg_trades(
        &self,
        symbol: &str,
        selection: TradeSelection,
        limit: usize,
        now: Millis,
    ) -> Vec<AggTrade> {
        let Some((_, mut tape)) = self.tape(symbol) else {
            return Vec::new();
        };
        let count = i64::try_from(limit).unwrap_or(i64::MAX);
        let end = |bound: Option<Millis>| tape.index_at(bound.unwrap_or(now).min(now).min(END_OF_TIME) + 1);
        let (first, end) = match selection {
            TradeSelection::From(id) => (id, end(None)),
            TradeSelection::Times(Selection { start: Some(start), end: bound, .. }) => {
                (tape.index_at(start.min(END_OF_TIME)), end(bound))
            }
            TradeSelection::Times(Selection { end: bound, .. }) => ((end(bound) - count).max(0), end(bound)),
        };
        (first..end.min(first.saturating_add(count))).map(|index| tape.agg_trade(index)).collect()
    }

    pub(super) fn trades(&self, symbol: &str, from: Option<i64>, limit: usize, now: Millis) -> Vec<SingleTrade> {
        let Some((_, mut tape)) = self.tape(symbol) else {
            return Vec::new();
        };
        let end = tape.index_at(now.min(END_OF_TIME) + 1);
        // Each aggregate trade has at least one single trade, so the last `limit` of them hold enough.
        let recent = end - i64::try_from(limit).unwrap_or(end);
        let first = from.map_or(recent.max(0), |id| tape.index_of_single(id));
        let mut rows = Vec::new();
        for index in first..end {
            singles(&mut tape, index, &mut rows);
            if let Some(from) = from {
                rows.retain(|trade| trade.id >= from);
                if rows.len() >= limit {
                    break;
                }
            }
        }
        match from {
            Some(_) => rows.truncate(limit),
            None => drop(rows.drain(..rows.len().saturating_sub(limit))),
        }
        rows
    }

    /// The order book at the end of the last tenth of a second.
    pub(super) fn book(&self, symbol: &str, limit: usize, now: Millis) -> Book {
        self.reader(symbol).map_or_else(Book::default, |mut reader| reader.book(limit, now))
    }

    /// A reader of one symbol, which remembers what it read last.
    pub(super) fn reader(&self, symbol: &str) -> Option<Reader> {
        let (number, tape) = self.tape(symbol)?;
        Some(Reader { number, tape, seed: self.seed })
    }

    /// The bar that holds `now`, with the trades up to then in it.
    pub(super) fn bar_of(&self, reader: &mut Reader, interval: Interval, now: Millis) -> Option<Kline> {
        let calendar = Calendar { interval, offset: 0, first_day: reader.tape.coin.listed() };
        let open = calendar.align_down(now);
        let next = calendar.next(open);
        let totals = self.bar(reader.number, &mut reader.tape, open, next, now)?;
        Some(totals.kline(&reader.tape.coin, open, next))
    }

    fn tape(&self, symbol: &str) -> Option<(usize, Tape)> {
        let number = self.listings.iter().position(|listing| listing.symbol == symbol)?;
        Some((number, Tape::new(self.seed, number, Arc::clone(&self.coins[number]))))
    }

    /// The bar from `open` to `next`; none before the first trade of the symbol.
    fn bar(&self, number: usize, tape: &mut Tape, open: Millis, next: Millis, now: Millis) -> Option<Totals> {
        let mut bar: Option<Totals> = None;
        let mut from = open;
        while from < next && from <= now {
            let to = next.min(from + DAY);
            let part = if to - from == DAY && to <= now {
                self.day(number, tape, from)
            } else {
                sum(tape, from, to.min(now + 1))
            };
            match (&mut bar, part) {
                (Some(bar), Some(part)) => bar.add(&part),
                (None, part) => bar = part,
                (Some(_), None) => {}
            }
            from = to;
        }
        bar.or_else(|| {
            let before = tape.index_at(open) - 1;
            (before >= 0).then(|| Totals::flat(&tape.print(before)))
        })
    }

    fn day(&self, number: usize, tape: &mut Tape, from: Millis) -> Option<Totals> {
        let lock = || self.days.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(&(number, from)) {
            return *known;
        }
        let totals = sum(tape, from, from + DAY);
        let mut days = lock();
        if days.len() >= MOST_DAYS {
            days.clear();
        }
        days.insert((number, from), totals);
        totals
    }
}

/// Sum of the trades from `from` to `to`, exclusive.
fn sum(tape: &mut Tape, from: Millis, to: Millis) -> Option<Totals> {
    let indices = tape.index_at(from)..tape.index_at(to);
    indices.map(|index| Totals::of(&tape.print(index))).reduce(|mut bar, trade| {
        bar.add(&trade);
        bar
    })
}

/// The single trades of an aggregate one: equal parts, the rest spread by rounding.
fn singles(tape: &mut Tape, index: i64, rows: &mut Vec<SingleTrade>) {
    let print = tape.print(index);
    let part = |number: u64| print.lots * number / print.singles;
    for (number, id) in (0..print.singles).zip(print.first_id..) {
        let lots = part(number + 1) - part(number);
        let value = u128::from(lots) * u128::from(print.ticks);
        rows.push(SingleTrade {
            id,
            price: tape.price(print.ticks),
            quantity: tape.quantity(lots),
            quote_quantity: amount(value, tape.coin.price_digits + tape.coin.quantity_digits, 8),
            time: print.time,
            is_buyer_maker: print.is_buyer_maker,
        });
    }
}
