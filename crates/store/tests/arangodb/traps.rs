//! Each thing that can go wrong with a request, in turn: afterwards nothing is lost, doubled or older than before.

use std::time::Duration;

use streamforge_events::{Kline, TimeRange};
use streamforge_store::{
    Applied, ArangoOptions, Class, Error, Reject, SeriesStore,
    arangodb_double::{Double, Fault, Trap},
};

use crate::support::{
    DATABASE, assert_stored, assert_whole, bars, open_with, options, series, start, stored, versions,
};

const WRITES: &str = "/_api/document/candles";
const READS: &str = "/_api/cursor";

fn refuse(status: u16, number: u32) -> Fault {
    Fault::Refuse { status, number }
}

/// Tokens may be forgotten again and again, as by servers that start anew one after the other; one that is refused for
/// good says so.
#[tokio::test]
async fn a_call_logs_in_as_often_as_its_patience_allows() {
    let (double, store) = start().await;
    double.set(Trap { times: 9, ..Trap::once("POST", WRITES, Fault::ForgetTokens) });
    let rows = bars(0, 3, 1, "1.5");
    assert_whole(&store.upsert_klines(&series(), &rows).await.unwrap(), 3);
    assert_stored(&store, &rows).await;
    let hasty = ArangoOptions { patience: Duration::from_millis(300), ..options() };
    let store = open_with(&double, hasty).await.unwrap();
    double.set(Trap { times: 10_000, ..Trap::once("POST", WRITES, Fault::ForgetTokens) });
    let error = store.upsert_klines(&series(), &rows).await.unwrap_err();
    assert!(matches!(error, Error::Unauthorized { .. }), "{error}");
}

/// Everything that passes: the caller notices nothing.
#[tokio::test]
async fn passing_faults_change_nothing() {
    let faults = [
        Fault::LoseReply,
        Fault::Drop,
        Fault::Html,
        Fault::ForgetTokens,
        refuse(412, 21004),
        refuse(409, 1200),
        refuse(403, 1004),
        refuse(503, 1429),
        refuse(503, 21003),
        refuse(503, 1496),
        refuse(500, 18),
        refuse(500, 1457),
        refuse(410, 1500),
        Fault::LockSome { every: 1 },
        Fault::LockSome { every: 7 },
    ];
    for fault in faults {
        let (double, store) = start().await;
        let old = bars(0, 100, 5, "1.5");
        let new = bars(50, 100, 7, "2.5");
        for rows in [&old, &new, &old] {
            double.set(Trap { times: 2, ..Trap::once("POST", WRITES, fault) });
            assert_whole(&store.upsert_klines(&series(), rows).await.unwrap(), 100);
            double.set(Trap { times: 2, ..Trap::once("POST", READS, fault) });
            drop(stored(&store).await);
            assert!(double.sprung() >= 2, "{fault:?}");
            double.calm();
        }
        let expected: Vec<_> = old[..50].iter().chain(&new).cloned().collect();
        assert_stored(&store, &expected).await;
        let newest = expected.iter().map(|row| row.version).collect::<Vec<_>>();
        assert_eq!(versions(&double), newest, "{fault:?}");
    }
}

/// A request that was carried out but never answered is made again when its time is over.
#[tokio::test]
async fn timeout_after_the_write_changes_nothing() {
    for fault in [Fault::HangAfter, Fault::Hang] {
        let (double, _store) = start().await;
        let options = ArangoOptions { request_timeout: Duration::from_millis(200), ..options() };
        let store = open_with(&double, options).await.unwrap();
        let rows = bars(0, 100, 1, "1.5");
        double.set(Trap::once("POST", WRITES, fault));
        assert_whole(&store.upsert_klines(&series(), &rows).await.unwrap(), 100);
        assert_eq!(double.sprung(), 1);
        assert_stored(&store, &rows).await;
    }
}

/// Only the documents that were locked are sent again: the others are told as what they became at first.
#[tokio::test]
async fn locked_documents_alone_are_sent_again() {
    let (double, store) = start().await;
    double.set(Trap::once("POST", WRITES, Fault::LockSome { every: 3 }));
    let asked = double.requests();
    let report = store.upsert_klines(&series(), &bars(0, 100, 1, "1.5")).await.unwrap();
    assert_eq!(report.counts().inserted, 100);
    // The note of the series is read and written, the batch is sent twice.
    assert_eq!(double.requests() - asked, 4);
}

/// A document that the database refuses for what it is becomes a reject in its place; the others are stored.
#[tokio::test]
async fn refused_documents_are_told_in_their_place() {
    for number in [1221, 1227, 1233, 1216, 1620, 1210] {
        let (double, store) = start().await;
        double.set(Trap::once("POST", WRITES, Fault::RefuseSome { every: 40, number }));
        let report = store.upsert_klines(&series(), &bars(0, 100, 1, "1.5")).await.unwrap();
        for (index, item) in report.items.iter().enumerate() {
            let is_refused = matches!(item, Err(Reject::Refused { number: found, .. }) if *found == number);
            assert_eq!(is_refused, index % 40 == 0, "{number}: row {index} {item:?}");
        }
        assert_eq!(stored(&store).await.len(), 97);
        assert_eq!(double.sprung(), 1);
    }
}

/// What every document is refused for is no fault of a document.
#[tokio::test]
async fn forbidden_write_is_the_fault_of_the_store() {
    let (double, store) = start().await;
    double.set(Trap::once("POST", WRITES, Fault::RefuseSome { every: 2, number: 11 }));
    let error = store.upsert_klines(&series(), &bars(0, 10, 1, "1.5")).await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    assert_eq!(error.class(), Class::Fatal);
    double.set(Trap::once("POST", WRITES, refuse(403, 11)));
    let error = store.upsert_klines(&series(), &bars(0, 10, 1, "1.5")).await.unwrap_err();
    assert_eq!(error.class(), Class::Fatal);
}

/// A batch that is too large is halved until it fits; a document that never fits is a reject.
#[tokio::test]
async fn batch_that_is_too_large_is_halved() {
    let (double, store) = start().await;
    double.set_largest_body(4_000);
    let rows = bars(0, 100, 1, "1.5");
    let report = store.upsert_klines(&series(), &rows).await.unwrap();
    assert_eq!(report.items, vec![Ok(Applied::Inserted); 100]);
    assert_stored(&store, &rows).await;
    double.set_largest_body(200);
    let report = store.upsert_klines(&series(), &rows[..4]).await.unwrap();
    assert!(report.items.iter().all(|item| matches!(item, Err(Reject::Bytes(_)))), "{report:?}");
}

/// Requests keep to their limits, whatever is stored at once.
#[tokio::test]
async fn large_batch_is_sent_in_parts() {
    let (double, _store) = start().await;
    let options = ArangoOptions { batch_documents: 30, batch_bytes: 5_000, page_rows: 7, ..options() };
    let store = open_with(&double, options).await.unwrap();
    double.set_largest_body(5_000);
    let rows = bars(0, 1_000, 1, "1.5");
    assert_whole(&store.upsert_klines(&series(), &rows).await.unwrap(), 1_000);
    assert_stored(&store, &rows).await;
}

/// Rows of a query come over several replies; when one of them fails the query is asked anew, never cut short.
#[tokio::test]
async fn cursor_that_breaks_is_never_a_short_answer() {
    let faults = [Fault::ForgetCursors, Fault::LoseReply, Fault::Drop, Fault::Html, Fault::ForgetTokens];
    for fault in faults {
        let (double, store) = start().await;
        let rows = bars(0, 100, 1, "1.5");
        store.upsert_klines(&series(), &rows).await.unwrap();
        double.set_cursor_rows(30);
        double.set(Trap { after: 1, ..Trap::once("POST", "/_api/cursor/", fault) });
        assert_stored(&store, &rows).await;
        assert_eq!(double.sprung(), 1, "{fault:?}");
        assert_eq!(store.series().await.unwrap(), [series()]);
    }
}

/// A page that needs too much memory is asked for in smaller ones.
#[tokio::test]
async fn page_that_is_too_large_is_made_smaller() {
    let (double, store) = start().await;
    let rows = bars(0, 100, 1, "1.5");
    store.upsert_klines(&series(), &rows).await.unwrap();
    double.set(Trap { times: 8, ..Trap::once("POST", READS, refuse(500, 32)) });
    assert_stored(&store, &rows).await;
    assert_eq!(double.sprung(), 8);
}

/// The token ends between two requests, and again and again.
#[tokio::test]
async fn token_that_ends_is_renewed_once_for_all() {
    let (double, store) = start().await;
    for round in 0..5 {
        double.forget_tokens();
        let upserts = (0..6).map(|part| {
            let (store, rows) = (store.clone(), bars(round * 60 + part * 10, 10, 1, "1.5"));
            async move { store.upsert_klines(&series(), &rows).await }
        });
        for report in futures::future::join_all(upserts).await {
            assert_whole(&report.unwrap(), 10);
        }
    }
    assert_stored(&store, &bars(0, 300, 1, "1.5")).await;
}

/// A reply that does not tell of each document is not taken for one that does; the batch may come again.
#[tokio::test]
async fn silent_reply_is_not_believed() {
    let (double, store) = start().await;
    let rows = bars(0, 100, 1, "1.5");
    double.set(Trap::once("POST", WRITES, Fault::Silent));
    let error = store.upsert_klines(&series(), &rows).await.unwrap_err();
    assert!(matches!(error, Error::Unfit { .. }), "{error}");
    assert_whole(&store.upsert_klines(&series(), &rows).await.unwrap(), 100);
    assert_stored(&store, &rows).await;
}

/// Two calls with the same key in them never have it on its way at once.
#[tokio::test]
async fn overlapping_batches_leave_the_newest() {
    let (double, store) = start().await;
    let upserts = (1..=20).rev().map(|version| {
        let (store, rows) = (store.clone(), bars(0, 50, version, &format!("{version}.0")));
        async move { store.upsert_klines(&series(), &rows).await }
    });
    for report in futures::future::join_all(upserts).await {
        assert_whole(&report.unwrap(), 50);
    }
    assert_eq!(double.overlaps(), 0);
    assert_eq!(versions(&double), [20; 50]);
    assert_stored(&store, &bars(0, 50, 20, "20.0")).await;
}

/// Stored documents have the names of the wire, and a series of another case beside them does no harm.
#[tokio::test]
async fn documents_can_be_read_by_people() {
    let (double, store) = start().await;
    let (minute, month) = (series(), "BTCUSDT-1M");
    let months = streamforge_events::SeriesId {
        kind: streamforge_events::SeriesKind::Klines(streamforge_events::Interval::Mo1),
        ..minute.clone()
    };
    let rows = bars(0, 3, 1, "1.50");
    store.upsert_klines(&months, &bars(1, 1, 1, "9.0")).await.unwrap();
    store.upsert_klines(&minute, &rows).await.unwrap();
    let candles = double.documents(DATABASE, "candles");
    assert_eq!(candles.len(), 4, "{month}");
    let first = candles.iter().find(|candle| candle["interval"] == "1m" && candle["open_time"] == 0).unwrap();
    assert_eq!((&first["symbol"], &first["open"]), (&"BTCUSDT".into(), &"1.50".into()));
    let read: Vec<Kline> = store.read_klines(&minute, TimeRange::new(0, 1_000_000).unwrap(), None, 99).await.unwrap();
    assert_eq!(read.len(), 3);
    let _: &Double = &double;
}
