//! What a finished run tells: coverage of each series, the strongest edges, the time it took.

use std::{collections::BTreeMap, time::Duration};

use graph_builder::GraphBuilder;
use queue_manager::{
    document::{Work, Workflow},
    made::TrainedModel,
};
use serde::Serialize;
use serde_json::Value;
use streamforge_events::{Prediction, SeriesId, SeriesKind, TimeRange, rfc3339};
use streamforge_function::Function as _;
use streamforge_store::{Edge, Store};

use super::{
    super::{
        exit::{Failure, Outcome},
        output::{self, Output},
        progress::{self, StageProgress},
        scores,
    },
    predictions,
};
use crate::platform::Places;

/// How many edges a person is shown.
const SHOWN_EDGES: usize = 5;

const COLUMNS: [&str; 8] = ["symbol", "series", "rows", "first", "last", "gaps", "missing", "restated"];

/// The last line of `run --json`.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    queue_id: String,
    status: String,
    records_written: u64,
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<String>,
    stages: Vec<StageProgress>,
    /// The model that was trained.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<TrainedModel>,
    /// By target, then by model and baseline.
    #[serde(skip_serializing_if = "Option::is_none")]
    scores: Option<Value>,
    /// What is predicted after the last bar of each symbol.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    predictions: Vec<Prediction>,
    /// By symbol, of the first series that the workflow loads.
    coverage: BTreeMap<String, SeriesCoverage>,
    /// Further series of the same symbols.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    further: Vec<SeriesCoverage>,
    #[serde(skip)]
    edges: Vec<Edge>,
}

/// What is stored of a series in the range that was asked for; times are UTC milliseconds.
#[derive(Debug, Serialize)]
struct SeriesCoverage {
    symbol: String,
    /// The interval, or `trades`.
    series: String,
    rows: u64,
    first: Option<i64>,
    last: Option<i64>,
    gaps: Vec<GapRow>,
    /// Rows that the exchange has stated otherwise than before.
    #[serde(skip_serializing_if = "is_nought")]
    restated: u64,
    /// Open times, or times, of the first of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    restated_at: Vec<i64>,
}

#[derive(Debug, Serialize)]
struct GapRow {
    from: i64,
    to: i64,
    missing: u64,
}

impl Report {
    /// Reads what the workflow left in the store.
    pub(super) async fn read(store: &dyn Store, document: &Value, elapsed: Duration) -> Result<Self, Failure> {
        let workflow: Workflow = serde_json::from_value(document.clone()).map_err(|error| Failure::failed(&error))?;
        let range = TimeRange::new(workflow.start_time, workflow.end_time).ok();
        let mut report = Self {
            queue_id: workflow.id.to_string(),
            status: workflow.status.as_str().to_owned(),
            records_written: workflow.records_written,
            seconds: elapsed.as_secs_f64(),
            error_message: workflow.error_message.clone(),
            stages: progress::stages(document),
            model: workflow.model.clone(),
            scores: workflow.scores.clone(),
            predictions: predictions::last(store, &workflow).await?,
            coverage: BTreeMap::new(),
            further: Vec::new(),
            edges: Vec::new(),
        };
        for kind in loaded_kinds(&workflow) {
            for symbol in &workflow.symbols {
                let series = SeriesId { symbol: symbol.clone(), kind };
                let mut coverage = coverage(store, &series, range).await?;
                let restated = workflow.restated_of(symbol, kind);
                (coverage.restated, coverage.restated_at) = (restated.rows, restated.at);
                if report.coverage.contains_key(symbol.as_str()) {
                    report.further.push(coverage);
                } else {
                    report.coverage.insert(symbol.to_string(), coverage);
                }
            }
        }
        let builds_graph = workflow.stages.iter().any(|stage| stage.function == GraphBuilder::NAME);
        if builds_graph {
            report.edges = strongest_edges(store, range).await?;
        }
        Ok(report)
    }

    /// Prints one line of JSON, or tables for a person.
    pub(super) fn print(&self, places: &Places, output: Output) -> Outcome {
        if output.is_json() {
            output::value(self)?;
            return Ok(());
        }
        let time = |time: Option<i64>| time.map_or_else(|| "-".to_owned(), rfc3339);
        let rows: Vec<Vec<String>> = self
            .coverage
            .values()
            .chain(&self.further)
            .map(|series| {
                let missing: u64 = series.gaps.iter().map(|gap| gap.missing).sum();
                vec![
                    series.symbol.clone(),
                    series.series.clone(),
                    series.rows.to_string(),
                    time(series.first),
                    time(series.last),
                    series.gaps.len().to_string(),
                    missing.to_string(),
                    series.restated.to_string(),
                ]
            })
            .collect();
        output::table(&COLUMNS, &[2, 5, 6, 7], &rows)?;
        if !self.edges.is_empty() {
            let row = |edge: &Edge| {
                let (from, to) = (edge.from.to_string(), edge.to.to_string());
                vec![from, to, format!("{:.4}", edge.correlation), edge.observations.to_string()]
            };
            let rows: Vec<Vec<String>> = self.edges.iter().map(row).collect();
            output::line("\nstrongest edges")?;
            output::table(&["from", "to", "correlation", "observations"], &[2, 3], &rows)?;
        }
        scores::print(self.scores.as_ref())?;
        scores::print_predictions(&self.predictions)?;
        let places = places.arguments();
        output::line(&format!(
            "\n{} is {} after {:.1} s: {} records\n\nlook next:",
            self.queue_id, self.status, self.seconds, self.records_written
        ))?;
        if let Some(series) = self.coverage.values().find(|series| series.series != "trades") {
            let (symbol, interval) = (&series.symbol, &series.series);
            output::line(&format!("  streamforge export candles {places} --symbol {symbol} --interval {interval}"))?;
        }
        if !self.edges.is_empty() {
            output::line(&format!("  streamforge export graph {places}"))?;
        }
        if let Some(TrainedModel { name, version }) = &self.model {
            output::line(&format!("  streamforge models show {places} {name} --version {version}"))?;
            output::line(&format!("  streamforge export predictions {places} --model {name}"))?;
        }
        output::line(&format!("  streamforge status {places}"))?;
        output::line(&format!("  streamforge queues show {places} {}", self.queue_id))?;
        Ok(())
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_nought(number: &u64) -> bool {
    *number == 0
}

/// Reads the strongest edges of the newest graph of this range.
async fn strongest_edges(store: &dyn Store, range: Option<TimeRange>) -> Result<Vec<Edge>, Failure> {
    let graphs = store.graphs().await?;
    let Some(newest) = graphs.iter().find(|graph| Some(graph.range) == range) else {
        return Ok(Vec::new());
    };
    let graph = store.graph(Some(&newest.id)).await?;
    let mut edges = graph.map(|graph| graph.edges).unwrap_or_default();
    edges.sort_by(|left, right| right.correlation.abs().total_cmp(&left.correlation.abs()));
    edges.truncate(SHOWN_EDGES);
    Ok(edges)
}

/// The kinds of series that the workflow loads, each once, in the order of its stages.
fn loaded_kinds(workflow: &Workflow) -> Vec<SeriesKind> {
    let mut kinds = Vec::new();
    for stage in &workflow.stages {
        if let Work::Load(kind) = stage.work
            && !kinds.contains(&kind)
        {
            kinds.push(kind);
        }
    }
    kinds
}

async fn coverage(store: &dyn Store, series: &SeriesId, range: Option<TimeRange>) -> Result<SeriesCoverage, Failure> {
    let coverage = store.coverage(series, range).await?;
    let name = match series.kind {
        SeriesKind::Klines(interval) => interval.to_string(),
        SeriesKind::Trades => "trades".to_owned(),
    };
    let gaps = coverage.gaps.iter().map(|gap| GapRow { from: gap.from, to: gap.to, missing: gap.missing });
    Ok(SeriesCoverage {
        symbol: series.symbol.to_string(),
        series: name,
        rows: coverage.rows,
        first: coverage.first,
        last: coverage.last,
        gaps: gaps.collect(),
        restated: 0,
        restated_at: Vec::new(),
    })
}
