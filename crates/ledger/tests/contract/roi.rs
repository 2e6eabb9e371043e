//! Predictions against what came: rows, pages and sums.

use std::num::NonZeroU32;

use streamforge_events::{Health, Interval, Prediction, Split};
use streamforge_ledger::{Outcome, RoiQuery, RoiRow};

use crate::Place;

const MINUTE: i64 = 60_000;

fn row(model: &str, symbol: &str, bar: i64) -> RoiRow {
    RoiRow {
        prediction: Prediction {
            model: model.parse().unwrap(),
            version: "1".parse().unwrap(),
            symbol: symbol.parse().unwrap(),
            interval: Interval::M1,
            open_time: bar * MINUTE,
            horizon: NonZeroU32::new(4).unwrap(),
            volatility: 0.1 + 0.2,
            probabilities: [0.25, 1.0 / 3.0, 0.416_666_666_666_666_63].into(),
            split: Split::Live,
            health: None,
        },
        due: (bar + 4) * MINUTE,
        predicted_class: "up".to_owned(),
        outcome: None,
    }
}

fn closed(row: RoiRow, class: &str, gain: f64) -> RoiRow {
    let outcome = Outcome { volatility: 1e-9, class: class.to_owned(), log_return: -0.1 / 3.0, gain };
    RoiRow { outcome: Some(outcome), ..row }
}

fn all() -> RoiQuery {
    RoiQuery::default()
}

pub(crate) async fn rows_are_read_as_they_were_kept(place: &Place) {
    let ledger = place.open().await;
    let mut rows = [row("gnn", "BTCUSDT", 1), closed(row("gnn", "BTCUSDT", 2), "down", -0.25)];
    rows[1].prediction.health = Some(Health { filled: 3, age: Some(1_200), ..Health::of(97, 96) });
    ledger.keep(&rows, 100).await.unwrap();
    ledger.keep(&rows, 100).await.unwrap();
    assert_eq!(place.open().await.roi(&all(), None, 10).await.unwrap(), rows);
    // What judges a model is told by its scores.
    let mut test = row("gnn", "BTCUSDT", 3);
    test.prediction.split = Split::Test;
    ledger.keep(&[test], 100).await.unwrap();
    ledger.keep(&[], 100).await.unwrap();
    assert_eq!(ledger.roi(&all(), None, 10).await.unwrap().len(), 2);
}

pub(crate) async fn later_readings_win_and_open_rows_are_closed(place: &Place) {
    let ledger = place.open().await;
    let open = row("gnn", "BTCUSDT", 1);
    let read = async || ledger.roi(&all(), None, 10).await.unwrap().remove(0);
    let mut other = open.clone();
    other.prediction.volatility = 0.75;
    ledger.keep(std::slice::from_ref(&open), 100).await.unwrap();
    ledger.keep(std::slice::from_ref(&other), 90).await.unwrap();
    assert_eq!(read().await, open, "an older reading changes nothing");
    ledger.keep(std::slice::from_ref(&other), 110).await.unwrap();
    assert_eq!(read().await, other);
    // A clock that was set back does not keep a row open.
    let first = closed(open.clone(), "down", -0.25);
    ledger.keep(std::slice::from_ref(&first), 50).await.unwrap();
    assert_eq!(read().await, first);
    let restated = closed(open.clone(), "up", 0.5);
    ledger.keep(std::slice::from_ref(&restated), 40).await.unwrap();
    ledger.keep(std::slice::from_ref(&open), 45).await.unwrap();
    assert_eq!(read().await, first);
    ledger.keep(std::slice::from_ref(&restated), 120).await.unwrap();
    assert_eq!(read().await, restated);
}

pub(crate) async fn pages_join_in_the_order_of_bytes(place: &Place) {
    let ledger = place.open().await;
    let mut rows = Vec::new();
    for model in ["B", "a", "a-1", "a_1", "ab"] {
        for symbol in ["BTCUSDT", "BTCusdt", "币安人生USDT"] {
            rows.extend([10, 9, -1, 100].map(|bar| row(model, symbol, bar)));
        }
    }
    ledger.keep(&rows, 1).await.unwrap();
    let mut found: Vec<RoiRow> = Vec::new();
    loop {
        let page = ledger.roi(&all(), found.last(), 7).await.unwrap();
        if page.is_empty() {
            break;
        }
        found.extend(page);
    }
    rows.sort_by_key(|row| {
        let Prediction { model, symbol, open_time, .. } = &row.prediction;
        (model.to_string(), symbol.to_string(), *open_time)
    });
    assert_eq!(found, rows);
    let query = RoiQuery {
        model: "a".parse().ok(),
        version: "1".parse().ok(),
        symbol: "BTCusdt".parse().ok(),
        interval: Some(Interval::M1),
        is_open: true,
    };
    assert_eq!(ledger.roi(&query, None, 10).await.unwrap().len(), 4);
    let none = RoiQuery { interval: Some(Interval::H1), ..query };
    assert!(ledger.roi(&none, None, 10).await.unwrap().is_empty());
}

pub(crate) async fn open_rows_are_found(place: &Place) {
    let ledger = place.open().await;
    let rows = [
        row("gnn", "BTCUSDT", 1),
        closed(row("gnn", "BTCUSDT", 2), "down", 0.0),
        row("gnn", "BTCUSDT", 3),
        row("gnn", "BTCUSDT", 4),
        closed(row("gnn", "ETHUSDT", 1), "up", 0.0),
    ];
    ledger.keep(&rows, 1).await.unwrap();
    let (bitcoin, until) = ("BTCUSDT".parse().unwrap(), 7 * MINUTE);
    let found = ledger.newest_open(&bitcoin, Interval::M1, until, 10).await.unwrap();
    assert_eq!(found, [rows[2].clone(), rows[0].clone()]);
    assert_eq!(ledger.newest_open(&bitcoin, Interval::M1, until, 1).await.unwrap(), [rows[2].clone()]);
    assert!(ledger.newest_open(&bitcoin, Interval::H1, until, 1).await.unwrap().is_empty());
    assert_eq!(ledger.roi_series(true).await.unwrap(), [(bitcoin, Interval::M1)]);
    assert_eq!(ledger.roi_series(false).await.unwrap().len(), 2);
}

pub(crate) async fn a_large_batch_with_repetitions_is_kept(place: &Place) {
    let ledger = place.open().await;
    let mut rows: Vec<RoiRow> = (0..1_234).map(|bar| row("gnn", "BTCUSDT", bar)).collect();
    rows.extend(rows.clone());
    fastrand::shuffle(&mut rows);
    let racing = (0..4).map(|_| ledger.keep(&rows, 1));
    for outcome in futures::future::join_all(racing).await {
        outcome.unwrap();
    }
    assert_eq!(ledger.roi(&all(), None, 5_000).await.unwrap().len(), 1_234);
}

pub(crate) async fn sums_are_those_of_the_rows(place: &Place) {
    let ledger = place.open().await;
    let rows = [
        row("gnn", "BTCUSDT", 1),
        closed(row("gnn", "BTCUSDT", 2), "up", 0.5),
        closed(row("gnn", "BTCUSDT", 3), "down", -0.25),
        row("other", "BTCUSDT", 1),
    ];
    ledger.keep(&rows, 1).await.unwrap();
    let sums = ledger.roi_summary(None).await.unwrap();
    let told: Vec<_> = sums.iter().map(|sum| (sum.predictions, sum.closed, sum.right, sum.mean_gain)).collect();
    assert_eq!(told, [(3, 2, 1, Some(0.125)), (1, 0, 0, None)]);
    let other = "other".parse().unwrap();
    assert_eq!(ledger.roi_summary(Some(&other)).await.unwrap(), [sums[1].clone()]);
}
