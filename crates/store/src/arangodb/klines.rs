//! Klines in `ArangoDB`: one document a kline, under a key that sorts by series, then open time.

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Value, json};
use std::fmt;
use streamforge_events::{Decimal, Interval, Kline, KlineColumns, Millis, SeriesId, SeriesKind, TimeRange};

use super::{
    ArangoStore, aql,
    documents::json as bytes,
    failure::Failure,
    names::{self, record_key, series_key},
};
use crate::{BatchReport, Coverage, KlineCloses, MAX_VERSION, Reject, Versioned, tally::KlineTally};

/// A kline as it is stored, under the names of the wire.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "_key")]
    key: &'a str,
    symbol: &'a str,
    interval: &'static str,
    version: u64,
    #[serde(flatten)]
    kline: &'a Kline,
}

impl ArangoStore {
    pub(super) async fn store_klines(
        &self,
        series: &SeriesId,
        rows: &[Versioned<Kline>],
    ) -> Result<BatchReport, Failure> {
        if rows.is_empty() {
            return Ok(BatchReport::default());
        }
        self.note(series).await?;
        let checks: Vec<Result<(), Reject>> = rows.iter().map(check).collect();
        let (prefix, interval) = (series_key(series), interval_of(series));
        let document = |row: &Versioned<Kline>| {
            let key = record_key(&prefix, row.value.open_time);
            let symbol = series.symbol.as_str();
            let body = bytes(&Document { key: &key, symbol, interval, version: row.version, kline: &row.value })?;
            Ok((key, body))
        };
        self.upsert_survivors(names::CANDLES, rows, checks, |kline| kline.open_time, |kline| kline, document).await
    }

    pub(super) async fn klines(
        &self,
        series: &SeriesId,
        range: TimeRange,
        after: Option<Millis>,
        max: usize,
    ) -> Result<Vec<Versioned<Kline>>, Failure> {
        let from = after.map_or(range.from(), |after| after.saturating_add(1).max(range.from()));
        let rows = self.candles(aql::KLINES, series, (from, range.to()), max, |row: &KlineRow| row.0).await?;
        Ok(rows.into_iter().map(Versioned::from).collect())
    }

    pub(super) async fn klines_before(
        &self,
        series: &SeriesId,
        before: Option<Millis>,
        max: usize,
    ) -> Result<Vec<Kline>, Failure> {
        let (prefix, interval) = (series_key(series), interval_of(series));
        let before = before.unwrap_or(Millis::MAX).max(0);
        let variables = |last: Option<&KlineRow>, limit: usize| -> Value {
            json!({
                "from": record_key(&prefix, 0),
                "to": record_key(&prefix, last.map_or(before, |last| last.0)),
                "symbol": series.symbol,
                "interval": interval,
                "limit": limit,
            })
        };
        let rows = self.pages(aql::KLINES_BEFORE, max, variables).await?;
        Ok(rows.into_iter().rev().map(|row| Versioned::from(row).value).collect())
    }

    pub(super) async fn columns(&self, series: &SeriesId, range: TimeRange) -> Result<KlineColumns, Failure> {
        let span = (range.from(), range.to());
        let rows = self.candles(aql::KLINES, series, span, usize::MAX, |row: &DoubleRow| row.0).await?;
        let mut columns = KlineColumns::default();
        for row in rows {
            columns.open_time.push(row.0);
            columns.open.push(row.1.0);
            columns.high.push(row.2.0);
            columns.low.push(row.3.0);
            columns.close.push(row.4.0);
            columns.volume.push(row.5.0);
            columns.close_time.push(row.6);
            columns.quote_asset_volume.push(row.7.0);
            columns.number_of_trades.push(row.8);
            columns.taker_buy_base_asset_volume.push(row.9.0);
            columns.taker_buy_quote_asset_volume.push(row.10.0);
        }
        Ok(columns)
    }

    pub(super) async fn closes(&self, series: &SeriesId, range: TimeRange) -> Result<KlineCloses, Failure> {
        let span = (range.from(), range.to());
        let rows = self.candles(aql::CLOSES, series, span, usize::MAX, |row: &(Millis, Double)| row.0).await?;
        let (open_time, close) = rows.into_iter().map(|(open, close)| (open, close.0)).unzip();
        Ok(KlineCloses { open_time, close })
    }

    pub(super) async fn coverage_of_klines(
        &self,
        series: &SeriesId,
        interval: Interval,
        range: Option<TimeRange>,
    ) -> Result<Coverage, Failure> {
        let span = range.map_or((0, Millis::MAX), |range| (range.from(), range.to()));
        let opens: Vec<Millis> = self.candles(aql::OPEN_TIMES, series, span, usize::MAX, |open| *open).await?;
        let mut tally = KlineTally::new(interval);
        for open in opens {
            tally.add(open);
        }
        Ok(tally.finish())
    }

    async fn candles<T>(
        &self,
        text: &str,
        series: &SeriesId,
        (from, to): (Millis, Millis),
        max: usize,
        open_time: impl Fn(&T) -> Millis + Send + Sync,
    ) -> Result<Vec<T>, Failure>
    where
        T: de::DeserializeOwned + Send + Sync,
    {
        let (prefix, interval) = (series_key(series), interval_of(series));
        let variables = |last: Option<&T>, limit: usize| -> Value {
            let from = last.map_or(from, |last| open_time(last).saturating_add(1)).max(0);
            json!({
                "from": record_key(&prefix, from),
                "to": record_key(&prefix, to.max(0)),
                "symbol": series.symbol,
                "interval": interval,
                "limit": limit,
            })
        };
        self.pages(text, max, variables).await
    }
}

fn check(row: &Versioned<Kline>) -> Result<(), Reject> {
    if row.version >= MAX_VERSION {
        return Err(Reject::Version(row.version));
    }
    if i64::try_from(row.value.number_of_trades).is_err() {
        return Err(Reject::TooLarge { field: "number_of_trades", value: row.value.number_of_trades });
    }
    if row.value.open_time < 0 {
        return Err(Reject::Range { field: "open_time", value: row.value.open_time });
    }
    Ok(())
}

fn interval_of(series: &SeriesId) -> &'static str {
    match series.kind {
        SeriesKind::Klines(interval) => interval.as_str(),
        SeriesKind::Trades => "",
    }
}

/// A kline and its version in the order of [`aql::KLINES`], each decimal as a `D`.
#[derive(Deserialize)]
struct RowOf<D>(Millis, D, D, D, D, D, Millis, D, u64, D, D, u64);

type KlineRow = RowOf<Decimal>;
type DoubleRow = RowOf<Double>;

impl From<KlineRow> for Versioned<Kline> {
    fn from(row: KlineRow) -> Self {
        let value = Kline {
            open_time: row.0,
            open: row.1,
            high: row.2,
            low: row.3,
            close: row.4,
            volume: row.5,
            close_time: row.6,
            quote_asset_volume: row.7,
            number_of_trades: row.8,
            taker_buy_base_asset_volume: row.9,
            taker_buy_quote_asset_volume: row.10,
        };
        Self { version: row.11, value }
    }
}

/// The nearest double to a decimal that is stored as text.
struct Double(f64);

impl<'de> Deserialize<'de> for Double {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Double;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a decimal number as a string")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Double, E> {
                text.parse().map(Double).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}
