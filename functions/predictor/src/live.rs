//! `realtime_gnn_infer`: a prediction of each new bar, once all symbols have it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use streamforge_events::{KlineBatch, Millis, ModelVersion, QueueId, ReportStatus, Symbol, TimeRange, rfc3339};
use streamforge_function::Context;
use streamforge_store::StoredSubscription;
use tokio::task::spawn_blocking;

use crate::{
    Error, Predictor,
    forecast::{forecasts, predictions},
    history,
    model::ReadyModel,
    outgoing::{Outgoing, named},
    request::{Request, Subject},
};

type Subscription = streamforge_store::Subscription<Serving>;
type Stored = StoredSubscription<Serving>;

/// What is kept of a subscription beside its progress.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Serving {
    /// The version that predicted last, which goes on when a later one cannot be used.
    serving: Option<ModelVersion>,
}

/// What became of a bar.
enum Bar {
    /// It is predicted, or not to be predicted.
    Done,
    /// Not all symbols have it; the words say which.
    Awaited(String),
}

impl Predictor {
    /// Registers a subscription for a model that can be used; answers false if its workflow has ended.
    pub(crate) async fn subscribe(&self, subject: &Subject, outgoing: &Outgoing<'_>) -> Result<bool, Error> {
        let model = self.models.get(&subject.model, subject.version.as_ref()).await?;
        model.check(&subject.symbols, subject.interval)?;
        Ok(self.subscriptions.begin(outgoing.cause, outgoing.command).await?)
    }

    /// Ends the subscriptions of a workflow and answers their last reports.
    pub(crate) async fn unsubscribe(&self, queue_id: &QueueId, context: &Context) -> Result<(), Error> {
        for stored in self.subscriptions.end(queue_id, context.now()).await? {
            let command = stored.subscription.command()?;
            let outgoing = Outgoing { cause: &stored.subscription.start, command: &command, context };
            outgoing.publish(outgoing.report(ReportStatus::Interrupted)?).await?;
            self.subscriptions.remove(&stored).await?;
        }
        Ok(())
    }

    /// Predicts the newest bar of a batch for all who want it.
    ///
    /// # Errors
    /// The function's own error that lets the event come again, where a subscription could not be served yet.
    pub(crate) async fn new_bar(
        &self,
        batch: &KlineBatch,
        context: &Context,
    ) -> Result<(), streamforge_function::Error> {
        let Some(newest) = batch.rows.last() else { return Ok(()) };
        // Nothing is stored outside of all time.
        if TimeRange::new(newest.open_time, newest.open_time.saturating_add(1)).is_err() {
            return Ok(());
        }
        // All symbols tell of the same bar at once; the first that finds it whole does the work.
        let _turn = self.turn.lock().await;
        let subscriptions = self.subscriptions.all().await.map_err(|error| unavailable(error.into()))?;
        let mut later = None;
        for stored in &subscriptions {
            match self.serve(stored, batch, newest.open_time, context).await {
                Ok(Bar::Done) => {}
                Ok(Bar::Awaited(words)) => later = Some(streamforge_function::Error::Unavailable(words)),
                Err(error) => match error.outcome() {
                    Ok(words) => self.give_up(stored, words, context).await?,
                    Err(error) => later = Some(error),
                },
            }
        }
        later.map_or(Ok(()), Err)
    }

    /// Serves one subscription.
    async fn serve(&self, stored: &Stored, batch: &KlineBatch, bar: Millis, context: &Context) -> Result<Bar, Error> {
        let subscription = &stored.subscription;
        let command = subscription.command()?;
        let Request::NewBars { subject, every } = Request::parse(&command)? else {
            return Err(Error::Parameters("the command asks for no new bars".to_owned()));
        };
        let outgoing = Outgoing { cause: &subscription.start, command: &command, context };
        let is_meant = subject.interval == batch.interval && subject.symbols.contains(&batch.symbol);
        let is_due = every.is_none_or(|every| every.is_due(bar, subject.interval.next_open(bar)));
        if !is_meant || !is_due || subscription.done.is_some_and(|done| done >= bar) || outgoing.is_stopped() {
            return Ok(Bar::Done);
        }
        let there = history::with_bar(&*self.store, &subject.symbols, subject.interval, bar).await?;
        let is_awaited = there.len() < subject.symbols.len()
            && !self.subscriptions.is_waited_for(stored, there.len(), bar, context.now(), self.patience).await?;
        if is_awaited {
            return Ok(Bar::Awaited(awaited(&subject, &there, bar)));
        }
        let model = self.usable(&subject, subscription).await?;
        let range = TimeRange::new(bar, bar + 1)?;
        let Some(history) = history::history(&*self.store, &model.card, range).await? else {
            return Ok(Bar::Awaited(awaited(&subject, &there, bar)));
        };
        let (asked, metrics, now) = (Arc::clone(&model), self.metrics.clone(), Some(context.now()));
        let found = spawn_blocking(move || forecasts(&asked, &history, range, now, &metrics)).await??;
        let predictions = predictions(&model, &found)?;
        // When the bar closed: later than any earlier bar's, earlier than any command to predict it anew.
        let version = u64::try_from(subject.interval.next_open(bar)).unwrap_or(0);
        self.keep(version, &predictions).await?;
        context.publish_all(outgoing.batches(&model, &predictions)?).await?;
        let message = match predictions.len() {
            0 => format!(
                "No prediction after the bar of {}: the model looks back {} bars, load what is missing of them",
                rfc3339(bar),
                model.card.look_back()
            ),
            made => format!("Made {made} predictions after the bar of {}", rfc3339(bar)),
        };
        let extra = json!({"model": named(&model), "open_time": bar, "predictions": predictions.len()});
        outgoing.publish(outgoing.told(ReportStatus::Loading, message, extra)?).await?;
        let done = |subscription: &mut Subscription| {
            subscription.finish(bar);
            subscription.state.serving = Some(model.manifest.version.clone());
        };
        self.subscriptions.change(stored, done).await?;
        Ok(Bar::Done)
    }

    /// The model that a subscription asks for, or the version that served it last if that cannot be used.
    async fn usable(&self, subject: &Subject, subscription: &Subscription) -> Result<Arc<ReadyModel>, Error> {
        let refusal = match self.fitting(subject, subject.version.as_ref()).await {
            Err(error) if error.is_of_model() => error,
            other => return other,
        };
        let Some(serving) = &subscription.state.serving else { return Err(refusal) };
        match self.fitting(subject, Some(serving)).await {
            Ok(model) => {
                self.metrics.passed_over.inc();
                tracing::warn!(model = %subject.model, %serving, %refusal, "the last good version goes on");
                Ok(model)
            }
            Err(_) => Err(refusal),
        }
    }

    async fn fitting(&self, subject: &Subject, version: Option<&ModelVersion>) -> Result<Arc<ReadyModel>, Error> {
        let model = self.models.get(&subject.model, version).await?;
        model.check(&subject.symbols, subject.interval)?;
        Ok(model)
    }

    /// Ends a subscription that cannot be served any more.
    async fn give_up(
        &self,
        stored: &Stored,
        words: String,
        context: &Context,
    ) -> Result<(), streamforge_function::Error> {
        let end = async {
            let command = stored.subscription.command()?;
            let outgoing = Outgoing { cause: &stored.subscription.start, command: &command, context };
            outgoing.publish(outgoing.refusal(words)?).await?;
            Ok(self.subscriptions.remove(stored).await?)
        };
        end.await.map_err(unavailable)
    }
}

fn awaited(subject: &Subject, there: &[&Symbol], bar: Millis) -> String {
    let missing = subject.symbols.iter().filter(|symbol| !there.contains(symbol)).map(Symbol::as_str);
    let missing: Vec<&str> = missing.take(5).collect();
    format!("the bar of {} is not stored yet for {}", rfc3339(bar), missing.join(", "))
}

fn unavailable(error: Error) -> streamforge_function::Error {
    match error.outcome() {
        Ok(words) => streamforge_function::Error::Unavailable(words),
        Err(error) => error,
    }
}
