//! What a workflow hears about a batch.

use streamforge_events::{Event, Millis, Report, ReportStatus, Symbol, attempt, extension, queue_id, task};
use streamforge_function::{Context, Error};
use streamforge_store::{BatchReport, Reject};

use crate::restated;

/// A batch after the store has answered.
pub(crate) struct Stored {
    pub(crate) symbol: Symbol,
    pub(crate) kind: String,
    pub(crate) index: u32,
    pub(crate) rows: u64,
    pub(crate) outcome: BatchReport,
    /// Times of the rows that replaced what the exchange had stated before.
    pub(crate) restated: Vec<Millis>,
}

/// The report to the workflow that asked for the batch, if one did.
pub(crate) fn report(
    event: &Event,
    stored: &Stored,
    refused: Option<&str>,
    context: &Context,
) -> Result<Option<Event>, Error> {
    if extension(event, "queueid").is_none() {
        return Ok(None);
    }
    let queue_id = queue_id(event)?;
    let code = queue_id.as_str().rsplit('-').next().unwrap_or_default();
    let report = Report {
        producer: format!("{}__{code}", context.name()),
        symbol: Some(stored.symbol.clone()),
        kind: stored.kind.clone(),
        status: if refused.is_some() { ReportStatus::Error } else { ReportStatus::Loading },
        message: refused.map_or_else(|| message(stored), str::to_owned),
        records_written: if refused.is_some() { 0 } else { stored.rows },
        finished: refused.is_some(),
        timestamp: seconds(context.now()),
        task: task(event),
        attempt: attempt(event),
        batch: Some(stored.index.to_string()),
        records_total: None,
        error_message: refused.map(str::to_owned),
        extra: restated::extra(&stored.restated),
        queue_id,
    };
    context.report_event(event, &report).map(Some)
}

fn message(stored: &Stored) -> String {
    match stored.restated.len() {
        0 => format!("Saved {} records", stored.rows),
        restated => format!("Saved {} records, {restated} of them restated by the exchange", stored.rows),
    }
}

/// Seconds with milliseconds, as reports write time.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of this age are far below 2^52")]
fn seconds(now: Millis) -> f64 {
    now as f64 / 1000.0
}

/// Why a batch cannot be stored whole, with the first rows that were refused.
pub(crate) fn refusal(outcome: &BatchReport) -> Option<String> {
    let refused: Vec<(usize, &Reject)> =
        outcome.items.iter().enumerate().filter_map(|(row, item)| Some((row, item.as_ref().err()?))).collect();
    let shown: Vec<String> = refused.iter().take(3).map(|(row, reject)| format!("row {row}: {reject}")).collect();
    (!refused.is_empty())
        .then(|| format!("store refused {} of {} rows: {}", refused.len(), outcome.items.len(), shown.join("; ")))
}
