//! `GET /views/klines`: bars of a series from the newest backwards, and where some are missing.

use std::sync::Arc;

use serde::Serialize;
use streamforge_events::{Decimal, Interval, Kline, Millis, SeriesId, SeriesKind, Symbol, TimeRange};
use streamforge_function::{
    api::{Problem, success},
    axum::{
        extract::{RawQuery, State},
        http::StatusCode,
        response::Response,
    },
};
use streamforge_store::{Gap, Store};

use crate::{
    Views,
    asked::{Asked, ROWS},
};

/// Open time, open, high, low, close, volume.
#[derive(Serialize)]
struct Row(Millis, Decimal, Decimal, Decimal, Decimal, Decimal);

/// A page of bars.
#[derive(Serialize)]
struct Page {
    /// Ascending.
    rows: Vec<Row>,
    /// Among the rows, before the first if there are earlier ones, and after the last if there are later ones.
    gaps: Vec<Gap>,
    /// Whether there are rows before these.
    earlier: bool,
}

pub(crate) async fn show(State(views): State<Arc<Views>>, RawQuery(text): RawQuery) -> Result<Response, Problem> {
    let asked = Asked::new(text, &["symbol", "interval", "before", "limit"])?;
    let symbol: Symbol = asked.required("symbol")?;
    let interval: Interval = asked.required("interval")?;
    let (before, limit) = (asked.instant("before")?, asked.limit(ROWS)?);
    let series = SeriesId { symbol, kind: SeriesKind::Klines(interval) };
    let page = read(views.store.as_ref(), &series, interval, before, limit).await;
    Ok(success(StatusCode::OK, "klines, ascending", &page.map_err(|error| Problem::unavailable(&error))?))
}

async fn read(
    store: &dyn Store,
    series: &SeriesId,
    interval: Interval,
    before: Option<Millis>,
    limit: usize,
) -> Result<Page, streamforge_store::Error> {
    // One more tells whether there are earlier ones, and how large the gap to them is.
    let mut klines = store.read_klines_before(series, before, limit + 1).await?;
    let after = match before.and_then(|before| TimeRange::new(before, TimeRange::WIDEST.to()).ok()) {
        Some(range) => store.read_klines(series, range, None, 1).await?.first().map(|kline| kline.open_time),
        None => None,
    };
    let opens: Vec<Millis> = klines.iter().map(|kline| kline.open_time).chain(after).collect();
    let earlier = klines.len() > limit;
    if earlier {
        klines.remove(0);
    }
    Ok(Page { gaps: gaps(interval, &opens), earlier, rows: klines.into_iter().map(Row::from).collect() })
}

/// What is missing between open times.
fn gaps(interval: Interval, opens: &[Millis]) -> Vec<Gap> {
    let gap = |pair: &[Millis]| {
        let missing = interval.missing_between(pair[0], pair[1]);
        (missing > 0).then(|| Gap { from: interval.next_open(pair[0]), to: pair[1], missing })
    };
    opens.windows(2).filter_map(gap).collect()
}

impl From<Kline> for Row {
    fn from(kline: Kline) -> Self {
        let Kline { open_time, open, high, low, close, volume, .. } = kline;
        Self(open_time, open, high, low, close, volume)
    }
}
