//! A market computed on demand: no state, no files, the same seed gives the same rows for ever.
//!
//! **The model is the tape.** Trade number `i` of a symbol lies in the `i`-th slot of time since the listing, at a
//! hashed instant of it; so trade, time and id lead to each other without counting. Its price lies on the path of a
//! factor model (log price = beta × market + sector + own, each a Brownian path that can be read anywhere), its size
//! and side are hashes. A bar is the exact sum of its trades in whole ticks and lots, and coarser bars are therefore
//! exactly the sums of finer ones. Each symbol trades at least once a minute, so only bars of a second can be without
//! trades; they are flat at the previous price. Days that are over are remembered: weeks and months are made of them.

mod coins;
pub(super) mod hash;
mod path;
mod tape;
mod totals;

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use streamforge_events::{Decimal, Interval, Kline, Millis};

use super::market::{AggTrade, Book, Calendar, Listing, Selection, SingleTrade, TradeSelection};
use coins::Coin;
use hash::mix;
use tape::{Tape, amount};
use totals::Totals;

const DAY: Millis = 86_400_000;

/// The end of the paths; nothing trades from here on.
const END_OF_TIME: Millis = 3_400_000_000_000;

/// Remembered days, of which ten years of all symbols have some hundred thousand, before all are forgotten.
const MOST_DAYS: usize = 200_000;

/// The computed market.
#[derive(Debug)]
pub(super) struct Synthetic {
    seed: u64,
    coins: Vec<Coin>,
    listings: Vec<Listing>,
    days: Mutex<HashMap<(usize, Millis), Option<Totals>>>,
}

impl Synthetic {
    pub(super) fn new(seed: u64) -> Self {
        let coins = coins::coins();
        let listings = coins.iter().map(Coin::listing).collect();
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
                rows.push(totals.kline(tape.coin, open, next));
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

    /// Levels at each tick around the last trade; their sizes change every 100 ms, as their id does.
    pub(super) fn book(&self, symbol: &str, limit: usize, now: Millis) -> Book {
        let Some((_, mut tape)) = self.tape(symbol) else {
            return Book::default();
        };
        let last = tape.index_at(now.min(END_OF_TIME) + 1) - 1;
        if last < 0 {
            return Book::default();
        }
        let print = tape.print(last);
        let middle = print.ticks;
        let last_update_id = now / 100;
        let level = |ticks: u64| {
            let hash = mix(self.seed ^ ticks, last_update_id.unsigned_abs());
            (ticks, print.lots * (hash % 100 + 1) / 20 + 1)
        };
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        let bids: Vec<_> = (1..=limit.min(middle - 1)).map(|step| level(middle - step)).collect();
        let asks: Vec<_> = (0..limit).map(|step| level(middle + step)).collect();
        let rows = |levels: Vec<(u64, u64)>| -> Vec<(Decimal, Decimal)> {
            levels.into_iter().map(|(ticks, lots)| (tape.price(ticks), tape.quantity(lots))).collect()
        };
        Book { last_update_id, bids: rows(bids), asks: rows(asks) }
    }

    fn tape(&self, symbol: &str) -> Option<(usize, Tape<'_>)> {
        let number = self.listings.iter().position(|listing| listing.symbol == symbol)?;
        Some((number, Tape::new(self.seed, number, &self.coins[number])))
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
