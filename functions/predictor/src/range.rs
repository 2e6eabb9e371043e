//! `gnn_infer`: predictions for all bars of a range, stored all or none.

use std::sync::Arc;

use serde_json::json;
use streamforge_events::{Event, ReportStatus, TimeRange, rfc3339};
use tokio::task::spawn_blocking;

use crate::{
    Error, Predictor,
    forecast::{Forecast, forecasts, predictions},
    history,
    model::ReadyModel,
    outgoing::{Outgoing, named},
    request::{Subject, version},
};

/// Bars that are read and computed at once.
const WINDOW: u32 = 10_000;

/// More predictions than these do not fit into a function's memory.
const MOST: usize = 5_000_000;

impl Predictor {
    /// Predicts a range and answers the last report.
    ///
    /// # Errors
    /// Why nothing was predicted.
    pub(crate) async fn predict_range(
        &self,
        subject: &Subject,
        range: TimeRange,
        outgoing: &Outgoing<'_>,
    ) -> Result<Event, Error> {
        let version = version(outgoing.command.timestamp)?;
        let model = self.models.get(&subject.model, subject.version.as_ref()).await?;
        model.check(&subject.symbols, subject.interval)?;
        let mut found: Vec<Forecast> = Vec::new();
        let mut has_bars = false;
        for window in windows(subject, range) {
            if outgoing.is_stopped() {
                return outgoing.report(ReportStatus::Interrupted);
            }
            if let Some(history) = history::history(&*self.store, &model.card, window).await? {
                has_bars |= history.panel.times().last().is_some_and(|last| window.contains(*last));
                let (model, metrics) = (Arc::clone(&model), self.metrics.clone());
                found.extend(spawn_blocking(move || forecasts(&model, &history, window, None, &metrics)).await??);
            }
            if found.len() > MOST {
                let reason = format!("range {range} holds more than {MOST} predictions; ask for shorter ones");
                return Err(Error::Parameters(reason));
            }
            if window.to() < range.to() {
                let message = format!("Computed {} predictions until {}", found.len(), rfc3339(window.to()));
                outgoing.publish(outgoing.told(ReportStatus::Loading, message, json!({"until": window.to()}))?).await?;
            }
        }
        if found.is_empty() {
            return Err(nothing(&model, range, has_bars));
        }
        let predictions = predictions(&model, &found)?;
        self.keep(version, &predictions).await?;
        outgoing.context.publish_all(outgoing.batches(&model, &predictions)?).await?;
        let message = format!("Made {} predictions", predictions.len());
        let times = || predictions.iter().map(|prediction| prediction.open_time);
        let (first, last) = (times().min(), times().max());
        let extra = json!({"model": named(&model), "predictions": predictions.len(), "first": first, "last": last});
        outgoing.told(ReportStatus::Finished, message, extra)
    }
}

fn windows(subject: &Subject, range: TimeRange) -> impl Iterator<Item = TimeRange> {
    let interval = subject.interval;
    let mut start = range.from();
    std::iter::from_fn(move || {
        let window = TimeRange::new(start, interval.advance(start, WINDOW).min(range.to())).ok()?;
        start = window.to();
        Some(window)
    })
}

fn nothing(model: &ReadyModel, range: TimeRange, has_bars: bool) -> Error {
    let interval = model.card.interval;
    if !has_bars {
        return Error::Series(format!("no {interval} klines of the model's symbols are stored in {range}"));
    }
    let bars = model.card.definition.look_back();
    Error::Series(format!(
        "no bar in {range} has the features of the model: they need {bars} {interval} klines before it, without a gap"
    ))
}
