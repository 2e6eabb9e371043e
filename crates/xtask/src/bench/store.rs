//! The store: durable upserts a second of new, repeated and newer klines, by one writer and by four.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use streamforge_events::{Decimal, Interval, Kline, Millis, SeriesId, SeriesKind, TimeRange};
use streamforge_store::{Applied, BatchReport, Store, Versioned, open};
use tokio::{runtime::Runtime, task::JoinSet};

use super::{Unit, figure};

const RUNS: usize = 3;
/// Rows of one call, as the connector makes them.
const BATCH: usize = 1000;
/// Calls under way at once, as at a connector that works on as many events.
const CALLS: usize = 32;
/// Rows of each writer.
const ROWS: usize = 200_000;
const MINUTE: Millis = 60_000;
pub(super) const START: Millis = 1_672_531_200_000;

/// Writes to fresh stores.
pub(super) fn run() -> Result<()> {
    let runtime = Runtime::new()?;
    for writers in [1, 4] {
        let mut rates: [Vec<f64>; 4] = Default::default();
        for _ in 0..RUNS {
            let run = runtime.block_on(one(writers))?;
            for (rates, rate) in rates.iter_mut().zip(run) {
                rates.push(rate);
            }
        }
        let names = ["new klines", "the same klines again", "newer readings of other content"];
        for (name, rates) in names.iter().zip(&mut rates) {
            let what = format!("store: durable upserts of {name}, {BATCH} a call, {writers} writers");
            figure(&what, Unit::PerSecond("upserts"), std::mem::take(rates));
        }
        let reads = rates[3].drain(..).collect();
        figure("store: klines read as columns, one series", Unit::PerSecond("klines"), reads);
    }
    Ok(())
}

/// The rates of inserting, repeating and updating, all answers durable, and of reading one series as columns.
async fn one(writers: usize) -> Result<[f64; 4]> {
    let folder = tempfile::tempdir()?;
    // A store of its own for each, as each process has one.
    let mut stores = Vec::new();
    for _ in 0..writers {
        stores.push(open_in(folder.path()).await?);
    }
    let new = upsert(&stores, 1, 0, Applied::Inserted).await?;
    let same = upsert(&stores, 1, 0, Applied::Unchanged).await?;
    let newer = upsert(&stores, 2, 1, Applied::Updated).await?;
    let store = &stores[0];
    let began = Instant::now();
    let columns = store.read_columns(&series(0)?, TimeRange::new(0, START * 2)?).await?;
    ensure!(columns.open_time.len() == ROWS, "{} rows read", columns.open_time.len());
    let read = per_second(ROWS, began.elapsed());
    Ok([new, same, newer, read])
}

async fn open_in(folder: &Path) -> Result<Arc<dyn Store>> {
    Ok(open(&format!("sqlite://{}/store.db", folder.display())).await?)
}

async fn upsert(stores: &[Arc<dyn Store>], version: u64, more: u64, expected: Applied) -> Result<f64> {
    let mut batches = Vec::new();
    for (writer, store) in stores.iter().enumerate() {
        let rows: Vec<_> =
            (0..ROWS).map(|row| Ok(Versioned { version, value: kline(row, more)? })).collect::<Result<_>>()?;
        batches.push((store, series(writer)?, rows));
    }
    let began = Instant::now();
    let mut calls: JoinSet<Result<BatchReport>> = JoinSet::new();
    for place in 0..ROWS / BATCH {
        for (store, series, rows) in &batches {
            while calls.len() >= CALLS * stores.len() {
                check(&calls.join_next().await.context("a call is under way")???, expected)?;
            }
            let (store, series) = (Arc::clone(store), series.clone());
            let rows = rows[place * BATCH..(place + 1) * BATCH].to_vec();
            calls.spawn(async move { Ok(store.upsert_klines(&series, &rows).await?) });
        }
    }
    while let Some(report) = calls.join_next().await {
        check(&report??, expected)?;
    }
    Ok(per_second(ROWS * stores.len(), began.elapsed()))
}

fn check(report: &BatchReport, expected: Applied) -> Result<()> {
    ensure!(report.items.iter().all(|item| matches!(item, Ok(applied) if *applied == expected)), "not {expected:?}");
    Ok(())
}

fn series(writer: usize) -> Result<SeriesId> {
    Ok(SeriesId { symbol: format!("S{writer}USDT").parse()?, kind: SeriesKind::Klines(Interval::M1) })
}

/// A bar with as many digits as the exchange sends.
pub(super) fn kline(row: usize, more: u64) -> Result<Kline> {
    let number = row as u64;
    let price = |step: u64| decimal(9_373_819_000_000 + 100_000 * (number * 7919 % 10_007) + step);
    let volume = |step: u64| decimal(20_277_714_000 + number * 104_729 % 1_000_000_007 + step + more);
    let open_time = START + MINUTE * Millis::try_from(row)?;
    Ok(Kline {
        open_time,
        open: price(0)?,
        high: price(500_000)?,
        low: price(0)?,
        close: price(300_000)?,
        volume: volume(0)?,
        close_time: open_time + MINUTE - 1,
        quote_asset_volume: volume(1_898_636_398_689_040)?,
        number_of_trades: 64_965 + number % 1000,
        taker_buy_base_asset_volume: volume(1)?,
        taker_buy_quote_asset_volume: volume(973_600_881_831_330)?,
    })
}

fn decimal(mantissa: u64) -> Result<Decimal> {
    Decimal::from_parts(mantissa.into(), 8).context("a decimal has room for it")
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52 rows")]
fn per_second(rows: usize, time: Duration) -> f64 {
    rows as f64 / time.as_secs_f64()
}
