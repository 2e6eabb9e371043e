//! Shows how complete what is stored of a symbol is.

use std::sync::Arc;

use serde_json::json;
use streamforge_events::{Interval, Millis, Symbol, TimeRange, parse_instant};
use streamforge_function::{
    api::{Problem, parse_query, success},
    axum::{
        extract::{RawQuery, State},
        http::StatusCode,
        response::Response,
    },
};
use streamforge_store::completeness;

use super::ApiState;
use crate::engine::Error;

/// What a caller asks for.
#[derive(Debug, PartialEq)]
struct Asked {
    symbol: Symbol,
    interval: Option<Interval>,
    range: Option<TimeRange>,
}

/// `GET /coverage`: each stored series of a symbol, with what is missing and why.
pub(super) async fn show(State(state): State<Arc<ApiState>>, RawQuery(text): RawQuery) -> Result<Response, Problem> {
    let Asked { symbol, interval, range } = asked(text.as_deref().unwrap_or_default())?;
    let found = completeness(state.engine.store(), &symbol, interval, range, state.engine.now()).await;
    let found = found.map_err(|error| Problem::from(Error::Store(error)))?;
    if found.is_empty() {
        let message = format!("nothing like it is stored of {symbol}");
        return Err(Problem::new(StatusCode::NOT_FOUND, "unknown_series", message));
    }
    Ok(success(StatusCode::OK, "coverage", &json!({"series": found})))
}

fn asked(text: &str) -> Result<Asked, Problem> {
    let (mut symbol, mut interval, mut from, mut to) = (None, None, None, None);
    for (name, value) in parse_query(text, &["symbol", "interval", "from", "to"])? {
        match name.as_str() {
            "symbol" => symbol = Some(parsed("symbol", &value)?),
            "interval" => interval = Some(parsed("interval", &value)?),
            "from" => from = Some(instant("from", &value)?),
            _ => to = Some(instant("to", &value)?),
        }
    }
    let symbol = symbol.ok_or_else(|| Problem::field("missing_field", "symbol", "symbol is missing"))?;
    let all = TimeRange::WIDEST;
    let range = TimeRange::new(from.unwrap_or(all.from()), to.unwrap_or(all.to()))
        .map_err(|error| Problem::field("invalid_range", "from", error.to_string()))?;
    Ok(Asked { symbol, interval, range: from.or(to).map(|_| range) })
}

fn parsed<T: std::str::FromStr<Err = streamforge_events::Error>>(
    field: &'static str,
    text: &str,
) -> Result<T, Problem> {
    text.parse().map_err(|error: streamforge_events::Error| Problem::field("invalid_field", field, error.to_string()))
}

fn instant(field: &'static str, text: &str) -> Result<Millis, Problem> {
    let message = format!("{field} must be an RFC 3339 instant or milliseconds since 1970");
    let found = parse_instant(text).or_else(|| text.parse().ok());
    found.ok_or_else(|| Problem::field("invalid_field", field, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_names_a_symbol_and_maybe_more() {
        let all = asked("symbol=BTCUSDT").unwrap();
        assert_eq!((all.symbol.as_str(), all.interval, all.range), ("BTCUSDT", None, None));
        let some = asked("symbol=BTCUSDT&interval=1M&from=2024-06-01T00:00:00Z&to=1717200000001").unwrap();
        let range = TimeRange::new(1_717_200_000_000, 1_717_200_000_001).unwrap();
        assert_eq!((some.interval, some.range), (Some(Interval::Mo1), Some(range)));
        for text in [
            "",
            "interval=1m",
            "symbol=../x",
            "symbol=A&interval=2m",
            "symbol=A&from=noon",
            "symbol=A&to=-5",
            "symbol=A&from=5&to=5",
            "symbol=A&other=1",
        ] {
            assert!(asked(text).is_err(), "{text}");
        }
    }
}
