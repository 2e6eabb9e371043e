//! From a report of the trainer to what the ledger notes of the training.

use serde::Deserialize as _;
use serde_json::{Value, json};
use streamforge_dataset::Card;
use streamforge_events::{Interval, Millis, ModelName, QueueId, Report, ReportStatus};
use streamforge_function::Context;
use streamforge_ledger::{ExperimentId, ExperimentState, Told};

use crate::{Bookkeeper, Error, NamedModel, millis};

impl Bookkeeper {
    /// Notes a report of the trainer.
    pub(crate) async fn training(&self, report: &Report, context: &Context) -> Result<(), Error> {
        let Some(mut told) = begin(report)? else { return Ok(()) };
        let extra = report.extra.as_ref().unwrap_or(&Value::Null);
        match told.state {
            ExperimentState::Running => asked(&mut told, &extra["parameters"]),
            ExperimentState::Finished => {
                let model = NamedModel::deserialize(&extra["model"])
                    .map_err(|error| Error::Report(format!("it names no model: {error}")))?;
                let card = self.history().card(&model.name, &model.version).await?;
                (told.model, told.version) = (Some(model.name), Some(model.version));
                told.scores = extra.get("scores").cloned();
                if let Some(card) = card {
                    trained(&mut told, &card);
                }
            }
            _ => {}
        }
        self.ledger.tell(&told).await?;
        self.metrics.reports.inc();
        if matches!(told.state, ExperimentState::Running | ExperimentState::Interrupted)
            && let Some(workflow) = self.store.get(&report.queue_id).await?
        {
            // Its end may have come here before.
            let document = workflow.document;
            let reason = document.json["error_message"].as_str();
            self.stop(&report.queue_id, &document.status, reason, context.now()).await?;
        }
        Ok(())
    }

    /// Ends the trainings of a workflow that has ended before they did.
    pub(crate) async fn stop(
        &self,
        queue_id: &QueueId,
        status: &str,
        reason: Option<&str>,
        now: Millis,
    ) -> Result<(), Error> {
        if !matches!(status, "stopped" | "error") {
            return Ok(());
        }
        let words = format!("the workflow ended as `{status}`");
        let reason = reason.map_or_else(|| words.clone(), |reason| format!("{words}: {reason}"));
        Ok(self.ledger.stop(queue_id, &reason, now).await?)
    }
}

/// What every report tells; none if it tells of nothing that is noted.
fn begin(report: &Report) -> Result<Option<Told>, Error> {
    let state = match report.status {
        ReportStatus::Started => ExperimentState::Running,
        ReportStatus::Interrupted => ExperimentState::Interrupted,
        ReportStatus::Error => ExperimentState::Error,
        ReportStatus::Finished => ExperimentState::Finished,
        ReportStatus::Loading | ReportStatus::Pong => return Ok(None),
    };
    let task = report.task.clone().ok_or_else(|| Error::Report("it names no task".to_owned()))?;
    let id = ExperimentId { queue_id: report.queue_id.clone(), task };
    let mut told = Told::new(id, state, report.attempt.unwrap_or(1), millis(report));
    told.reason.clone_from(&report.error_message);
    Ok(Some(told))
}

/// What was asked for, as far as it can be read: a training that is refused for its parameters is noted as well.
fn asked(told: &mut Told, parameters: &Value) {
    if parameters.is_null() {
        return;
    }
    let text = |name: &str| parameters[name].as_str();
    let time = |name: &str| parameters[name].as_i64();
    told.model = text("model").and_then(|model| model.parse::<ModelName>().ok());
    told.graph = text("graph").map(str::to_owned);
    told.seed = parameters["seed"].as_u64();
    told.interval = text("interval").and_then(|interval| interval.parse::<Interval>().ok());
    told.range = range(time("from"), time("to"));
    told.parameters = Some(parameters.clone());
}

fn range(from: Option<Millis>, to: Option<Millis>) -> Option<(Millis, Millis)> {
    Some((from?, to?))
}

/// How it was trained, by the card of the model.
fn trained(told: &mut Told, card: &Card) {
    told.graph.clone_from(&card.graph);
    told.seed = Some(card.training.seed);
    told.interval = Some(card.interval);
    told.range = Some((card.range.from(), card.range.to()));
    told.settings = Some(json!({
        "code_version": card.code_version,
        "symbols": card.symbols,
        "horizon": card.definition.horizon,
        "band": card.definition.band,
        "lags": card.lags,
        "folds": card.folds,
        "training": card.training,
    }));
}
