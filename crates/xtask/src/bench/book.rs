//! An order book under differences of twenty levels: what a level costs, and how many differences a second there are.

use std::{hint::black_box, time::Instant};

use anyhow::{Result, ensure};
use fastrand::Rng;
use streamforge_events::Decimal;
use streamforge_exchange::book::{Difference, Follower, Level, Price, Progress, Side, Snapshot};

use super::{Unit, figure};

const RUNS: usize = 7;
const SEED: u64 = 1;
/// Levels a side to begin with.
const LEVELS: u64 = 2_000;
const DIFFERENCES: u32 = 50_000;
/// Levels of a difference, half of them on each side.
const CHANGES: u32 = 20;
/// How far from the best price a change is on average.
///
/// # Units
/// Ticks.
const DISTANCE: f64 = 64.0;
/// Share of changes that take a level away.
const DELETED: f64 = 0.2;
/// Price in the middle.
///
/// # Units
/// Ticks of a hundredth.
const MIDDLE: u64 = 6_000_000;

/// Measures the same differences on a new book in each run.
pub(super) fn run() -> Result<()> {
    let (snapshot, differences) = market()?;
    let (mut levels, mut rates) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let mut follower = Follower::default();
        ensure!(follower.snapshot(&snapshot) == Progress::Applied, "the book has its snapshot");
        let started = Instant::now();
        for difference in &differences {
            ensure!(follower.difference(difference) == Progress::Applied, "no difference is missing");
            black_box(follower.book().and_then(|book| book.best(Side::Bid)));
        }
        let seconds = started.elapsed().as_secs_f64();
        rates.push(f64::from(DIFFERENCES) / seconds);
        levels.push(seconds * 1e9 / f64::from(DIFFERENCES * CHANGES));
    }
    figure("order book: a level of a difference, best levels read after each of 20", Unit::Nanoseconds, levels);
    figure("order book: differences of 20 levels", Unit::PerSecond("differences"), rates);
    Ok(())
}

/// A book and what happens to it, always the same.
fn market() -> Result<(Snapshot, Vec<Difference>)> {
    let mut chance = Rng::with_seed(SEED);
    let side = |side: Side| (0..LEVELS).map(|ticks| level(side, ticks, 1_000)).collect::<Result<Vec<_>>>();
    let (bids, asks) = (side(Side::Bid)?, side(Side::Ask)?);
    let snapshot = Snapshot { last_update_id: 0, bids, asks, limit: 5_000 };
    let mut drawn = |side: Side| {
        // Exponential: as far as one may go when each tick is the last with the same chance.
        let mut ticks = 0;
        while ticks < LEVELS && chance.f64() > 1.0 / DISTANCE {
            ticks += 1;
        }
        let amount = if chance.f64() < DELETED { 0 } else { chance.u64(1..1_000_000) };
        level(side, ticks, amount)
    };
    let mut differences = Vec::new();
    for id in 1..=DIFFERENCES {
        let mut changes = |side| (0..CHANGES / 2).map(|_| drawn(side)).collect::<Result<Vec<_>>>();
        let id = u64::from(id);
        differences.push(Difference { first: id, last: id, bids: changes(Side::Bid)?, asks: changes(Side::Ask)? });
    }
    Ok((snapshot, differences))
}

fn level(side: Side, ticks: u64, amount: u64) -> Result<Level> {
    let price = match side {
        Side::Bid => MIDDLE - ticks,
        Side::Ask => MIDDLE + 1 + ticks,
    };
    let decimal = |number: u64, digits| Decimal::from_parts(u128::from(number), digits).unwrap_or_default();
    Ok(Level { price: Price::try_from(decimal(price, 2))?, quantity: decimal(amount, 5) })
}
