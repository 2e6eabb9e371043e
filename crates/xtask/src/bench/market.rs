//! A market that is always the same: trades, and a book of 2,000 levels a side under differences of twenty levels.

use std::fmt::Write as _;

use anyhow::Result;
use fastrand::Rng;
use streamforge_events::Decimal;
use streamforge_exchange::book::{Difference, Level, Price, Side, Snapshot};

const SEED: u64 = 1;
/// Levels a side to begin with.
const LEVELS: u64 = 2_000;
pub(super) const DIFFERENCES: u32 = 50_000;
/// Levels of a difference, half of them on each side.
pub(super) const CHANGES: u32 = 20;
pub(super) const TRADES: u32 = 200_000;
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
/// When it begins.
///
/// # Units
/// Milliseconds since the epoch.
const BEGIN: u64 = 1_723_161_602_210;

/// A book and what happens to it.
pub(super) fn market() -> Result<(Snapshot, Vec<Difference>)> {
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

/// The same as the exchange writes it, a line each, the snapshot first.
pub(super) fn depth_frames(snapshot: &Snapshot, differences: &[Difference]) -> String {
    let Snapshot { last_update_id, bids, asks, .. } = snapshot;
    let mut text = format!("{{\"lastUpdateId\":{last_update_id},\"bids\":{},\"asks\":{}}}\n", rows(bids), rows(asks));
    for Difference { first, last, bids, asks } in differences {
        let time = BEGIN + 100 * first;
        let (bids, asks) = (rows(bids), rows(asks));
        let _ = writeln!(
            text,
            r#"{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":{time},"s":"BTCUSDT","U":{first},"u":{last},"b":{bids},"a":{asks}}}}}"#
        );
    }
    text
}

/// Frames of the stream `trade` or `aggTrade`, a line each.
pub(super) fn trade_frames(stream: &str) -> String {
    let mut chance = Rng::with_seed(SEED);
    let mut text = String::new();
    for number in 0..u64::from(TRADES) {
        let id = 3_735_693_047 + number;
        let (time, ticks, lots) = (BEGIN + number, MIDDLE + chance.u64(0..10_000), chance.u64(1..300_000));
        let (price, quantity) = (decimal(ticks * 1_000_000), decimal(lots * 1_000));
        let (name, rest) =
            if stream == "trade" { ("t", String::new()) } else { ("a", format!(r#","f":{id},"l":{id}"#)) };
        let _ = writeln!(
            text,
            r#"{{"stream":"btcusdt@{stream}","data":{{"e":"{stream}","E":{time},"s":"BTCUSDT","{name}":{id},"p":"{price}","q":"{quantity}"{rest},"T":{time},"m":{},"M":true}}}}"#,
            chance.bool()
        );
    }
    text
}

fn rows(levels: &[Level]) -> String {
    let row = |level: &Level| format!(r#"["{}","{}"]"#, level.price, level.quantity);
    format!("[{}]", levels.iter().map(row).collect::<Vec<_>>().join(","))
}

fn level(side: Side, ticks: u64, lots: u64) -> Result<Level> {
    let price = match side {
        Side::Bid => MIDDLE - ticks,
        Side::Ask => MIDDLE + 1 + ticks,
    };
    Ok(Level { price: Price::try_from(decimal(price * 1_000_000))?, quantity: decimal(lots * 1_000) })
}

/// A number of hundred-millionths, written with all its digits.
fn decimal(units: u64) -> Decimal {
    Decimal::from_parts(u128::from(units), 8).unwrap_or_default()
}
