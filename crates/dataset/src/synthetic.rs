//! Markets for tests: walks with halts, listings, delistings, a redenomination and bars without trades.

use std::env;

use fastrand::Rng;
use streamforge_events::{Interval, Millis};

use crate::{Panel, SymbolBars};

/// A Monday.
pub(crate) const START: Millis = 1_704_067_200_000;

/// The seed of a test, printed so that a failure can be repeated by `STREAMFORGE_SEED=N`.
pub(crate) fn random(seed: u64) -> Rng {
    let seed = env::var("STREAMFORGE_SEED").map_or(seed, |seed| seed.parse().unwrap());
    println!("STREAMFORGE_SEED={seed}");
    Rng::with_seed(seed)
}

/// Bars of four symbols: one whole, one listed late that halts, one relaunched and delisted, one with quiet bars.
pub(crate) fn market(random: &mut Rng, interval: Interval, rows: usize) -> Vec<SymbolBars> {
    let halt = rows / 2..rows / 2 + 7;
    let relaunch = rows / 3;
    let mut symbols = Vec::new();
    for (number, name) in ["AAAUSDT", "BBBUSDT", "CCCUSDT", "DDDUSDT"].into_iter().enumerate() {
        let mut bars = empty(name);
        let mut price = 100.0;
        for row in 0..rows {
            let is_there = match number {
                1 => row > 20 && !halt.contains(&row),
                2 => row < rows - 40,
                _ => true,
            };
            price *= (0.02 * (random.f64() - 0.5)).exp();
            if number == 2 && row == relaunch {
                price /= 1_000.0;
            }
            if is_there {
                let open = interval.advance(START, u32::try_from(row).unwrap());
                let is_quiet = number == 3 && (40..80).contains(&row);
                push(&mut bars, open, price, is_quiet, random);
            }
        }
        symbols.push(bars);
    }
    symbols
}

/// The same as a panel.
pub(crate) fn panel(random: &mut Rng, interval: Interval, rows: usize) -> Panel {
    Panel::new(interval, market(random, interval, rows)).unwrap()
}

fn empty(name: &str) -> SymbolBars {
    SymbolBars {
        symbol: name.parse().unwrap(),
        open_time: vec![],
        high: vec![],
        low: vec![],
        close: vec![],
        volume: vec![],
        quote_volume: vec![],
        taker_buy_volume: vec![],
    }
}

fn push(bars: &mut SymbolBars, open: Millis, price: f64, is_quiet: bool, random: &mut Rng) {
    let close = if is_quiet { bars.close.last().copied().unwrap_or(price) } else { price };
    let volume = if is_quiet { 0.0 } else { 1.0 + 10.0 * random.f64() };
    bars.open_time.push(open);
    bars.close.push(close);
    bars.high.push(close * (1.0 + 0.01 * random.f64()));
    bars.low.push(close * (1.0 - 0.01 * random.f64()));
    bars.volume.push(volume);
    bars.quote_volume.push(volume * close);
    bars.taker_buy_volume.push(volume * random.f64());
}
