//! What both markets offer to the endpoints, and the calendar of their bars.

use streamforge_events::{Decimal, Interval, Kline, Millis};

use super::{
    captured::Captured,
    replay::Replay,
    synthetic::{Reader, Synthetic},
    wire,
};

const DAY: Millis = 86_400_000;

/// The market behind the server.
#[derive(Debug)]
pub(super) enum Market {
    Synthetic(Synthetic),
    Replay(Replay),
    Capture(Captured),
}

/// A listed symbol.
#[derive(Clone, Debug)]
pub(super) struct Listing {
    pub(super) symbol: String,
    pub(super) base_asset: String,
    pub(super) quote_asset: String,
    pub(super) base_asset_precision: u32,
    /// Digits behind the point of prices and of quantities.
    pub(super) price_digits: u32,
    pub(super) quantity_digits: u32,
}

/// Which rows are wanted, both bounds inclusive: the oldest from `start`, else the most recent up to `end`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Selection {
    pub(super) start: Option<Millis>,
    pub(super) end: Option<Millis>,
    pub(super) limit: usize,
}

/// Which aggregate trades are wanted.
#[derive(Clone, Copy, Debug)]
pub(super) enum TradeSelection {
    /// From this id on.
    From(i64),
    /// By time.
    Times(Selection),
}

/// An aggregate trade as the exchange publishes it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct AggTrade {
    pub(super) id: i64,
    pub(super) price: Decimal,
    pub(super) quantity: Decimal,
    pub(super) first_id: i64,
    pub(super) last_id: i64,
    pub(super) time: Millis,
    pub(super) is_buyer_maker: bool,
}

/// A single trade.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SingleTrade {
    pub(super) id: i64,
    pub(super) price: Decimal,
    pub(super) quantity: Decimal,
    pub(super) quote_quantity: Decimal,
    pub(super) time: Millis,
    pub(super) is_buyer_maker: bool,
}

/// Price and quantity of the book's levels, best first.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Book {
    pub(super) last_update_id: i64,
    pub(super) bids: Vec<(Decimal, Decimal)>,
    pub(super) asks: Vec<(Decimal, Decimal)>,
}

/// What changes in a book: new quantities of levels, best first.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    /// The first update of it.
    pub(super) first: i64,
    /// The last one.
    pub(super) last: i64,
    pub(super) bids: Vec<(Decimal, Decimal)>,
    pub(super) asks: Vec<(Decimal, Decimal)>,
}

impl Market {
    pub(super) fn listings(&self) -> &[Listing] {
        match self {
            Self::Synthetic(market) => market.listings(),
            Self::Replay(market) => market.listings(),
            Self::Capture(market) => market.listings(),
        }
    }

    /// The end of what was recorded, or the beginning of time.
    pub(super) fn recorded_until(&self) -> Millis {
        match self {
            Self::Synthetic(_) | Self::Capture(_) => 0,
            Self::Replay(market) => market.recorded_until(),
        }
    }

    /// Klines ascending; the last one is open if its time is not over at `now`.
    pub(super) fn klines(
        &self,
        symbol: &str,
        interval: Interval,
        offset: Millis,
        selection: Selection,
        now: Millis,
    ) -> Vec<Kline> {
        match self {
            Self::Synthetic(market) => market.klines(symbol, interval, offset, selection, now),
            Self::Replay(market) => market.klines(symbol, interval, offset, selection, now),
            Self::Capture(_) => Vec::new(),
        }
    }

    /// Aggregate trades ascending.
    pub(super) fn agg_trades(
        &self,
        symbol: &str,
        selection: TradeSelection,
        limit: usize,
        now: Millis,
    ) -> Vec<AggTrade> {
        match self {
            Self::Synthetic(market) => market.agg_trades(symbol, selection, limit, now),
            Self::Replay(market) => market.agg_trades(symbol, selection, limit, now),
            Self::Capture(_) => Vec::new(),
        }
    }

    /// Single trades ascending, from an id on or the most recent ones.
    pub(super) fn trades(&self, symbol: &str, from: Option<i64>, limit: usize, now: Millis) -> Vec<SingleTrade> {
        match self {
            Self::Synthetic(market) => market.trades(symbol, from, limit, now),
            Self::Replay(market) => market.trades(symbol, from, limit, now),
            Self::Capture(_) => Vec::new(),
        }
    }

    /// The answer to a question for the order book; nobody records it beside klines, so a replayed one is empty.
    pub(super) fn book(&self, symbol: &str, limit: usize, now: Millis) -> String {
        match self {
            Self::Synthetic(market) => wire::book(&market.book(symbol, limit, now)),
            Self::Capture(market) => {
                market.snapshot(symbol, now).map_or_else(|| wire::book(&Book::default()), str::to_owned)
            }
            Self::Replay(_) => wire::book(&Book::default()),
        }
    }

    /// A reader of one symbol, where the market is computed.
    pub(super) fn reader(&self, symbol: &str) -> Option<Reader> {
        match self {
            Self::Synthetic(market) => market.reader(symbol),
            Self::Replay(_) | Self::Capture(_) => None,
        }
    }

    /// The bar that holds `now`, with the trades up to then in it.
    pub(super) fn bar(
        &self,
        symbol: &str,
        reader: Option<&mut Reader>,
        interval: Interval,
        now: Millis,
    ) -> Option<Kline> {
        if let (Self::Synthetic(market), Some(reader)) = (self, reader) {
            return market.bar_of(reader, interval, now);
        }
        let selection = Selection { start: None, end: Some(now), limit: 1 };
        self.klines(symbol, interval, 0, selection, now).pop()
    }
}

/// Where the bars of one symbol open: `offset` shifts them, `first_day` anchors its `3d` bars.
#[derive(Clone, Copy, Debug)]
pub(super) struct Calendar {
    pub(super) interval: Interval,
    pub(super) offset: Millis,
    pub(super) first_day: Millis,
}

impl Calendar {
    /// Open time of the bar that holds `time`.
    pub(super) fn align_down(self, time: Millis) -> Millis {
        let local = time.saturating_add(self.offset);
        let open = match self.interval {
            Interval::D3 => {
                let anchor = self.first_day.div_euclid(DAY) * DAY;
                anchor + (local - anchor).div_euclid(3 * DAY) * 3 * DAY
            }
            interval => interval.align_down(local),
        };
        open - self.offset
    }

    /// Open time of the bar after the one that opens at `open`.
    pub(super) fn next(self, open: Millis) -> Millis {
        self.interval.next_open(open + self.offset) - self.offset
    }

    /// First open time at or after `time`.
    pub(super) fn align_up(self, time: Millis) -> Millis {
        let open = self.align_down(time);
        if open == time { open } else { self.next(open) }
    }

    /// Open time of the bar before the one that opens at `open`.
    pub(super) fn previous(self, open: Millis) -> Millis {
        self.align_down(open - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_day_bars_are_anchored_on_the_first_day_and_offsets_shift_all() {
        let calendar = |interval, offset| Calendar { interval, offset, first_day: 10 * DAY + 5 };
        let three = calendar(Interval::D3, 0);
        assert_eq!((three.align_down(15 * DAY), three.align_up(11 * DAY)), (13 * DAY, 13 * DAY));
        assert_eq!((three.previous(13 * DAY), three.next(13 * DAY)), (10 * DAY, 16 * DAY));
        let shifted = calendar(Interval::D1, 8 * 3_600_000);
        assert_eq!(shifted.align_down(DAY), 16 * 3_600_000);
    }
}
