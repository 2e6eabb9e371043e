//! What a workflow hears about a batch.

use serde_json::Value;
use streamforge_events::{
    Event, EventType, Interval, Millis, Report, ReportStatus, Symbol, attempt, data, event_type, extension, queue_id,
    task,
};
use streamforge_function::{Context, Error};
use streamforge_store::{BatchReport, Reject};

use crate::restated;

/// Most characters of a reason: a value that somebody sent may stand in it.
const WORDS: usize = 1000;

/// A batch that is in the store.
pub(crate) struct Stored {
    pub(crate) symbol: Symbol,
    pub(crate) kind: String,
    pub(crate) index: u32,
    pub(crate) rows: u64,
    /// Times of the rows that replaced what the exchange had stated before.
    pub(crate) restated: Vec<Millis>,
}

/// The report of a stored batch to the workflow that asked for it, if one did.
pub(crate) fn report(event: &Event, stored: &Stored, context: &Context) -> Result<Option<Event>, Error> {
    let Some(mut report) = begin(event, context)? else { return Ok(None) };
    report.symbol = Some(stored.symbol.clone());
    report.kind.clone_from(&stored.kind);
    report.message = message(stored);
    report.records_written = stored.rows;
    report.batch = Some(stored.index.to_string());
    report.extra = restated::extra(&stored.restated);
    context.report_event(event, &report).map(Some)
}

/// The report that a batch will never be stored, with as much of the batch as can be read.
pub(crate) fn refused(event: &Event, reason: &str, context: &Context) -> Result<Option<Event>, Error> {
    let Some(mut report) = begin(event, context)? else { return Ok(None) };
    let batch: Value = data(event).unwrap_or_default();
    report.symbol = batch["symbol"].as_str().and_then(|symbol| symbol.parse().ok());
    let interval: Option<Interval> = batch["interval"].as_str().and_then(|interval| interval.parse().ok());
    report.kind = match (event_type(event)?, interval) {
        (EventType::KlinesLoaded, Some(interval)) => klines(interval),
        (EventType::KlinesLoaded, None) => "api_candles".to_owned(),
        _ => TRADES.to_owned(),
    };
    report.batch = batch["batch"].as_u64().map(|index| index.to_string());
    report.status = ReportStatus::Error;
    report.finished = true;
    report.message = reason.chars().take(WORDS).collect();
    report.error_message = Some(report.message.clone());
    context.report_event(event, &report).map(Some)
}

/// What a series of trades is called in reports.
pub(crate) const TRADES: &str = "api_trades";

/// What a series of klines is called in reports.
pub(crate) fn klines(interval: Interval) -> String {
    format!("api_candles_{interval}")
}

/// A report on progress without any, unless no workflow asked for the batch.
fn begin(event: &Event, context: &Context) -> Result<Option<Report>, Error> {
    if extension(event, "queueid").is_none() {
        return Ok(None);
    }
    let queue_id = queue_id(event)?;
    let code = queue_id.as_str().rsplit('-').next().unwrap_or_default();
    Ok(Some(Report {
        producer: format!("{}__{code}", context.name()),
        symbol: None,
        kind: String::new(),
        status: ReportStatus::Loading,
        message: String::new(),
        records_written: 0,
        finished: false,
        timestamp: seconds(context.now()),
        task: task(event),
        attempt: attempt(event),
        batch: None,
        records_total: None,
        error_message: None,
        extra: None,
        queue_id,
    }))
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
