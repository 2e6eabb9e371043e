//! The order book of the computed market: any moment of it, and what changes between two.
//!
//! Time goes in steps of a tenth of a second, whose number is the id of the update. The price of the last trade is the
//! middle. The quantity of a level follows from its tick, and less than [`REACH`] ticks from the middle also from an
//! epoch of its own, which lasts from a fifth of a second to two minutes: some levels change at each step, others hardly
//! ever. Those farther away never do, and so are never told of until the price comes near them.

use streamforge_events::{Decimal, Millis};

use super::{END_OF_TIME, Reader, hash::mix};
use crate::simulator::market::{Book, Change};

/// Time between two updates.
pub(in crate::simulator) const STEP: Millis = 100;

/// Ticks from the middle within which levels change.
const REACH: u64 = 100;

/// Epochs last up to two to this power steps.
const LONGEST: u64 = 10;

/// One in so many levels is not there.
const ABSENT: u64 = 8;

/// Purpose of the hashes of quantities.
const DEPTH: u64 = 5;

impl Reader {
    /// The book after the last step before `now`, or an empty one before the first trade.
    pub(in crate::simulator) fn book(&mut self, limit: usize, now: Millis) -> Book {
        let step = now.min(END_OF_TIME) / STEP;
        let Some(middle) = self.middle(step) else { return Book::default() };
        let level = |ticks: u64| {
            let lots = self.lots(ticks, step, middle);
            (lots > 0).then(|| self.priced(ticks, lots))
        };
        let bids = (1..middle).rev().filter_map(level).take(limit).collect();
        let asks = (middle..).filter_map(level).take(limit).collect();
        Book { last_update_id: step, bids, asks }
    }

    /// What changes after step `from` up to and with step `to`; none if nothing does.
    pub(in crate::simulator) fn change(&mut self, from: i64, to: i64) -> Option<Change> {
        let (before, after) = (self.middle(from)?, self.middle(to)?);
        let lowest = before.min(after).saturating_sub(REACH).max(1);
        let highest = before.max(after) + REACH;
        let mut change = Change { first: from + 1, last: to, bids: Vec::new(), asks: Vec::new() };
        for ticks in lowest..highest {
            let (old, new) = (self.lots(ticks, from, before), self.lots(ticks, to, after));
            let on = |is_there: bool, lots: u64| if is_there { lots } else { 0 };
            let (was_bid, is_bid) = (on(ticks < before, old), on(ticks < after, new));
            if was_bid != is_bid {
                change.bids.push(self.priced(ticks, is_bid));
            }
            let (was_ask, is_ask) = (on(ticks >= before, old), on(ticks >= after, new));
            if was_ask != is_ask {
                change.asks.push(self.priced(ticks, is_ask));
            }
        }
        change.bids.reverse();
        (!change.bids.is_empty() || !change.asks.is_empty()).then_some(change)
    }

    /// Ticks of the last trade at the end of a step.
    fn middle(&mut self, step: i64) -> Option<u64> {
        let last = self.tape.index_at((step + 1) * STEP) - 1;
        (last >= 0).then(|| self.tape.print(last).ticks)
    }

    fn priced(&self, ticks: u64, lots: u64) -> (Decimal, Decimal) {
        (self.tape.price(ticks), self.tape.quantity(lots))
    }

    /// Lots at a tick, whichever side it is on.
    fn lots(&self, ticks: u64, step: i64, middle: u64) -> u64 {
        let own = mix(self.seed ^ DEPTH << 48 ^ (self.number as u64) << 32, ticks);
        let is_near = ticks + REACH > middle && ticks < middle + REACH;
        let epoch = step.unsigned_abs().wrapping_add(own >> 8) >> (1 + own % LONGEST);
        let hash = if is_near { mix(own, epoch) } else { own };
        if hash.is_multiple_of(ABSENT) { 0 } else { hash % 10_000 + 1 }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::Synthetic;
    use super::*;

    #[test]
    fn a_book_and_its_changes_lead_to_every_later_book() {
        let market = Synthetic::new(42);
        let mut reader = market.reader("SOLUSDT").unwrap();
        let first = 17_000_000_000_i64;
        let side = |levels: Vec<(Decimal, Decimal)>| levels.into_iter().collect::<BTreeMap<_, _>>();
        let book = reader.book(5_000, first * STEP);
        let (mut bids, mut asks) = (side(book.bids), side(book.asks));
        let (mut last, mut changes) = (first, 0);
        for step in [1, 1, 1, 5, 10, 1, 100, 7].into_iter().cycle().take(400) {
            let next = last + step;
            let Some(change) = reader.change(last, next) else { continue };
            assert_eq!((change.first, change.last), (last + 1, next));
            changes += change.bids.len() + change.asks.len();
            for (held, levels) in [(&mut bids, change.bids), (&mut asks, change.asks)] {
                for (price, quantity) in levels {
                    if quantity.is_zero() {
                        held.remove(&price)
                    } else {
                        held.insert(price, quantity)
                    };
                }
            }
            last = next;
            let book = reader.book(5_000, last * STEP);
            assert_eq!(book.last_update_id, last);
            // Worse levels than the first snapshot's are not known.
            let known = |levels: &[(Decimal, Decimal)]| side(levels[..1_000].to_vec());
            let best = known(&book.bids);
            assert!(bids.iter().rev().take(1_000).eq(best.iter().rev()), "step {last}");
            assert!(asks.iter().take(1_000).eq(known(&book.asks).iter()), "step {last}");
            assert!(book.bids[0].0 < book.asks[0].0);
        }
        assert!(changes > 4_000, "{changes}");
    }
}
