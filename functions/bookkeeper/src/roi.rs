//! Predictions against what came: rows are computed from the store, whenever it may have changed.

use serde::Deserialize as _;
use serde_json::Value;
use streamforge_dataset::{Direction, Realised};
use streamforge_events::{Interval, Millis, Prediction, Report, Split, Symbol, TimeRange};
use streamforge_function::Context;
use streamforge_hindsight::is_same_series;
use streamforge_ledger::{Outcome, RoiQuery, RoiRow};
use streamforge_store::PredictionQuery;

use crate::{Bookkeeper, Error, NamedModel, tells_of_results};

/// Rows that are computed at once.
const PAGE: u32 = 5_000;
/// Open rows that a new bar is looked up for, the newest first: older ones wait for the end of a workflow.
const NEWEST: u32 = 1_000;
/// Bars without a prediction that are read rather than looked up anew.
const SPARSE: u32 = 1_000;

impl Bookkeeper {
    /// Takes over predictions that were reported as stored.
    pub(crate) async fn predictions(&self, report: &Report, context: &Context) -> Result<(), Error> {
        let extra = report.extra.as_ref().unwrap_or(&Value::Null);
        // A task that has only begun, or is between two parts of its range, names no model.
        if !tells_of_results(report.status) || extra.get("model").is_none() {
            return Ok(());
        }
        let model = NamedModel::deserialize(&extra["model"])
            .map_err(|error| Error::Report(format!("it names no model: {error}")))?;
        let bar = extra["open_time"].as_i64();
        let query = PredictionQuery {
            model: Some(model.name),
            version: Some(model.version),
            split: Some(Split::Live),
            range: times(bar.or(extra["first"].as_i64()), bar.or(extra["last"].as_i64())),
            ..PredictionQuery::default()
        };
        let mut series = Vec::new();
        let mut after: Option<Prediction> = None;
        loop {
            let read_at = context.now();
            let page = self.store.read_predictions(&query, after.as_ref(), PAGE as usize).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.clone());
            series.extend(page.iter().map(|one| (one.symbol.clone(), one.interval)));
            self.write(page, read_at).await?;
        }
        // A prediction after a bar says that the bar is stored.
        series.sort_unstable();
        series.dedup();
        for (symbol, interval) in &series {
            let Some(bar) = bar else { break };
            self.close(symbol, *interval, bar, context.now()).await?;
        }
        Ok(())
    }

    /// Computes anew what is open of some symbols, or all of it.
    pub(crate) async fn reckon(&self, symbols: &[Symbol], all: bool, context: &Context) -> Result<(), Error> {
        for (symbol, interval) in self.ledger.roi_series(!all).await? {
            if !symbols.contains(&symbol) {
                continue;
            }
            let query =
                RoiQuery { symbol: Some(symbol), interval: Some(interval), is_open: !all, ..RoiQuery::default() };
            let mut after: Option<RoiRow> = None;
            loop {
                let read_at = context.now();
                let page = self.ledger.roi(&query, after.as_ref(), PAGE).await?;
                let Some(last) = page.last() else { break };
                after = Some(last.clone());
                self.rewrite(page, read_at).await?;
            }
        }
        Ok(())
    }

    /// Closes the newest rows of a series that wait for a bar, or for one before it.
    async fn close(&self, symbol: &Symbol, interval: Interval, bar: Millis, read_at: Millis) -> Result<(), Error> {
        let rows = self.ledger.newest_open(symbol, interval, bar, NEWEST).await?;
        self.rewrite(rows, read_at).await
    }

    /// Writes those of some rows that are others now.
    async fn rewrite(&self, mut rows: Vec<RoiRow>, read_at: Millis) -> Result<(), Error> {
        rows.sort_by(|one, other| identity(&one.prediction).cmp(&identity(&other.prediction)));
        let computed = self.compute(rows.iter().map(|row| row.prediction.clone()).collect()).await?;
        let pairs = computed.into_iter().zip(&rows);
        let changed: Vec<RoiRow> = pairs.filter(|(now, before)| now != *before).map(|(now, _)| now).collect();
        self.keep(&changed, read_at).await
    }

    async fn write(&self, predictions: Vec<Prediction>, read_at: Millis) -> Result<(), Error> {
        let rows = self.compute(predictions).await?;
        self.keep(&rows, read_at).await
    }

    async fn keep(&self, rows: &[RoiRow], read_at: Millis) -> Result<(), Error> {
        self.ledger.keep(rows, read_at).await?;
        self.metrics.predictions.inc_by(rows.len() as u64);
        self.metrics.closed.inc_by(rows.iter().filter(|row| row.outcome.is_some()).count() as u64);
        Ok(())
    }

    /// The rows of predictions by what is stored now.
    async fn compute(&self, mut predictions: Vec<Prediction>) -> Result<Vec<RoiRow>, Error> {
        predictions.sort_by(|one, other| identity(one).cmp(&identity(other)));
        let mut history = self.history();
        let mut rows = Vec::with_capacity(predictions.len());
        for run in predictions.chunk_by(is_near) {
            let came = history.of(run).await?;
            rows.extend(run.iter().zip(came).map(|(prediction, came)| row(prediction, came)));
        }
        Ok(rows)
    }
}

/// The range of these open times, if both are known.
fn times(first: Option<Millis>, last: Option<Millis>) -> Option<TimeRange> {
    TimeRange::new(first?, last?.checked_add(1)?).ok()
}

fn identity(prediction: &Prediction) -> impl Ord + '_ {
    let Prediction { model, version, symbol, interval, horizon, open_time, .. } = prediction;
    (model, version, symbol, interval.as_str(), horizon, open_time)
}

/// Whether the bars of two predictions are read together.
fn is_near(one: &Prediction, other: &Prediction) -> bool {
    is_same_series(one, other) && other.open_time <= one.interval.advance(one.open_time, SPARSE)
}

/// What the ledger keeps of a prediction.
fn row(prediction: &Prediction, came: Option<Realised>) -> RoiRow {
    let predicted = Direction::likeliest(prediction.probabilities.array());
    RoiRow {
        due: prediction.interval.advance(prediction.open_time, prediction.horizon.get()),
        predicted_class: predicted.as_str().to_owned(),
        outcome: came.map(|came| Outcome {
            volatility: came.volatility,
            class: came.direction.as_str().to_owned(),
            log_return: came.log_return,
            gain: came.gain(predicted),
        }),
        prediction: prediction.clone(),
    }
}
