//! What only the `SQLite` store can show: its file, its writer and what happens when they fail.

use std::{fs, sync::Arc};

use rusqlite::Connection;
use streamforge_events::{Decimal, Interval, Kline, SeriesId, SeriesKind, TimeRange};
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::*;
use crate::{
    Applied, Class, Fence, LeaseOutcome, LeaseStore, PredictionQuery, PredictionStore, SeriesStore, Versioned, open,
};

const MINUTE: i64 = 60_000;

fn series() -> SeriesId {
    SeriesId { symbol: "BTCUSDT".parse().unwrap(), kind: SeriesKind::Klines(Interval::M1) }
}

fn rows(first: i64, count: i64) -> Vec<Versioned<Kline>> {
    let decimal: Decimal = "93738.19000000".parse().unwrap();
    let kline = |bar: i64| Kline {
        open_time: bar * MINUTE,
        open: decimal,
        high: decimal,
        low: decimal,
        close: decimal,
        volume: decimal,
        close_time: (bar + 1) * MINUTE - 1,
        quote_asset_volume: decimal,
        number_of_trades: 1,
        taker_buy_base_asset_volume: decimal,
        taker_buy_quote_asset_volume: decimal,
    };
    (first..first + count).map(|bar| Versioned { version: 1, value: kline(bar) }).collect()
}

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    (folder, path)
}

async fn refusal(path: &Path) -> Error {
    let error = SqliteStore::open(path).await.err().expect("the file is not sound");
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    error
}

#[tokio::test]
async fn file_that_is_no_store_is_refused_and_untouched() {
    let (_folder, path) = place();
    let noise = vec![b'x'; 20_000];
    fs::write(&path, &noise).unwrap();
    let error = refusal(&path).await;
    assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
    assert_eq!(error.class(), Class::Fatal);
    assert_eq!(fs::read(&path).unwrap(), noise);
}

#[tokio::test]
async fn database_of_another_program_is_refused() {
    let (_folder, path) = place();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    assert!(matches!(refusal(&path).await, Error::Corrupt { .. }));
}

#[tokio::test]
async fn newer_schema_is_refused() {
    let (_folder, path) = place();
    drop(SqliteStore::open(&path).await.unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = refusal(&path).await;
    assert!(matches!(error, Error::Schema { found: 99, known: 3, .. }), "{error:?}");
    assert!(error.to_string().contains("99"));
}

#[tokio::test]
async fn store_of_version_1_is_brought_up_to_date_and_keeps_its_rows() {
    let (_folder, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    store.upsert_klines(&series(), &rows(0, 10)).await.unwrap();
    drop(store);
    let old = Connection::open(&path).unwrap();
    old.execute_batch("DROP TABLE predictions; DROP TABLE prediction_series; DROP TABLE leases; DROP TABLE gaps")
        .unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    drop(old);
    for fence in 1..3 {
        let store = SqliteStore::open(&path).await.unwrap();
        let now = i64::try_from(fence).unwrap();
        let outcome = store.acquire("work", "me", now, now + 1).await.unwrap();
        assert_eq!(outcome, LeaseOutcome::Acquired(Fence::new(fence)));
        assert_eq!(store.read_predictions(&PredictionQuery::default(), None, 1).await.unwrap(), []);
        assert_eq!(store.coverage(&series(), None).await.unwrap().rows, 10);
    }
}

#[tokio::test]
async fn damaged_page_is_told_of_when_it_is_read() {
    let (_folder, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    store.upsert_klines(&series(), &rows(0, 5000)).await.unwrap();
    drop(store);
    let mut bytes = fs::read(&path).unwrap();
    let from = bytes.len() / 2;
    bytes[from..].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    let store = SqliteStore::open(&path).await.unwrap();
    let error = store.coverage(&series(), None).await.unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn unreadable_place_is_told_of() {
    let (folder, path) = place();
    fs::write(folder.path().join("file"), b"").unwrap();
    let below_a_file = folder.path().join("file").join("store.db");
    let error = SqliteStore::open(&below_a_file).await.err().unwrap();
    assert!(matches!(error, Error::File { .. }), "{error:?}");
    fs::create_dir(&path).unwrap();
    assert!(SqliteStore::open(&path).await.is_err());
}

async fn limit_pages(store: &SqliteStore, pages: i64) {
    // The limit is never set below the present size: https://sqlite.org/pragma.html#pragma_max_page_count
    let sql = format!("PRAGMA max_page_count = {pages}");
    store.writer.run(0, move |connection| Ok(connection.query_row(&sql, [], |_| Ok(()))?)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn full_disk_keeps_what_was_acknowledged_and_recovers() {
    let (_folder, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    store.upsert_klines(&series(), &rows(0, 10)).await.unwrap();
    limit_pages(&store, 1).await;
    let error = store.upsert_klines(&series(), &rows(10, 5000)).await.unwrap_err();
    assert!(matches!(error, Error::DiskFull { .. }), "{error:?}");
    assert!(error.is_retryable() && error.to_string().contains(&path.display().to_string()));
    assert_eq!(store.coverage(&series(), None).await.unwrap().rows, 10);
    limit_pages(&store, i64::from(u32::MAX) - 1).await;
    store.upsert_klines(&series(), &rows(10, 5000)).await.unwrap();
    assert_eq!(store.coverage(&series(), None).await.unwrap().rows, 5010);
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_batches_of_two_processes_are_all_kept() {
    let (_folder, path) = place();
    let mut batches = JoinSet::new();
    for process in 0..2 {
        let store = Arc::new(SqliteStore::open(&path).await.unwrap());
        for batch in 0..20 {
            let store = Arc::clone(&store);
            // The two overlap by half, so each key is raced for.
            let rows = rows((batch * 2 + process) * 50, 100);
            batches.spawn(async move { store.upsert_klines(&series(), &rows).await.unwrap().counts() });
        }
    }
    let counts = batches.join_all().await;
    assert_eq!(counts.iter().map(|count| count.inserted).sum::<usize>(), 40 * 50 + 50);
    let store = SqliteStore::open(&path).await.unwrap();
    let coverage = store.coverage(&series(), None).await.unwrap();
    assert_eq!((coverage.rows, coverage.gaps.len()), (2050, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_work_leaves_no_trace_and_harms_no_other() {
    let (_folder, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    let refused = store.writer.run(1, |connection| {
        connection.execute("INSERT INTO series (symbol, kind, interval) VALUES ('X', 'trades', '')", [])?;
        Err::<(), _>(Error::Cursor("x".to_owned()).into())
    });
    let kept = rows(0, 1);
    let id = series();
    let (refused, kept) = tokio::join!(refused, store.upsert_klines(&id, &kept));
    assert!(matches!(refused, Err(Error::Cursor(_))));
    assert_eq!(kept.unwrap().items, [Ok(Applied::Inserted)]);
    assert_eq!(store.series().await.unwrap(), [series()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_processes_may_create_the_store_at_once() {
    let (folder, _) = place();
    let url = format!("sqlite://{}/new/folder/store.db", folder.path().display());
    let mut stores = JoinSet::new();
    for bar in 0..8 {
        let url = url.clone();
        stores.spawn(async move { open(&url).await.unwrap().upsert_klines(&series(), &rows(bar, 1)).await.unwrap() });
    }
    assert!(stores.join_all().await.iter().all(|report| report.counts().inserted == 1));
    let range = TimeRange::new(0, 8 * MINUTE).unwrap();
    assert_eq!(open(&url).await.unwrap().read_klines(&series(), range, None, 9).await.unwrap().len(), 8);
}

#[tokio::test]
async fn file_is_laid_out_for_durability() {
    let (_folder, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    let pragma = async |name: &'static str| {
        store.writer.run(0, move |connection| Ok(connection.pragma_query_value(None, name, |row| row.get(0))?)).await
    };
    let page_size: i64 = pragma("page_size").await.unwrap();
    let synchronous: i64 = pragma("synchronous").await.unwrap();
    assert_eq!((page_size, synchronous), (8192, 2));
    let (temp_store, memory): (i64, i64) = (pragma("temp_store").await.unwrap(), 2);
    assert_eq!(temp_store, memory, "nothing is written outside of the folder");
    let journal: String =
        Connection::open(&path).unwrap().pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(journal, "wal");
}
