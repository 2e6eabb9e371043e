//! The events that a command causes: batches of klines, and reports.

use serde_json::json;
use streamforge_events::{
    ControlCommand, Envelope, Event, EventType, Interval, Kline, KlineBatch, Millis, Report, ReportStatus,
};
use streamforge_exchange::Page;
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

    /// The rows of one window; the id follows from task, attempt and number.
    pub(crate) fn batch(&self, slice: &Slice, index: u32, page: Page<Kline>) -> Result<Event, Error> {
        let queue = self.command.queue_id.to_string();
        let task = self.command.task.clone().unwrap_or_default();
        let attempt = self.command.attempt.unwrap_or_default();
        let batch = KlineBatch {
            symbol: slice.symbol.clone(),
            interval: slice.interval,
            batch: index,
            read_at: page.read_at,
            rows: page.rows,
            clocks: Vec::new(),
        };
        let mut extensions = vec![
            ("partitionkey".to_owned(), slice.symbol.to_string()),
            ("queueid".to_owned(), queue.clone()),
            ("task".to_owned(), task.clone()),
            ("attempt".to_owned(), attempt.to_string()),
        ];
        if batch.rows.last().is_some_and(|last| is_newest(slice.interval, last.open_time, batch.read_at)) {
            extensions.push(("fresh".to_owned(), "true".to_owned()));
        }
        let envelope = Envelope {
            id: format!("{queue}/{task}/{attempt}/{index}"),
            source: format!("/streamforge/{}", self.context.name()),
            kind: EventType::KlinesLoaded,
            subject: slice.symbol.to_string(),
            time: page.read_at,
            extensions,
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

/// Whether a closed bar is the newest there can be: the bar after it is not over.
fn is_newest(interval: Interval, open: Millis, now: Millis) -> bool {
    now < interval.next_open(interval.next_open(open))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_the_newest_until_the_next_one_is_over() {
        let minute = 60_000;
        for (now, expected) in [(1, true), (2 * minute - 1, true), (2 * minute, false), (3 * minute, false)] {
            assert_eq!(is_newest(Interval::M1, 0, now), expected, "{now}");
        }
        let day = 86_400_000;
        assert!(is_newest(Interval::Mo1, 0, 59 * day - 1) && !is_newest(Interval::Mo1, 0, 59 * day));
    }
}
