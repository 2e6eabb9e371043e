//! Reports of one workflow that arrive while its document is written wait and go into the next writing together.
//!
//! A document is as long as its workflow has tasks, so writing it once for each report would cost the square of them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use streamforge_events::QueueId;
use tokio::sync::oneshot;

use crate::{engine::Error, reduce::Input};

/// Whether there is such a workflow, or why the report could not be written.
type Answer = Result<bool, Error>;

/// What waits in this process, by workflow; cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Folding {
    waiting: Arc<Mutex<HashMap<QueueId, Vec<Waiting>>>>,
}

/// An input, and who wants to know what became of it.
struct Waiting {
    input: Input,
    reply: oneshot::Sender<Answer>,
}

impl Folding {
    /// Waits until `write` has written the input, alone or with others of its workflow.
    ///
    /// The writing goes on if this caller gives up, because others may wait for it.
    pub(crate) async fn add<W, F>(&self, id: &QueueId, input: Input, write: W) -> Answer
    where
        W: Fn(Vec<Input>) -> F + Send + 'static,
        F: Future<Output = Answer> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        if self.is_first(id, Waiting { input, reply }) {
            tokio::spawn(self.clone().lead(id.clone(), write));
        }
        answer.await.unwrap_or_else(|_| Err(Error::Contended(id.clone())))
    }

    /// Writes what waits, again and again until nothing does.
    async fn lead<W, F>(self, id: QueueId, write: W)
    where
        W: Fn(Vec<Input>) -> F + Send + 'static,
        F: Future<Output = Answer> + Send + 'static,
    {
        while let Some(group) = self.take(&id) {
            let (inputs, mut replies): (Vec<_>, Vec<_>) =
                group.into_iter().map(|waiting| (waiting.input, waiting.reply)).unzip();
            // A panic must not leave others waiting for a leader that is gone.
            let written = tokio::spawn(write(inputs)).await;
            let outcome = written.unwrap_or_else(|_| Err(Error::Contended(id.clone())));
            let last = replies.pop();
            for reply in replies {
                let same = match &outcome {
                    Ok(is_known) => Ok(*is_known),
                    // One of them tells why; the others come again like it.
                    Err(_) => Err(Error::Contended(id.clone())),
                };
                // Who no longer listens has been sent away by its deadline.
                drop(reply.send(same));
            }
            if let Some(reply) = last {
                drop(reply.send(outcome));
            }
        }
    }

    /// Joins what waits; the first one has to lead.
    fn is_first(&self, id: &QueueId, waiting: Waiting) -> bool {
        let mut all = self.lock();
        if let Some(group) = all.get_mut(id) {
            group.push(waiting);
            return false;
        }
        all.insert(id.clone(), vec![waiting]);
        true
    }

    /// All that waits; the leader's work is over when that is nothing.
    fn take(&self, id: &QueueId) -> Option<Vec<Waiting>> {
        let mut all = self.lock();
        let group = std::mem::take(all.get_mut(id)?);
        if group.is_empty() {
            all.remove(id);
            return None;
        }
        Some(group)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<QueueId, Vec<Waiting>>> {
        // A panic while holding the lock cannot leave the map half changed.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;

    fn id() -> QueueId {
        "wf-btcusdt-api_candles_1m-20240101-a1b2c3".parse().unwrap()
    }

    #[tokio::test]
    async fn what_arrives_during_a_writing_is_written_together_and_every_caller_is_told() {
        let (folding, id) = (Folding::default(), id());
        let sizes = Arc::new(Mutex::new(Vec::new()));
        let add = |_| {
            let sizes = Arc::clone(&sizes);
            folding.add(&id, Input::Overdue, move |inputs| {
                sizes.lock().unwrap().push(inputs.len());
                async { Ok(true) }
            })
        };
        let answers = join_all((0..50).map(add)).await;
        assert!(answers.iter().all(|answer| matches!(answer, Ok(true))), "{answers:?}");
        let sizes = sizes.lock().unwrap();
        assert!(sizes.iter().sum::<usize>() == 50 && sizes.len() <= 2, "{sizes:?}");
        assert!(folding.lock().is_empty());
    }

    #[tokio::test]
    async fn a_writing_that_fails_or_breaks_is_told_to_all_and_the_next_goes_on() {
        let (folding, id) = (Folding::default(), id());
        let refuse = |_| async { Err(Error::IdempotencyConflict("reason".to_owned())) };
        let answers = join_all((0..5).map(|_| folding.add(&id, Input::Stop, refuse))).await;
        let reasons = answers.iter().filter(|answer| matches!(answer, Err(Error::IdempotencyConflict(_)))).count();
        assert!(answers.iter().all(Result::is_err) && reasons >= 1, "{answers:?}");
        let answer = folding.add(&id, Input::Stop, |_| async { panic!("on purpose") }).await;
        assert!(matches!(answer, Err(Error::Contended(_))), "{answer:?}");
        assert!(matches!(folding.add(&id, Input::Stop, |_| async { Ok(false) }).await, Ok(false)));
    }

    #[tokio::test]
    async fn a_caller_that_gives_up_leaves_the_others_their_answer() {
        let (folding, id) = (Folding::default(), id());
        let gate = Arc::new(tokio::sync::Semaphore::new(0));
        let write = |gate: &Arc<tokio::sync::Semaphore>| {
            let gate = Arc::clone(gate);
            move |_| {
                let gate = Arc::clone(&gate);
                async move {
                    gate.acquire().await.unwrap().forget();
                    Ok(true)
                }
            }
        };
        let mut first = Box::pin(folding.add(&id, Input::Stop, write(&gate)));
        assert!(futures::poll!(&mut first).is_pending());
        drop(first);
        let second = folding.add(&id, Input::Stop, write(&gate));
        gate.add_permits(2);
        assert!(matches!(second.await, Ok(true)));
    }
}
