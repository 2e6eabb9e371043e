//! Of two records under one key the newer version stays, in whichever order and however often they come.

use super::{
    Backend,
    samples::{START, klines, range, trade, trades, versioned},
};
use crate::{
    Applied::{Inserted, Unchanged, Updated},
    BatchCounts, Error, MAX_VERSION, Reject, Store, Versioned,
};

async fn close_of(store: &dyn Store, open_time: i64) -> Result<String, Error> {
    let series = klines("BTCUSDT", "1m");
    let rows = store.read_klines(&series, range(open_time, open_time + 1), None, 10).await?;
    assert_eq!(rows.len(), 1);
    Ok(rows[0].close.to_string())
}

/// A higher version replaces, the same or a lower one does not.
pub async fn newer_version_wins(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let series = klines("BTCUSDT", "1m");
    for (version, close, applied, stays) in [
        (5, "1.0", Inserted, "1.0"),
        (7, "2.0", Updated, "2.0"),
        (6, "3.0", Unchanged, "2.0"),
        (7, "4.0", Unchanged, "2.0"),
        (7, "4.0", Unchanged, "2.0"),
        (MAX_VERSION - 1, "2.00", Updated, "2.00"),
    ] {
        let report = store.upsert_klines(&series, &[versioned(version, START, close)]).await?;
        assert_eq!(report.items, [Ok(applied)], "version {version}");
        assert_eq!(close_of(&*store, START).await?, stays);
    }
    Ok(())
}

/// The same content under a newer version is no change, yet a reading from before it comes too late.
pub async fn equal_content_changes_nothing(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let series = klines("BTCUSDT", "1m");
    for (version, close, applied) in
        [(1, "1.0", Inserted), (3, "1.0", Unchanged), (2, "2.0", Unchanged), (4, "2.0", Updated)]
    {
        let report = store.upsert_klines(&series, &[versioned(version, START, close)]).await?;
        assert_eq!(report.items, [Ok(applied)], "version {version}");
    }
    Ok(())
}

/// Rows of one batch under one key all report what became of the highest version.
pub async fn duplicates_report_their_survivor(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let series = klines("BTCUSDT", "1m");
    let batch = [
        versioned(2, START, "2.0"),
        versioned(1, START + 60_000, "9.0"),
        versioned(3, START, "3.0"),
        versioned(1, START, "1.0"),
        versioned(3, START, "4.0"),
    ];
    for applied in [Inserted, Unchanged, Unchanged] {
        let report = store.upsert_klines(&series, &batch).await?;
        assert_eq!(report.items, vec![Ok(applied); 5]);
        assert_eq!(close_of(&*store, START).await?, "3.0");
    }
    let report = store.upsert_klines(&series, &[versioned(4, START, "5.0"), versioned(2, START, "6.0")]).await?;
    assert_eq!(report.items, [Ok(Updated), Ok(Updated)]);
    Ok(())
}

/// A row that can never be stored is told of in its place and holds up no other.
pub async fn rejects_keep_the_order(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let series = klines("BTCUSDT", "1m");
    let mut crowded = versioned(1, START + 1, "1.0");
    crowded.value.number_of_trades = u64::MAX;
    let batch =
        [versioned(1, START, "1.0"), versioned(MAX_VERSION, START, "2.0"), crowded, versioned(1, START + 2, "1.0")];
    let report = store.upsert_klines(&series, &batch).await?;
    let too_large = Reject::TooLarge { field: "number_of_trades", value: u64::MAX };
    assert_eq!(report.items, [Ok(Inserted), Err(Reject::Version(MAX_VERSION)), Err(too_large), Ok(Inserted)]);
    assert_eq!(report.counts(), BatchCounts { inserted: 2, updated: 0, unchanged: 0, rejected: 2 });
    assert_eq!(close_of(&*store, START).await?, "1.0");
    Ok(())
}

/// A batch without rows is answered with a report without items.
pub async fn empty_batch_is_fine(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    assert!(store.upsert_klines(&klines("BTCUSDT", "1m"), &[]).await?.items.is_empty());
    assert!(store.upsert_trades(&trades("BTCUSDT"), &[]).await?.items.is_empty());
    Ok(())
}

/// Trades are versioned under their id.
pub async fn trades_follow_the_same_rules(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let series = trades("BTCUSDT");
    let batch = [trade(7, START), trade(8, START), trade(7, START)];
    assert_eq!(store.upsert_trades(&series, &batch).await?.items, vec![Ok(Inserted); 3]);
    assert_eq!(store.upsert_trades(&series, &batch).await?.items, vec![Ok(Unchanged); 3]);
    let mut moved = trade(7, START + 1);
    moved.version = 2;
    let mut refused = trade(9, START);
    refused.version = MAX_VERSION;
    let report = store.upsert_trades(&series, &[refused, moved]).await?;
    assert_eq!(report.items, [Err(Reject::Version(MAX_VERSION)), Ok(Updated)]);
    let stored = store.read_trades(&series, range(START, START + 10), None, 10).await?;
    assert_eq!(stored, [trade(8, START).value, trade(7, START + 1).value]);
    Ok(())
}

/// A row is read with the version it was written under, or with that of a later reading of the same content.
pub async fn versions_come_back(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let newest = MAX_VERSION - 1;
    let all = range(START, START + 10);
    let bars = klines("BTCUSDT", "1m");
    store.upsert_klines(&bars, &[versioned(5, START, "1.0"), versioned(newest, START + 1, "2.0")]).await?;
    store.upsert_klines(&bars, &[versioned(7, START, "1.0"), versioned(9, START + 1, "3.0")]).await?;
    let expected = [versioned(7, START, "1.0"), versioned(newest, START + 1, "2.0")];
    assert_eq!(store.read_versioned_klines(&bars, all, None, 9).await?, expected);
    assert_eq!(store.read_versioned_klines(&bars, all, Some(START), 9).await?, expected[1..]);

    let ticks = trades("BTCUSDT");
    let at = |version, id| Versioned { version, ..trade(id, START) };
    store.upsert_trades(&ticks, &[at(5, 1), at(newest, 2)]).await?;
    store.upsert_trades(&ticks, &[at(7, 1), at(9, 2)]).await?;
    assert_eq!(store.read_versioned_trades(&ticks, all, None, 9).await?, [at(7, 1), at(newest, 2)]);
    assert_eq!(store.read_versioned_trades(&ticks, all, Some(1), 9).await?, [at(newest, 2)]);
    Ok(())
}
