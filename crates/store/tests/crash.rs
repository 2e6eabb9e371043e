//! A process that is killed while it writes loses nothing that it was told is stored.

use std::{
    env,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use streamforge_events::{Decimal, Interval, Kline, Millis, SeriesId, SeriesKind, TimeRange};
use streamforge_store::{Store, Versioned, open};

const MINUTE: Millis = 60_000;
const BATCH: i64 = 100;
const FOLDER: &str = "STREAMFORGE_TEST_STORE_FOLDER";

fn series() -> SeriesId {
    SeriesId { symbol: "BTCUSDT".parse().expect("a symbol"), kind: SeriesKind::Klines(Interval::M1) }
}

fn batch(number: i64) -> Vec<Versioned<Kline>> {
    let one: Decimal = "1.00000000".parse().expect("a decimal");
    let kline = |bar: i64| Kline {
        open_time: bar * MINUTE,
        open: one,
        high: one,
        low: one,
        close: one,
        volume: one,
        close_time: (bar + 1) * MINUTE - 1,
        quote_asset_volume: one,
        number_of_trades: 1,
        taker_buy_base_asset_volume: one,
        taker_buy_quote_asset_volume: one,
    };
    (number * BATCH..(number + 1) * BATCH).map(|bar| Versioned { version: 1, value: kline(bar) }).collect()
}

async fn open_in(folder: &Path) -> Arc<dyn Store> {
    open(&format!("sqlite://{}/store.db", folder.display())).await.expect("the store opens")
}

/// The process that is killed; started by the test below.
#[tokio::test]
#[ignore = "writes until it is killed"]
async fn writer() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let store = open_in(Path::new(&folder)).await;
    for number in 0.. {
        store.upsert_klines(&series(), &batch(number)).await.unwrap();
        let loaded = TimeRange::new(number * BATCH * MINUTE, (number + 1) * BATCH * MINUTE).unwrap();
        store.mark_loaded(&series(), loaded).await.unwrap();
        println!("\nstored {number}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_writer_loses_nothing_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    for stored in [3, 10, 25] {
        let mut writer = Command::new(env::current_exe().unwrap())
            .args(["writer", "--exact", "--ignored", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // A reader and a writer of another process stand beside it the whole time.
        let store = open_in(folder.path()).await;
        let lines = BufReader::new(writer.stdout.take().unwrap()).lines().map(Result::unwrap);
        let last: i64 = lines
            .filter_map(|line| line.strip_prefix("stored ").and_then(|number| number.parse().ok()))
            .find(|number| *number >= stored)
            .unwrap();
        writer.kill().unwrap();
        writer.wait().unwrap();

        let coverage = store.coverage(&series(), None).await.unwrap();
        let rows = i64::try_from(coverage.rows).unwrap();
        assert!(rows >= (last + 1) * BATCH && rows % BATCH == 0, "{rows} rows after batch {last}");
        assert_eq!(coverage.gaps, []);
        let loaded = store.loaded(&series()).await.unwrap();
        assert!(loaded.len() == 1 && loaded[0].to() >= (last + 1) * BATCH * MINUTE, "{loaded:?}");
        let replayed = store.upsert_klines(&series(), &batch(last)).await.unwrap();
        assert_eq!(replayed.counts().unchanged, batch(last).len());
    }
}
