//! `GET /views/trades`: trades of a symbol from the newest backwards.

use std::sync::Arc;

use serde::Serialize;
use streamforge_events::{Decimal, Millis, SeriesId, SeriesKind, Trade};
use streamforge_function::{
    api::{Problem, success},
    axum::{
        extract::{RawQuery, State},
        http::StatusCode,
        response::Response,
    },
};

use crate::{
    Views,
    asked::{Asked, ROWS},
};

/// Id, time, price, quantity, whether the buyer was the maker.
#[derive(Serialize)]
struct Row(i64, Millis, Decimal, Decimal, bool);

/// A page of trades, ascending by id.
#[derive(Serialize)]
struct Page {
    rows: Vec<Row>,
    /// Whether there are rows before these.
    earlier: bool,
}

pub(crate) async fn show(State(views): State<Arc<Views>>, RawQuery(text): RawQuery) -> Result<Response, Problem> {
    let asked = Asked::new(text, &["symbol", "before", "limit"])?;
    let series = SeriesId { symbol: asked.required("symbol")?, kind: SeriesKind::Trades };
    let (before, limit) = (asked.number("before")?, asked.limit(ROWS)?);
    let trades = views.store.read_trades_before(&series, before, limit + 1).await;
    let mut trades = trades.map_err(|error| Problem::unavailable(&error))?;
    let earlier = trades.len() > limit;
    if earlier {
        trades.remove(0);
    }
    let page = Page { rows: trades.into_iter().map(Row::from).collect(), earlier };
    Ok(success(StatusCode::OK, "trades, ascending", &page))
}

impl From<Trade> for Row {
    fn from(trade: Trade) -> Self {
        let Trade { trade_id, price, quantity, timestamp, is_buyer_maker } = trade;
        Self(trade_id, timestamp, price, quantity, is_buyer_maker)
    }
}
