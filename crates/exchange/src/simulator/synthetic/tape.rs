//! The tape of one symbol: any aggregate trade, straight from its number.

use std::sync::Arc;

use streamforge_events::{Decimal, Millis};

use super::{
    coins::Coin,
    hash::{exp, mix, normal, unit},
    path::{self, BLOCK, BLOCKS},
};
use crate::simulator::market::AggTrade;

/// Start of the paths, 2017-01-01.
const ORIGIN: Millis = 1_483_228_800_000;
const MINUTE: Millis = 60_000;

/// Standard deviations over a day of the factors that symbols share.
const MARKET_VOLATILITY: f64 = 0.024;
const SECTOR_VOLATILITY: f64 = 0.010;

/// The square root of the minutes of a day.
const ROOT_OF_DAY: f64 = 37.947_331_922_020_55;

/// Mean number of single trades in an aggregate one.
pub(super) const SINGLES: i64 = 16;

/// Purposes of hashes, so that none is used twice.
const SLOT: u64 = 1;
const NOISE: u64 = 2;
const SIZE: u64 = 3;
const HEAT: u64 = 4;

/// An aggregate trade in steps of the symbol's price and quantity.
#[derive(Clone, Copy, Debug)]
pub(super) struct Print {
    pub(super) index: i64,
    pub(super) time: Millis,
    pub(super) ticks: u64,
    pub(super) lots: u64,
    pub(super) first_id: i64,
    pub(super) singles: u64,
    pub(super) is_buyer_maker: bool,
}

/// Reads one symbol; it keeps the block of minutes that it read last.
pub(super) struct Tape {
    pub(super) coin: Arc<Coin>,
    market: u64,
    sector: u64,
    own: u64,
    /// Standard deviation of a step of one minute.
    step: f64,
    block: Option<Block>,
}

/// Prices at the minutes of a block, and how lively it is.
struct Block {
    index: u64,
    heat: f64,
    prices: Vec<f64>,
}

impl Tape {
    pub(super) fn new(seed: u64, number: usize, coin: Arc<Coin>) -> Self {
        Self {
            market: mix(seed, 1),
            sector: mix(seed, 1_000 + coin.sector),
            own: mix(seed, 2_000 + number as u64),
            step: minute_volatility(&coin),
            block: None,
            coin,
        }
    }

    /// Number of the first trade at or after `time`.
    pub(super) fn index_at(&self, time: Millis) -> i64 {
        if time <= self.coin.listed() {
            return 0;
        }
        let index = (time - self.coin.listed()) / self.coin.spacing;
        if self.time(index) >= time { index } else { index + 1 }
    }

    /// Number of the trade that holds the single trade `id`.
    pub(super) fn index_of_single(&self, id: i64) -> i64 {
        let index = id.max(0) / SINGLES;
        if id >= self.first_single(index) || index == 0 { index } else { index - 1 }
    }

    /// Trade number `index`: each has its slot of time, so trades stay in order.
    pub(super) fn print(&mut self, index: i64) -> Print {
        let time = self.time(index);
        let (first_id, next_id) = (self.first_single(index), self.first_single(index + 1));
        let singles = (next_id - first_id).unsigned_abs();
        let (noise, size) = (self.hash(NOISE, index), self.hash(SIZE, index));
        let Coin { turnover, price_digits, quantity_digits, .. } = *self.coin;
        let minute = ((time - ORIGIN) / MINUTE).unsigned_abs();
        let fraction = ratio((time - ORIGIN) % MINUTE, MINUTE);
        let step = self.step;
        let block = self.block(minute / BLOCK as u64);
        let position = usize::try_from(minute % BLOCK as u64).unwrap_or(0);
        let (before, after) = (block.prices[position], block.prices[position + 1]);
        let wobble = step * block.heat * (fraction * (1.0 - fraction)).sqrt() * normal(noise);
        let price = (before + (after - before) * fraction) * (1.0 + wobble);
        let trend = ((after - before) / before / step).clamp(-2.0, 2.0);
        let buyer_takes = unit(size << 32) < 0.5 + 0.1 * trend;
        let value = turnover * block.heat * daily_rhythm(minute) * heavy_tail(unit(size));
        let ticks = price * power_of_ten(price_digits);
        let ticks = whole(if buyer_takes { ticks.ceil() } else { ticks.floor() }).max(1);
        let share = ratio(next_id - first_id, SINGLES);
        let lots = whole(value * share / price * power_of_ten(quantity_digits)).max(singles);
        Print { index, time, ticks, lots, first_id, singles, is_buyer_maker: !buyer_takes }
    }

    /// The exchange's row for a trade.
    pub(super) fn agg_trade(&mut self, index: i64) -> AggTrade {
        let print = self.print(index);
        AggTrade {
            id: print.index,
            price: self.price(print.ticks),
            quantity: self.quantity(print.lots),
            first_id: print.first_id,
            last_id: print.first_id + i64::try_from(print.singles).unwrap_or(1) - 1,
            time: print.time,
            is_buyer_maker: print.is_buyer_maker,
        }
    }

    /// A price with the exchange's eight digits.
    pub(super) fn price(&self, ticks: u64) -> Decimal {
        amount(u128::from(ticks), self.coin.price_digits, 8)
    }

    /// A quantity with the symbol's digits.
    pub(super) fn quantity(&self, lots: u64) -> Decimal {
        amount(u128::from(lots), self.coin.quantity_digits, self.coin.volume_digits())
    }

    fn hash(&self, purpose: u64, index: i64) -> u64 {
        mix(self.own ^ purpose << 48, index.unsigned_abs())
    }

    fn time(&self, index: i64) -> Millis {
        let spacing = self.coin.spacing;
        // A product keeps the upper bits of the hash and is cheaper than a remainder.
        let jitter = ((self.hash(SLOT, index) >> 32) * spacing.unsigned_abs()) >> 32;
        self.coin.listed() + index * spacing + i64::try_from(jitter).unwrap_or(0)
    }

    /// Id of the first single trade: ids follow each other, and each trade begins inside its own stride.
    fn first_single(&self, index: i64) -> i64 {
        // The lower bits are independent of the upper ones, which place the trade in its slot.
        let jitter = self.hash(SLOT, index) % SINGLES.unsigned_abs();
        index * SINGLES + i64::try_from(jitter).unwrap_or(0)
    }

    fn block(&mut self, index: u64) -> &Block {
        let index = index.min(BLOCKS - 1);
        let block = match self.block.take() {
            Some(block) if block.index == index => block,
            _ => self.compute(index),
        };
        self.block.insert(block)
    }

    /// The factor model: log price = beta × market + sector + own, each a path; the market's heat drives all.
    fn compute(&self, index: u64) -> Block {
        let heat = exp(0.35 * normal(mix(self.market ^ HEAT << 48, index)));
        let mut values = [0.0; BLOCK + 1];
        let mut logs = vec![0.0; BLOCK + 1];
        for (seed, volatility) in [
            (self.market, self.coin.beta * MARKET_VOLATILITY),
            (self.sector, SECTOR_VOLATILITY),
            (self.own, self.coin.own_volatility),
        ] {
            path::fill(seed, index, heat, &mut values);
            for (log, value) in logs.iter_mut().zip(values) {
                *log += volatility / ROOT_OF_DAY * value;
            }
        }
        let prices = logs.into_iter().map(|log| self.coin.price * exp(log)).collect();
        Block { index, heat, prices }
    }
}

fn minute_volatility(coin: &Coin) -> f64 {
    let parts = [coin.beta * MARKET_VOLATILITY, SECTOR_VOLATILITY, coin.own_volatility];
    parts.map(|part| part * part).iter().sum::<f64>().sqrt() / ROOT_OF_DAY
}

/// An amount in steps of `digits`, written with `scale` digits.
pub(super) fn amount(steps: u128, digits: u32, scale: u32) -> Decimal {
    let widened = steps.saturating_mul(10_u128.pow(scale.saturating_sub(digits)));
    Decimal::from_parts(widened, scale.max(digits)).unwrap_or(Decimal::ZERO)
}

/// Twice as lively at noon as at midnight.
fn daily_rhythm(minute: u64) -> f64 {
    let minute = i64::try_from(minute % 1_440).unwrap_or(0);
    1.333 - 0.667 * ratio((minute - 720).abs(), 720)
}

/// Mean about 1, and now and then fifteen times as much.
fn heavy_tail(uniform: f64) -> f64 {
    0.3 / (1.02 - uniform)
}

fn power_of_ten(digits: u32) -> f64 {
    f64::from(10_u32.pow(digits.min(9)))
}

#[expect(clippy::cast_precision_loss, reason = "both are far below 2^52")]
fn ratio(part: i64, whole: i64) -> f64 {
    part as f64 / whole as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and the values are positive"
)]
fn whole(value: f64) -> u64 {
    value as u64
}
