//! Rows that the exchange states otherwise than before: the newer reading wins, and everybody hears of it.

use prometheus_client::{
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};
use serde_json::{Value, json};
use streamforge_events::{Millis, rfc3339};
use streamforge_store::{Applied, BatchReport};

use crate::report::{self, Stored};

/// Most times that a report or a line of the log names.
const NAMED: usize = 10;

/// How many rows were restated, by kind of series.
#[derive(Default)]
pub(crate) struct Metrics {
    rows: Family<[(&'static str, &'static str); 1], Counter>,
}

impl Metrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        for series in ["klines", "trades"] {
            drop(self.rows.get_or_create(&[("series", series)]));
        }
        let help = "Stored rows that the exchange stated anew with other values";
        registry.register("arango_connector_restated_rows", help, self.rows.clone());
    }

    /// Counts and logs what a batch has restated, if anything.
    pub(crate) fn tell(&self, stored: &Stored) {
        let rows = stored.restated.len();
        if rows == 0 {
            return;
        }
        let series = if stored.kind == report::TRADES { "trades" } else { "klines" };
        self.rows.get_or_create(&[("series", series)]).inc_by(rows as u64);
        let times: Vec<String> = stored.restated.iter().take(NAMED).map(|time| rfc3339(*time)).collect();
        let (symbol, kind, times) = (&stored.symbol, &stored.kind, times.join(" "));
        tracing::warn!(%symbol, kind, rows, times, "the exchange has restated stored rows");
    }
}

/// The times of the rows that replaced others.
pub(crate) fn times(outcome: &BatchReport, times: impl Iterator<Item = Millis>) -> Vec<Millis> {
    let updated = |(item, time)| (item == &Ok(Applied::Updated)).then_some(time);
    outcome.items.iter().zip(times).filter_map(updated).collect()
}

/// What a report says of them, if there are any.
pub(crate) fn extra(restated: &[Millis]) -> Option<Value> {
    let named = &restated[..restated.len().min(NAMED)];
    (!restated.is_empty()).then(|| json!({"restated": restated.len(), "restated_at": named}))
}
