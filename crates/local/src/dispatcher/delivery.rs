//! Brings one event to its end: taken, replied to, dead-lettered or dropped.

use std::{sync::Arc, time::Instant};

use base64::{Engine, engine::general_purpose::STANDARD};
use tracing::{debug, error, warn};

use super::{
    Replies, Subscription, Target,
    sender::{Answer, Ended, Failure, Sender},
};
use crate::{message::Message, metrics::TriggerMetrics};

/// Bytes of an error answer that its dead letter carries.
const ERROR_DATA_BYTES: usize = 1024;

/// Whether an event may be committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Finished,
    Abandoned,
}

pub(super) struct Delivery {
    pub(super) subscription: Arc<Subscription>,
    pub(super) metrics: TriggerMetrics,
    pub(super) sender: Sender,
}

impl Delivery {
    /// Delivers the event; what neither the subscriber nor the dead-letter sink takes is dropped, as in Knative.
    pub(super) async fn deliver(&self, mut event: Message, partition: u32, offset: u64) -> Outcome {
        event.set("knativekafkapartition", partition.to_string());
        event.set("knativekafkaoffset", offset.to_string());
        let subscription = &*self.subscription;
        let failure = match self.attempts(&subscription.subscriber, &event).await {
            Ok(()) => {
                self.metrics.delivered.inc();
                return Outcome::Finished;
            }
            Err(Ended::Abandoned) => return Outcome::Abandoned,
            Err(Ended::Failed(failure)) => failure,
        };
        let trigger = &subscription.trigger;
        let reason = failure.reason.clone();
        let Some(sink) = &subscription.dead_letter_sink else {
            self.metrics.dropped.inc();
            error!(%trigger, partition, offset, %reason, "event dropped: no dead letter sink");
            return Outcome::Finished;
        };
        let letter = dead_letter(event, &subscription.subscriber, failure);
        match self.attempts(sink, &letter).await {
            Ok(()) => {
                self.metrics.dead_lettered.inc();
                warn!(%trigger, partition, offset, %reason, "event dead-lettered");
            }
            Err(Ended::Abandoned) => return Outcome::Abandoned,
            Err(Ended::Failed(second)) => {
                let sink_reason = second.reason;
                self.metrics.dropped.inc();
                error!(%trigger, partition, offset, %reason, %sink_reason, "event dropped");
            }
        }
        Outcome::Finished
    }

    /// Tries until success, a failure that no retry helps, or the last retry.
    async fn attempts(&self, target: &Target, event: &Message) -> Result<(), Ended> {
        let mut retry = 0;
        // Since when nobody is there who could answer.
        let mut absent: Option<Instant> = None;
        loop {
            let began = Instant::now();
            let end = self.attempt(target, event).await;
            match &end {
                Err(Ended::Failed(failure)) if failure.is_unreachable => {
                    absent.get_or_insert(began);
                }
                Err(Ended::Abandoned) => {}
                Ok(()) | Err(Ended::Failed(_)) => {
                    if let Some(since) = absent.take() {
                        self.metrics.cold_start(since.elapsed());
                    }
                }
            }
            let ended = match end {
                Err(Ended::Failed(failure)) if failure.is_retryable => failure,
                end => return end,
            };
            if retry >= self.subscription.retry {
                return Err(Ended::Failed(ended));
            }
            retry += 1;
            self.metrics.retries.inc();
            debug!(%target, retry, reason = %ended.reason, "delivery failed, will be retried");
            self.sender.pause(self.subscription.backoff.wait(retry)).await?;
        }
    }

    async fn attempt(&self, target: &Target, event: &Message) -> Result<(), Ended> {
        let answer = self.sender.send(target, event).await?;
        let Replies::Publish(topic) = &self.subscription.replies else {
            return Ok(());
        };
        match reply(answer) {
            Ok(None) => Ok(()),
            Ok(Some(reply)) => self.sender.publish(topic, &reply).await,
            Err(failure) => Err(Ended::Failed(failure)),
        }
    }
}

/// The event in an answer. Event headers make a reply even of an empty body; a body that is no event is a failure,
/// and no retry would change it.
fn reply(answer: Answer) -> Result<Option<Message>, Failure> {
    if answer.body.is_empty() && !Message::is_announced(&answer.headers) {
        return Ok(None);
    }
    match Message::from_http(&answer.headers, answer.body) {
        Ok(message) => Ok(Some(message)),
        Err(error) => Err(Failure::without_code(format!("answer {error}"), false)),
    }
}

/// Adds to an event what is known about its failure.
///
/// # Source
/// <https://knative.dev/docs/eventing/event-delivery/#configuring-channel-event-delivery>
fn dead_letter(mut event: Message, subscriber: &Target, failure: Failure) -> Message {
    // A dead letter that was sent again may still carry what was known about its last failure.
    event.remove("knativeerrorcode");
    event.remove("knativeerrordata");
    for (name, value) in failure.extensions {
        event.set(&name, value);
    }
    event.set("knativeerrordest", subscriber.to_string());
    if let Some(code) = failure.code {
        event.set("knativeerrorcode", code.as_str());
    }
    if !failure.data.is_empty() {
        let length = failure.data.len().min(ERROR_DATA_BYTES);
        event.set("knativeerrordata", STANDARD.encode(&failure.data[..length]));
    }
    event
}
