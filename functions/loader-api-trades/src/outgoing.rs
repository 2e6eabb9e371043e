//! The events that a command causes: batches of trades, and reports.

use serde_json::json;
use streamforge_events::{ControlCommand, Envelope, Event, EventType, Millis, Report, ReportStatus, Trade, TradeBatch};
use streamforge_function::{Context, Error};

use crate::{Loaded, Slice};

/// What every event about one command has in common.
pub(crate) struct Outgoing<'a> {
    pub(crate) cause: &'a Event,
    pub(crate) command: &'a ControlCommand,
    pub(crate) context: &'a Context,
}

impl Outgoing<'_> {
    /// Whether the command's workflow was told to stop.
    pub(crate) fn is_stopped(&self) -> bool {
        self.context.is_stopped(&self.command.queue_id)
    }

    /// Publishes an event at once.
    pub(crate) async fn publish(&self, event: Event) -> Result<(), Error> {
        self.context.publish(event).await
    }

    /// The rows of one block; the id follows from task, attempt and number.
    pub(crate) fn batch(&self, slice: &Slice, index: u32, read_at: Millis, rows: Vec<Trade>) -> Result<Event, Error> {
        let queue = self.command.queue_id.to_string();
        let task = self.command.task.clone().unwrap_or_default();
        let attempt = self.command.attempt.unwrap_or_default();
        let batch = TradeBatch { symbol: slice.symbol.clone(), batch: index, read_at, rows, clocks: Vec::new() };
        let envelope = Envelope {
            id: format!("{queue}/{task}/{attempt}/{index}"),
            source: format!("/streamforge/{}", self.context.name()),
            kind: EventType::TradesLoaded,
            subject: slice.symbol.to_string(),
            time: read_at,
            extensions: vec![
                ("partitionkey".to_owned(), slice.symbol.to_string()),
                ("queueid".to_owned(), queue),
                ("task".to_owned(), task),
                ("attempt".to_owned(), attempt.to_string()),
            ],
        };
        Ok(envelope.build(&batch)?)
    }

    /// A report on how far the slice is loaded.
    pub(crate) fn report(&self, status: ReportStatus, loaded: &Loaded) -> Result<Event, Error> {
        let mut report = self.context.report(self.command, status);
        report.message = format!("Loaded {} records", loaded.rows);
        report.records_written = loaded.rows;
        if status == ReportStatus::Finished {
            report.extra = Some(json!({
                "batches": loaded.batches, "complete_until": loaded.complete_until, "rows": loaded.rows,
            }));
        }
        self.event(&report)
    }

    /// The report that the exchange failed; unless that is permanent, another attempt may help.
    pub(crate) fn failure(&self, error: &streamforge_exchange::Error, is_permanent: bool) -> Result<Event, Error> {
        let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
        let words: Vec<String> = causes.map(ToString::to_string).collect();
        self.error(words.join(": "), is_permanent)
    }

    /// The report that the command asks for something that cannot be done.
    pub(crate) fn refusal(&self, reason: String) -> Result<Event, Error> {
        self.error(reason, true)
    }

    fn error(&self, words: String, is_final: bool) -> Result<Event, Error> {
        let mut report = self.context.report(self.command, ReportStatus::Error);
        report.message.clone_from(&words);
        report.error_message = Some(words);
        report.finished = is_final;
        self.event(&report)
    }

    fn event(&self, report: &Report) -> Result<Event, Error> {
        self.context.report_event(self.cause, report)
    }
}

/// What ended a slice early.
pub(crate) enum Failure {
    Exchange(streamforge_exchange::Error),
    Function(Error),
}

impl From<streamforge_exchange::Error> for Failure {
    fn from(error: streamforge_exchange::Error) -> Self {
        Self::Exchange(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Function(error)
    }
}
