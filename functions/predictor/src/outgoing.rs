//! The events that a command causes: batches of predictions, and reports.

use serde_json::{Value, json};
use streamforge_events::{
    AttributesReader, ControlCommand, Envelope, Event, EventType, Prediction, PredictionBatch, ReportStatus, digest,
    hex,
};
use streamforge_function::Context;

use crate::{Error, model::ReadyModel};

/// Most predictions of one event.
const ROWS: usize = 1000;

/// What every event about one command has in common.
pub(crate) struct Outgoing<'a> {
    /// The event that brought the command: reports about later bars follow from it and from the bar, whatever told of
    /// the bar.
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
        Ok(self.context.publish(event).await?)
    }

    /// A report without anything to add.
    pub(crate) fn report(&self, status: ReportStatus) -> Result<Event, Error> {
        Ok(self.context.report_event(self.cause, &self.context.report(self.command, status))?)
    }

    /// A report that adds something.
    pub(crate) fn told(&self, status: ReportStatus, message: String, extra: Value) -> Result<Event, Error> {
        let mut report = self.context.report(self.command, status);
        report.message = message;
        report.extra = Some(extra);
        Ok(self.context.report_event(self.cause, &report)?)
    }

    /// The report that the command cannot be done.
    pub(crate) fn refusal(&self, words: String) -> Result<Event, Error> {
        let mut report = self.context.report(self.command, ReportStatus::Error);
        report.message.clone_from(&words);
        report.error_message = Some(words);
        report.finished = true;
        Ok(self.context.report_event(self.cause, &report)?)
    }

    /// What predictions are told by, symbol by symbol and in the order of time; each id follows from the content.
    pub(crate) fn batches(&self, model: &ReadyModel, predictions: &[Prediction]) -> Result<Vec<Event>, Error> {
        let mut events = Vec::new();
        for symbol in &model.card.symbols {
            let of_symbol: Vec<&Prediction> = predictions.iter().filter(|one| one.symbol == *symbol).collect();
            for chunk in of_symbol.chunks(ROWS) {
                events.push(self.batch(chunk)?);
            }
        }
        Ok(events)
    }

    fn batch(&self, predictions: &[&Prediction]) -> Result<Event, Error> {
        let Some(Prediction { model, version, symbol, interval, horizon, split, .. }) = predictions.first() else {
            return Err(Error::Parameters("a batch needs a prediction".to_owned()));
        };
        let row = |prediction: &&Prediction| {
            let [down, sideways, up] = prediction.probabilities.array();
            (prediction.open_time, prediction.volatility, down, sideways, up)
        };
        let batch = PredictionBatch {
            model: model.clone(),
            version: version.clone(),
            symbol: symbol.clone(),
            interval: *interval,
            horizon: *horizon,
            split: *split,
            rows: predictions.iter().map(row).collect(),
            health: Vec::new(),
        };
        let task = self.command.task.clone().unwrap_or_default();
        // Without how old the bars are: that is another thing whenever the same is predicted.
        let content = json!(batch).to_string();
        let batch = PredictionBatch { health: predictions.iter().filter_map(|one| one.health).collect(), ..batch };
        let queue = self.command.queue_id.to_string();
        let envelope = Envelope {
            id: hex(&digest(&[self.cause.source(), &queue, &task, &content])),
            source: format!("/streamforge/{}", self.context.name()),
            kind: EventType::PredictionMade,
            subject: symbol.to_string(),
            time: self.context.now(),
            extensions: vec![
                ("partitionkey".to_owned(), symbol.to_string()),
                ("queueid".to_owned(), queue),
                ("task".to_owned(), task),
            ],
        };
        Ok(envelope.build(&batch)?)
    }
}

/// How a report names a model.
pub(crate) fn named(model: &ReadyModel) -> Value {
    json!({"name": model.manifest.name, "version": model.manifest.version})
}
