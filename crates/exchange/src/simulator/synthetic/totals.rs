//! Sums of trades: what a bar is made of, exact in whole steps.

use streamforge_events::{Kline, Millis};

use super::{
    coins::Coin,
    tape::{Print, amount},
};

/// A bar in steps of the symbol's price and quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Totals {
    open: u64,
    high: u64,
    low: u64,
    close: u64,
    lots: u128,
    value: u128,
    singles: u64,
    taker_lots: u128,
    taker_value: u128,
}

impl Totals {
    /// A bar of one trade.
    pub(super) fn of(print: &Print) -> Self {
        let lots = u128::from(print.lots);
        let value = lots * u128::from(print.ticks);
        let taken = |amount: u128| if print.is_buyer_maker { 0 } else { amount };
        Self {
            open: print.ticks,
            high: print.ticks,
            low: print.ticks,
            close: print.ticks,
            lots,
            value,
            singles: print.singles,
            taker_lots: taken(lots),
            taker_value: taken(value),
        }
    }

    /// A bar without trades after `print`: flat at its price.
    pub(super) fn flat(print: &Print) -> Self {
        let nothing = Print { lots: 0, singles: 0, ..*print };
        Self::of(&nothing)
    }

    /// Adds the bar or trade that follows.
    pub(super) fn add(&mut self, later: &Self) {
        self.high = self.high.max(later.high);
        self.low = self.low.min(later.low);
        self.close = later.close;
        self.lots += later.lots;
        self.value += later.value;
        self.singles += later.singles;
        self.taker_lots += later.taker_lots;
        self.taker_value += later.taker_value;
    }

    /// The exchange's row for the bar from `open_time` to `next`, exclusive.
    pub(super) fn kline(&self, coin: &Coin, open_time: Millis, next: Millis) -> Kline {
        let price = |ticks: u64| amount(u128::from(ticks), coin.price_digits, 8);
        let volume = |lots| amount(lots, coin.quantity_digits, coin.volume_digits());
        let value = |value| amount(value, coin.price_digits + coin.quantity_digits, 8);
        Kline {
            open_time,
            open: price(self.open),
            high: price(self.high),
            low: price(self.low),
            close: price(self.close),
            volume: volume(self.lots),
            close_time: next - 1,
            quote_asset_volume: value(self.value),
            number_of_trades: self.singles,
            taker_buy_base_asset_volume: volume(self.taker_lots),
            taker_buy_quote_asset_volume: value(self.taker_value),
        }
    }
}
