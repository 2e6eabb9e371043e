//! [`PredictionStore`] on `ArangoDB`: one document a prediction, with an attribute that sorts as its identity does.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;
use streamforge_events::{Health, Millis, Prediction};

use super::{
    ArangoStore, aql,
    documents::json as bytes,
    failure::Failure,
    names::{self, digest_key, hex},
};
use crate::{BatchReport, Error, MAX_VERSION, PredictionQuery, PredictionStore, Reject, Versioned};

/// A prediction as it is stored; its own version is that of the model.
#[derive(Serialize, Deserialize)]
struct Document {
    #[serde(rename = "_key")]
    key: String,
    order: String,
    version: u64,
    model_version: String,
    #[serde(flatten)]
    content: Content,
}

/// What is kept of a prediction beside its version.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct Content {
    model: String,
    symbol: String,
    interval: String,
    open_time: Millis,
    horizon: u32,
    split: String,
    volatility: f64,
    down: f64,
    sideways: f64,
    up: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    health: Option<Health>,
}

#[async_trait]
impl PredictionStore for ArangoStore {
    async fn upsert_predictions(&self, rows: &[Versioned<Prediction>]) -> Result<BatchReport, Error> {
        self.named(self.store_predictions(rows).await)
    }

    async fn read_versioned_predictions(
        &self,
        query: &PredictionQuery,
        after: Option<&Prediction>,
        max: usize,
    ) -> Result<Vec<Versioned<Prediction>>, Error> {
        let (from, to) = query.range.map_or((Millis::MIN, Millis::MAX), |range| (range.from(), range.to()));
        let after = after.map(order).unwrap_or_default();
        let variables = |last: Option<&Document>, limit: usize| {
            json!({
                "after": last.map_or(&after, |last| &last.order),
                // No order has this letter.
                "end": "g",
                "model": query.model,
                "version": query.version,
                "split": query.split,
                "symbol": query.symbol,
                "interval": query.interval,
                "from": from,
                "to": to,
                "limit": limit,
            })
        };
        let found: Result<Vec<Document>, Failure> = self.pages(aql::PREDICTIONS, max, variables).await;
        let versioned = |found: Document| Ok(Versioned { version: found.version, value: prediction(found)? });
        self.named(found.and_then(|found| found.into_iter().map(versioned).collect()))
    }
}

impl ArangoStore {
    async fn store_predictions(&self, rows: &[Versioned<Prediction>]) -> Result<BatchReport, Failure> {
        if rows.is_empty() {
            return Ok(BatchReport::default());
        }
        let checks = rows.iter().map(check).collect();
        let orders: Vec<String> = rows.iter().map(|row| order(&row.value)).collect();
        let rows: Vec<Versioned<Keyed>> = rows
            .iter()
            .zip(&orders)
            .map(|(row, order)| Versioned { version: row.version, value: Keyed::of(&row.value, order) })
            .collect();
        let document = |row: &Versioned<Keyed>| {
            let Keyed { order, model_version, content } = &row.value;
            let (key, version) = (digest_key(&[order]), row.version);
            let document = Document {
                key: key.clone(),
                order: (*order).to_owned(),
                version,
                model_version: model_version.clone(),
                content: content.clone(),
            };
            Ok((key, bytes(&document)?))
        };
        self.upsert_survivors(names::PREDICTIONS, &rows, checks, |keyed| keyed.order, |keyed| &keyed.content, document)
            .await
    }
}

/// A prediction with what it is sorted by.
struct Keyed<'a> {
    order: &'a str,
    model_version: String,
    content: Content,
}

impl<'a> Keyed<'a> {
    fn of(prediction: &Prediction, order: &'a str) -> Self {
        let [down, sideways, up] = prediction.probabilities.array();
        let content = Content {
            model: prediction.model.to_string(),
            symbol: prediction.symbol.to_string(),
            interval: prediction.interval.to_string(),
            open_time: prediction.open_time,
            horizon: prediction.horizon.get(),
            split: prediction.split.as_str().to_owned(),
            volatility: prediction.volatility,
            down,
            sideways,
            up,
            health: prediction.health,
        };
        Self { order, model_version: prediction.version.to_string(), content }
    }
}

/// Sorts as model, version, split, symbol, interval, horizon and open time do, names by their bytes.
///
/// The database sorts texts as a language does, so this one has digits and the letters `a` to `f` alone. No name has a
/// zero byte, so that one ends a name before every longer one.
fn order(prediction: &Prediction) -> String {
    let Prediction { model, version, split, symbol, interval, horizon, open_time, .. } = prediction;
    let mut bytes = Vec::new();
    for name in [model.as_str(), version.as_str(), split.as_str(), symbol.as_str(), interval.as_str()] {
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(0);
    }
    bytes.extend_from_slice(&horizon.get().to_be_bytes());
    // Times before 1970 sort before those after it.
    bytes.extend_from_slice(&(open_time ^ Millis::MIN).to_be_bytes());
    hex(&bytes)
}

fn check(row: &Versioned<Prediction>) -> Result<(), Reject> {
    if row.version >= MAX_VERSION {
        return Err(Reject::Version(row.version));
    }
    row.value.check().map_err(Reject::Prediction)
}

fn prediction(document: Document) -> Result<Prediction, Failure> {
    let unreadable = |what: &str| Failure::Unfit(format!("{what} of a prediction cannot be read"));
    let Document { content, model_version, .. } = document;
    let Content { model, symbol, interval, open_time, horizon, split, volatility, down, sideways, up, health } =
        content;
    Ok(Prediction {
        model: model.parse().map_err(|_| unreadable("model"))?,
        version: model_version.parse().map_err(|_| unreadable("version"))?,
        symbol: symbol.parse().map_err(|_| unreadable("symbol"))?,
        interval: interval.parse().map_err(|_| unreadable("interval"))?,
        open_time,
        horizon: horizon.try_into().map_err(|_| unreadable("horizon"))?,
        split: serde_json::from_value(split.into()).map_err(|_| unreadable("split"))?,
        volatility,
        probabilities: [down, sideways, up].into(),
        health,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prediction(model: &str, horizon: u32, open_time: Millis) -> Prediction {
        super::prediction(Document {
            key: String::new(),
            order: String::new(),
            version: 1,
            model_version: "1".to_owned(),
            content: Content {
                model: model.to_owned(),
                symbol: "BTCUSDT".to_owned(),
                interval: "1m".to_owned(),
                open_time,
                horizon,
                split: "live".to_owned(),
                volatility: 0.5,
                down: 0.25,
                sideways: 0.5,
                up: 0.25,
                health: None,
            },
        })
        .unwrap()
    }

    #[test]
    fn order_is_that_of_names_then_numbers() {
        let ascending = [("B", 1, 0), ("a", 1, -1), ("a", 1, 0), ("a", 1, 256), ("a", 2, 0), ("ab", 1, 0), ("ü", 1, 0)];
        let orders: Vec<String> =
            ascending.iter().map(|(model, horizon, time)| order(&prediction(model, *horizon, *time))).collect();
        assert!(orders.is_sorted(), "{orders:?}");
    }
}
