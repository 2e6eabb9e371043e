//! Stores over a double, and what is stored in them.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use streamforge_events::{Decimal, Interval, Kline, Millis, SeriesId, SeriesKind, TimeRange};
use streamforge_store::{
    ArangoAccess, ArangoOptions, ArangoPassword, ArangoStore, BatchReport, Error, SeriesStore, Versioned,
    arangodb_double::Double,
};

pub(crate) const MINUTE: Millis = 60_000;
pub(crate) const DATABASE: &str = "streamforge";

/// Short pauses, and a patience that outlasts every trap.
pub(crate) fn options() -> ArangoOptions {
    ArangoOptions {
        access: ArangoAccess { password: ArangoPassword::Text("geheim".to_owned()), ..ArangoAccess::default() },
        request_timeout: Duration::from_secs(20),
        patience: Duration::from_mins(1),
        pause: Duration::from_millis(1),
        ..ArangoOptions::default()
    }
}

pub(crate) async fn open(double: &Double) -> Result<Arc<ArangoStore>, Error> {
    open_with(double, options()).await
}

pub(crate) async fn open_with(double: &Double, options: ArangoOptions) -> Result<Arc<ArangoStore>, Error> {
    ArangoStore::open(&double.url(Some("root"), DATABASE), options).await.map(Arc::new)
}

/// A double that asks for a password, and a store in it.
pub(crate) async fn start() -> (Double, Arc<ArangoStore>) {
    let double = Double::start().await;
    double.require_user("root", "geheim");
    let store = open(&double).await.unwrap();
    (double, store)
}

pub(crate) fn series() -> SeriesId {
    SeriesId { symbol: "BTCUSDT".parse().unwrap(), kind: SeriesKind::Klines(Interval::M1) }
}

/// Klines one after the other, all with this close.
pub(crate) fn bars(first: i64, count: i64, version: u64, close: &str) -> Vec<Versioned<Kline>> {
    let close: Decimal = close.parse().unwrap();
    let kline = |bar: i64| Kline {
        open_time: bar * MINUTE,
        open: close,
        high: close,
        low: close,
        close,
        volume: close,
        close_time: (bar + 1) * MINUTE - 1,
        quote_asset_volume: close,
        number_of_trades: 1,
        taker_buy_base_asset_volume: close,
        taker_buy_quote_asset_volume: close,
    };
    (first..first + count).map(|bar| Versioned { version, value: kline(bar) }).collect()
}

pub(crate) async fn stored(store: &ArangoStore) -> Vec<Kline> {
    let all = TimeRange::new(0, 1_000_000 * MINUTE).unwrap();
    store.read_klines(&series(), all, None, usize::MAX).await.unwrap()
}

/// That exactly these rows are stored.
pub(crate) async fn assert_stored(store: &ArangoStore, rows: &[Versioned<Kline>]) {
    let expected: Vec<Kline> = rows.iter().map(|row| row.value.clone()).collect();
    let found = stored(store).await;
    assert_eq!(found.len(), expected.len());
    assert_eq!(found, expected);
}

pub(crate) fn assert_whole(report: &BatchReport, rows: usize) {
    assert_eq!(report.items.len(), rows);
    assert!(report.items.iter().all(Result::is_ok), "{report:?}");
}

/// Versions of the stored candles in the order of their keys.
pub(crate) fn versions(double: &Double) -> Vec<u64> {
    let candles = double.documents(DATABASE, "candles");
    candles.iter().map(|candle: &Value| candle["version"].as_u64().unwrap()).collect()
}
