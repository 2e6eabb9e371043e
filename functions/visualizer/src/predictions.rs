//! `GET /views/predictions`: what models said of a symbol, what came, and how sound the bars behind it were.

use std::sync::Arc;

use serde_json::{Value, json};
use streamforge_events::Prediction;
use streamforge_function::{
    api::{Problem, success},
    axum::{
        extract::{RawQuery, State},
        http::StatusCode,
        response::Response,
    },
};
use streamforge_hindsight::{History, is_same_series, shown};
use streamforge_store::PredictionQuery;

use crate::{Views, asked::Asked};

/// More than a screen is wide; the answer says where it has left some out.
const MOST: usize = 5000;

pub(crate) async fn show(State(views): State<Arc<Views>>, RawQuery(text): RawQuery) -> Result<Response, Problem> {
    let asked = Asked::new(text, &["symbol", "interval", "from", "to"])?;
    let query = PredictionQuery {
        symbol: Some(asked.required("symbol")?),
        interval: Some(asked.required("interval")?),
        range: asked.range()?,
        ..PredictionQuery::default()
    };
    let found = views.store.read_predictions(&query, None, MOST + 1).await;
    let mut found = found.map_err(|error| Problem::unavailable(&error))?;
    let is_complete = found.len() <= MOST;
    found.truncate(MOST);
    let shown = with_what_came(&views, &found).await?;
    let data = json!({"predictions": shown, "is_complete": is_complete});
    Ok(success(StatusCode::OK, "predictions beside what came", &data))
}

async fn with_what_came(views: &Views, found: &[Prediction]) -> Result<Vec<Value>, Problem> {
    let mut history = History::new(views.store.as_ref(), Some(views.models.clone()));
    let mut rows = Vec::with_capacity(found.len());
    for run in found.chunk_by(is_same_series) {
        let came = history.of(run).await.map_err(|error| Problem::unavailable(&error))?;
        rows.extend(run.iter().zip(&came).map(|(prediction, came)| shown(prediction, came.as_ref())));
    }
    Ok(rows)
}
