//! Reads frames and keeps books with libraries of others, from files and as often as it is told.

use std::{
    error::Error,
    fs,
    hint::black_box,
    io::{BufRead as _, stdin},
    time::Instant,
};

use barter_data::{
    books::{Asks, Bids, Level, OrderBookSide},
    exchange::binance::{spot::l2::BinanceSpotOrderBookL2Update, trade::BinanceTrade},
};
use hftbacktest::depth::{BTreeMarketDepth, HashMapMarketDepth, L2MarketDepth, MarketDepth, ROIVectorMarketDepth};
use rust_decimal::{Decimal, prelude::ToPrimitive as _};
use serde::Deserialize;

type Answer<T> = Result<T, Box<dyn Error>>;

const TICK: f64 = 0.01;
const LOT: f64 = 0.00001;
/// Prices that the vector of hftbacktest has room for.
const RANGE: (f64, f64) = (59_900.0, 60_100.0);

#[derive(Deserialize)]
struct Snapshot {
    bids: Vec<(Decimal, Decimal)>,
    asks: Vec<(Decimal, Decimal)>,
}

#[derive(Deserialize)]
struct Change {
    b: Vec<(Decimal, Decimal)>,
    a: Vec<(Decimal, Decimal)>,
}

fn main() -> Answer<()> {
    println!("ready");
    for line in stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        let seconds = match words[..] {
            ["barter-trades", path] => trades(path)?,
            ["barter-depth", path, bid, ask] => depth(path, bid, ask)?,
            ["barter-levels", path, bid, ask] => levels(path, bid, ask)?,
            ["hftbacktest-vector", path, bid, ask] => {
                fed(&mut ROIVectorMarketDepth::new(TICK, LOT, RANGE.0, RANGE.1), path, bid, ask)?
            }
            ["hftbacktest-map", path, bid, ask] => fed(&mut HashMapMarketDepth::new(TICK, LOT), path, bid, ask)?,
            ["hftbacktest-tree", path, bid, ask] => fed(&mut BTreeMarketDepth::new(TICK, LOT), path, bid, ask)?,
            _ => return Err(format!("unknown order {line:?}").into()),
        };
        println!("{seconds}");
    }
    Ok(())
}

/// What a frame of a combined stream carries: barter's connection is to plain streams.
fn data(frame: &str) -> Answer<&str> {
    let (_, data) = frame.split_once("\"data\":").ok_or("a combined frame")?;
    Ok(data.strip_suffix('}').ok_or("a combined frame")?)
}

/// A snapshot, and what the frames behind it carry.
fn market(text: &str) -> Answer<(Snapshot, Vec<&str>)> {
    let mut lines = text.lines();
    let snapshot = serde_json::from_str(lines.next().ok_or("a snapshot")?)?;
    Ok((snapshot, lines.map(data).collect::<Answer<_>>()?))
}

fn trades(path: &str) -> Answer<f64> {
    let text = fs::read_to_string(path)?;
    let frames: Vec<&str> = text.lines().map(data).collect::<Answer<_>>()?;
    let began = Instant::now();
    for frame in frames {
        black_box(serde_json::from_str::<BinanceTrade>(frame)?);
    }
    Ok(began.elapsed().as_secs_f64())
}

fn depth(path: &str, bid: &str, ask: &str) -> Answer<f64> {
    let text = fs::read_to_string(path)?;
    let (Snapshot { bids, asks }, frames) = market(&text)?;
    let (mut bids, mut asks) = (OrderBookSide::<Bids>::bids(bids), OrderBookSide::<Asks>::asks(asks));
    let began = Instant::now();
    for frame in frames {
        let update: BinanceSpotOrderBookL2Update = serde_json::from_str(frame)?;
        bids.upsert(&update.bids);
        asks.upsert(&update.asks);
        black_box((bids.best(), asks.best()));
    }
    let seconds = began.elapsed().as_secs_f64();
    same(bids.best().map(|level| level.price) == Some(bid.parse()?))?;
    same(asks.best().map(|level| level.price) == Some(ask.parse()?))?;
    Ok(seconds)
}

fn levels(path: &str, bid: &str, ask: &str) -> Answer<f64> {
    let text = fs::read_to_string(path)?;
    let (Snapshot { bids, asks }, frames) = market(&text)?;
    let (mut bids, mut asks) = (OrderBookSide::<Bids>::bids(bids), OrderBookSide::<Asks>::asks(asks));
    let rows = |rows: Vec<(Decimal, Decimal)>| rows.into_iter().map(Level::from).collect::<Vec<_>>();
    let mut changes = Vec::new();
    for frame in frames {
        let Change { b, a } = serde_json::from_str(frame)?;
        changes.push((rows(b), rows(a)));
    }
    let began = Instant::now();
    for (b, a) in &changes {
        bids.upsert(b);
        asks.upsert(a);
        black_box((bids.best(), asks.best()));
    }
    let seconds = began.elapsed().as_secs_f64();
    same(bids.best().map(|level| level.price) == Some(bid.parse()?))?;
    same(asks.best().map(|level| level.price) == Some(ask.parse()?))?;
    Ok(seconds)
}

fn fed(depth: &mut (impl MarketDepth + L2MarketDepth), path: &str, bid: &str, ask: &str) -> Answer<f64> {
    let text = fs::read_to_string(path)?;
    let (Snapshot { bids, asks }, frames) = market(&text)?;
    let rows = |rows: Vec<(Decimal, Decimal)>| -> Answer<Vec<(f64, f64)>> {
        let doubles = |(price, quantity): (Decimal, Decimal)| Some((price.to_f64()?, quantity.to_f64()?));
        Ok(rows.into_iter().map(doubles).collect::<Option<_>>().ok_or("numbers that are doubles")?)
    };
    for (price, quantity) in rows(bids)? {
        depth.update_bid_depth(price, quantity, 0);
    }
    for (price, quantity) in rows(asks)? {
        depth.update_ask_depth(price, quantity, 0);
    }
    let mut changes = Vec::new();
    for frame in frames {
        let Change { b, a } = serde_json::from_str(frame)?;
        changes.push((rows(b)?, rows(a)?));
    }
    let began = Instant::now();
    for (b, a) in &changes {
        for (price, quantity) in b {
            black_box(depth.update_bid_depth(*price, *quantity, 0));
        }
        for (price, quantity) in a {
            black_box(depth.update_ask_depth(*price, *quantity, 0));
        }
        black_box((depth.best_bid(), depth.best_ask()));
    }
    let seconds = began.elapsed().as_secs_f64();
    let is_near = |price: f64, text: &str| -> Answer<bool> { Ok((price - text.parse::<f64>()?).abs() < TICK / 2.0) };
    same(is_near(depth.best_bid(), bid)? && is_near(depth.best_ask(), ask)?)?;
    Ok(seconds)
}

fn same(is_same: bool) -> Answer<()> {
    if is_same { Ok(()) } else { Err("the best levels are others in the end".into()) }
}
