//! `GET /views/symbols`: whatever is stored of each symbol.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;
use serde_json::json;
use streamforge_events::{Interval, SeriesId, SeriesKind, Symbol};
use streamforge_function::{
    api::{Problem, success},
    axum::{extract::State, http::StatusCode, response::Response},
};

use crate::Views;

/// A symbol and its series.
#[derive(Serialize)]
struct Listed {
    symbol: Symbol,
    intervals: Vec<Interval>,
    has_trades: bool,
}

pub(crate) async fn list(State(views): State<Arc<Views>>) -> Result<Response, Problem> {
    let series = views.store.series().await.map_err(|error| Problem::unavailable(&error))?;
    Ok(success(StatusCode::OK, "symbols by name", &json!({"symbols": by_symbol(series)})))
}

fn by_symbol(series: Vec<SeriesId>) -> Vec<Listed> {
    let mut found: BTreeMap<Symbol, Listed> = BTreeMap::new();
    for SeriesId { symbol, kind } in series {
        let listed = found.entry(symbol.clone()).or_insert(Listed { symbol, intervals: vec![], has_trades: false });
        match kind {
            SeriesKind::Klines(interval) => listed.intervals.push(interval),
            SeriesKind::Trades => listed.has_trades = true,
        }
    }
    let mut found: Vec<Listed> = found.into_values().collect();
    for listed in &mut found {
        listed.intervals.sort_unstable();
    }
    found
}
