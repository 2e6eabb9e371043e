//! Reading series: exact, ascending, half-open, paged, and honest about what is missing.

use streamforge_events::{Interval, Millis, parse_instant};

use super::{
    Backend,
    samples::{MINUTE, START, kline, klines, range, row_of_klines, trade, trades, versioned},
};
use crate::{Coverage, Error, Gap, KlineCloses};

/// What is read is what was written, to the last decimal and with its scale.
pub async fn every_digit_survives(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let series = klines("PEPEUSDT", "1m");
    store.upsert_klines(&series, &[versioned(1, START, "0.00002829")]).await?;
    let again = backend.open().await?;
    let read = again.read_klines(&series, range(START, START + 1), None, 1).await?;
    // Decimals are equal whatever their scale; their texts are not.
    assert_eq!(format!("{read:?}"), format!("{:?}", [kline(START, "0.00002829")]));
    assert_eq!(read[0].volume.to_string(), "610009597781.00");

    store.upsert_trades(&trades("PEPEUSDT"), &[trade(i64::MAX, START)]).await?;
    let read = again.read_trades(&trades("PEPEUSDT"), range(START, START + 1), None, 1).await?;
    assert_eq!(format!("{read:?}"), format!("{:?}", [trade(i64::MAX, START).value]));
    Ok(())
}

/// Columns hold the double nearest to each decimal.
pub async fn columns_are_the_nearest_doubles(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let series = klines("PEPEUSDT", "1m");
    store.upsert_klines(&series, &row_of_klines([START + MINUTE, START, START + 2 * MINUTE])).await?;
    let columns = store.read_columns(&series, range(START, START + 2 * MINUTE)).await?;
    assert_eq!(columns.len(), 2);
    assert_eq!(columns.open_time, [START, START + MINUTE]);
    assert_eq!(columns.close_time, [START + MINUTE - 1, START + 2 * MINUTE - 1]);
    assert_eq!(columns.number_of_trades, [456, 456]);
    for (column, value) in [
        (&columns.open, 0.000_028_29),
        (&columns.high, 93_738.19),
        (&columns.low, 0.000_000_01),
        (&columns.close, 1.5),
        (&columns.volume, 610_009_597_781.0),
        (&columns.quote_asset_volume, 32_067_355_081_399.0),
        (&columns.taker_buy_base_asset_volume, 60.12),
        (&columns.taker_buy_quote_asset_volume, 0.0),
    ] {
        assert_eq!(*column, [value, value]);
    }
    let closes = store.read_closes(&series, range(START, START + 2 * MINUTE)).await?;
    assert_eq!((closes.open_time, closes.close), (columns.open_time, columns.close));
    Ok(())
}

/// A range holds its start and not its end, and comes in the order of time.
pub async fn range_is_half_open_and_ascending(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let series = klines("BTCUSDT", "1m");
    store.upsert_klines(&series, &row_of_klines((0..5).rev().map(|bar| START + bar * MINUTE))).await?;
    for (from, to, bars) in [(0, 5, 0..5), (1, 4, 1..4), (2, 3, 2..3), (5, 9, 0..0)] {
        let read = store.read_klines(&series, range(START + from * MINUTE, START + to * MINUTE), None, 100).await?;
        let opens: Vec<Millis> = read.iter().map(|kline| kline.open_time).collect();
        let expected: Vec<Millis> = bars.map(|bar| START + bar * MINUTE).collect();
        assert_eq!(opens, expected, "bars {from} to {to}");
    }
    Ok(())
}

/// Pages join without a hole or a repeat, also when the last one is full.
pub async fn pages_end_exactly_at_their_limit(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let series = klines("BTCUSDT", "1m");
    let all = range(START, START + 6 * MINUTE);
    store.upsert_klines(&series, &row_of_klines((0..6).map(|bar| START + bar * MINUTE))).await?;
    for (max, sizes) in [(3, vec![3, 3, 0]), (4, vec![4, 2]), (6, vec![6, 0]), (7, vec![6])] {
        let (mut after, mut read, mut found) = (None, Vec::new(), Vec::new());
        loop {
            let page = store.read_klines(&series, all, after, max).await?;
            found.push(page.len());
            after = page.last().map(|kline| kline.open_time).or(after);
            let full = page.len() == max;
            read.extend(page);
            if !full {
                break;
            }
        }
        assert_eq!(found, sizes, "pages of {max}");
        assert_eq!(read, store.read_klines(&series, all, None, 100).await?);
    }
    assert!(store.read_klines(&series, all, None, 0).await?.is_empty());
    assert_eq!(store.read_klines(&series, all, Some(START - MINUTE), 100).await?.len(), 6);
    assert!(store.read_klines(&series, all, Some(Millis::MAX), 100).await?.is_empty());
    Ok(())
}

/// Trades come by time, then id, and a page goes on after the trade that ended the last one.
pub async fn trades_are_read_by_time(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let series = trades("BTCUSDT");
    // Several trades in one millisecond are usual.
    let batch: Vec<_> =
        [(12, 2), (10, 1), (11, 1), (9, 0), (13, 2), (14, 3)].map(|(id, time)| trade(id, START + time)).into();
    store.upsert_trades(&series, &batch).await?;
    let ids = async |after, max| -> Result<Vec<i64>, Error> {
        let read = store.read_trades(&series, range(START + 1, START + 3), after, max).await?;
        Ok(read.iter().map(|trade| trade.trade_id).collect())
    };
    assert_eq!(ids(None, 100).await?, [10, 11, 12, 13]);
    assert_eq!(ids(None, 3).await?, [10, 11, 12]);
    assert_eq!(ids(Some(12), 3).await?, [13]);
    assert_eq!(ids(Some(9), 1).await?, [10]);
    assert!(ids(Some(13), 3).await?.is_empty());
    assert!(matches!(ids(Some(999), 3).await, Err(Error::Cursor(_))));
    Ok(())
}

/// The newest rows come first, page by page towards the beginning, each page ascending.
pub async fn newest_rows_are_read_first(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let (bars, all) = (klines("BTCUSDT", "1m"), trades("BTCUSDT"));
    store.upsert_klines(&bars, &row_of_klines((0..7).map(|bar| START + bar * MINUTE))).await?;
    // Neighbours whose names, as a database sorts them, are near.
    store.upsert_klines(&klines("BTCUSDT", "1M"), &row_of_klines([START])).await?;
    store.upsert_klines(&klines("btcusdt", "1m"), &row_of_klines([START])).await?;
    store.upsert_trades(&all, &(10..17).map(|id| trade(id, START + 17 - id)).collect::<Vec<_>>()).await?;
    store.upsert_trades(&trades("BTCUSDU"), &[trade(12, START)]).await?;
    for (before, max, expected) in [
        (None, 3, 4..7),
        (Some(4), 3, 1..4),
        (Some(1), 3, 0..1),
        (Some(0), 3, 0..0),
        (Some(100), 100, 0..7),
        (None, 0, 0..0),
    ] {
        let before_bar = before.map(|bar| START + bar * MINUTE);
        let read = store.read_klines_before(&bars, before_bar, max).await?;
        let opens: Vec<Millis> = read.iter().map(|kline| kline.open_time).collect();
        assert_eq!(opens, expected.clone().map(|bar| START + bar * MINUTE).collect::<Vec<_>>(), "{before:?}");
        let read = store.read_trades_before(&all, before.map(|number| 10 + number), max).await?;
        let ids: Vec<i64> = read.iter().map(|trade| trade.trade_id).collect();
        assert_eq!(ids, expected.map(|number| 10 + number).collect::<Vec<_>>(), "{before:?}");
    }
    for before in [i64::MIN, -1, 0] {
        assert!(store.read_klines_before(&bars, Some(before), 9).await?.is_empty());
        assert!(store.read_trades_before(&all, Some(before), 9).await?.is_empty());
    }
    assert_eq!(store.read_trades_before(&all, Some(i64::MAX), 1).await?.len(), 1);
    assert!(store.read_klines_before(&klines("NONE", "1m"), None, 9).await?.is_empty());
    assert!(store.read_trades_before(&trades("NONE"), None, 9).await?.is_empty());
    Ok(())
}

/// Names with leading digits, of other scripts, and that differ in case only are series of their own.
pub async fn symbols_of_all_kinds_are_kept_apart(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let names = ["1000SATSUSDT", "BTCUSDT", "btcusdt", "A.B-C_D", "币安人生USDT"];
    let mut expected = Vec::new();
    for (bar, name) in (0..).zip(names) {
        for interval in ["1m", "1M"] {
            let series = klines(name, interval);
            store.upsert_klines(&series, &row_of_klines([START + bar * MINUTE])).await?;
            expected.push(series);
        }
        store.upsert_trades(&trades(name), &[trade(bar, START)]).await?;
        expected.push(trades(name));
    }
    for (bar, name) in (0..).zip(names) {
        let coverage = store.coverage(&klines(name, "1m"), None).await?;
        assert_eq!((coverage.rows, coverage.first), (1, Some(START + bar * MINUTE)), "{name}");
    }
    expected.sort_by_key(|series| series.symbol.clone());
    assert_eq!(store.series().await?, expected);
    Ok(())
}

/// Of a series that was never written there is nothing, and asking does not create it.
pub async fn unknown_series_is_empty(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let all = range(0, START);
    assert!(store.read_klines(&klines("X", "1m"), all, None, 9).await?.is_empty());
    assert!(store.read_trades(&trades("X"), all, Some(3), 9).await?.is_empty());
    assert!(store.read_columns(&klines("X", "1m"), all).await?.is_empty());
    assert_eq!(store.read_closes(&klines("X", "1m"), all).await?, KlineCloses::default());
    assert!(store.loaded(&trades("X")).await?.is_empty());
    assert_eq!(store.coverage(&trades("X"), Some(all)).await?, Coverage::default());
    assert!(store.series().await?.is_empty());
    Ok(())
}

/// Klines are not asked of trades, nor trades of klines.
pub async fn wrong_kind_is_refused(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let all = range(0, START);
    let (bars, ticks) = (klines("X", "1m"), trades("X"));
    for error in [
        store.upsert_klines(&ticks, &row_of_klines([START])).await.err(),
        store.upsert_trades(&bars, &[trade(1, START)]).await.err(),
        store.read_klines(&ticks, all, None, 1).await.err(),
        store.read_trades(&bars, all, None, 1).await.err(),
        store.read_columns(&ticks, all).await.err(),
        store.read_closes(&ticks, all).await.err(),
    ] {
        assert!(matches!(error, Some(Error::Kind { .. })), "{error:?}");
    }
    Ok(())
}

/// A missing bar is a fact; the edges of the range are no gaps.
pub async fn coverage_reports_gaps(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let series = klines("BTCUSDT", "1m");
    store.upsert_klines(&series, &row_of_klines([0, 1, 4, 5, 7].map(|bar| START + bar * MINUTE))).await?;
    let gap = |from, to, missing| Gap { from: START + from * MINUTE, to: START + to * MINUTE, missing };
    let at = |bar| Some(START + bar * MINUTE);
    let whole = store.coverage(&series, None).await?;
    assert_eq!(
        whole,
        Coverage { rows: 5, first: at(0), last: at(7), gaps: vec![gap(2, 4, 2), gap(6, 7, 1)], numbers: None }
    );
    let part = store.coverage(&series, Some(range(START + MINUTE, START + 7 * MINUTE))).await?;
    assert_eq!(part, Coverage { rows: 3, first: at(1), last: at(5), gaps: vec![gap(2, 4, 2)], numbers: None });
    let edge = store.coverage(&series, Some(range(START + 2 * MINUTE, START + 4 * MINUTE))).await?;
    assert_eq!(edge, Coverage::default());
    assert_eq!(store.read_klines(&series, range(START, START + 8 * MINUTE), None, 100).await?.len(), 5);
    Ok(())
}

/// Months and weeks have no gaps where the calendar has none.
pub async fn coverage_follows_the_calendar(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let at = |text: &str| parse_instant(&format!("{text}T00:00:00Z")).expect("the samples are valid");
    let cases: [(&str, Vec<&str>, Vec<Gap>); 4] = [
        ("1M", vec!["2023-12-01", "2024-01-01", "2024-02-01", "2024-03-01"], vec![]),
        (
            "1M",
            vec!["2024-01-01", "2024-04-01"],
            vec![Gap { from: at("2024-02-01"), to: at("2024-04-01"), missing: 2 }],
        ),
        ("1w", vec!["2024-02-26", "2024-03-04", "2024-03-11"], vec![]),
        (
            "1w",
            vec!["2024-02-26", "2024-03-11"],
            vec![Gap { from: at("2024-03-04"), to: at("2024-03-11"), missing: 1 }],
        ),
    ];
    for (number, (interval, opens, gaps)) in cases.into_iter().enumerate() {
        let series = klines(&format!("CASE{number}"), interval);
        store.upsert_klines(&series, &row_of_klines(opens.iter().map(|open| at(open)))).await?;
        assert_eq!(store.coverage(&series, None).await?.gaps, gaps, "{interval} {opens:?}");
    }
    Ok(())
}

/// The exchange numbers the trades of a symbol without holes.
pub async fn coverage_of_trades_counts_missing_ids(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let series = trades("BTCUSDT");
    let batch = [(1, 0), (2, 0), (5, 7), (6, 9)].map(|(id, time)| trade(id, START + time));
    store.upsert_trades(&series, &batch).await?;
    let gaps = vec![Gap { from: START, to: START + 7, missing: 2 }];
    let whole = Coverage { rows: 4, first: Some(START), last: Some(START + 9), gaps, numbers: Some((1, 6)) };
    assert_eq!(store.coverage(&series, None).await?, whole);
    let part = store.coverage(&series, Some(range(START + 1, START + 9))).await?;
    let seventh = Some(START + 7);
    assert_eq!(part, Coverage { rows: 1, first: seventh, last: seventh, gaps: vec![], numbers: Some((5, 5)) });
    Ok(())
}

/// A month of minutes in batches of a thousand, each sent twice.
pub async fn coverage_of_many_rows(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let series = klines("BTCUSDT", "1m");
    let (bars, missing) = (44_640, 12_345);
    let opens: Vec<Millis> = (0..bars).filter(|&bar| bar != missing).map(|bar| START + bar * MINUTE).collect();
    for batch in opens.chunks(1000) {
        let rows = row_of_klines(batch.iter().copied());
        assert_eq!(store.upsert_klines(&series, &rows).await?.counts().inserted, batch.len());
        assert_eq!(store.upsert_klines(&series, &rows).await?.counts().unchanged, batch.len());
    }
    let coverage = store.coverage(&series, None).await?;
    let gap = Gap { from: START + missing * MINUTE, to: START + (missing + 1) * MINUTE, missing: 1 };
    assert_eq!((coverage.rows, coverage.gaps), (44_639, vec![gap]));
    let whole = range(START, START + bars * MINUTE);
    assert_eq!(Interval::M1.opens_in(whole), coverage.rows + 1);
    assert_eq!(store.read_columns(&series, whole).await?.open_time, opens);
    Ok(())
}
