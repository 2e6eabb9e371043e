//! Who wants predictions of new bars: kept with the objects, so that it outlives the process.
//!
//! A subscription is one object of its own. A workflow that has ended leaves a mark, so that a command that comes late
//! or again does not begin anew what was called off.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use streamforge_events::{ControlCommand, Event, Millis, ModelVersion, QueueId, data, digest, hex};
use streamforge_store::{ObjectStore, ObjectSwap};

use crate::Error;

const LIVE: &str = "subscriptions/predictor/live/";
const ENDED: &str = "subscriptions/predictor/ended/";

/// How long a mark is kept: longer than any topic keeps a command.
///
/// # Units
/// Milliseconds.
const REMEMBERED: Millis = 14 * 86_400_000;

/// The state of one subscription.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Subscription {
    /// The command that began it.
    pub(crate) start: Event,
    /// The version that predicted last, which goes on when a later one cannot be used.
    pub(crate) serving: Option<ModelVersion>,
    /// The newest bar that is done.
    pub(crate) done: Option<Millis>,
    /// The bar that not all symbols have yet.
    pub(crate) waiting: Option<Waiting>,
}

/// A bar that is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Waiting {
    /// When it opened.
    pub(crate) open_time: Millis,
    /// Since when it is known of, by the clock of this function.
    pub(crate) since: Millis,
}

/// A subscription as it lies in the store.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) subscription: Subscription,
    key: String,
    bytes: Vec<u8>,
}

/// All subscriptions.
pub(crate) struct Subscriptions {
    objects: Arc<dyn ObjectStore>,
}

impl Subscription {
    /// One that has not predicted anything yet.
    pub(crate) fn new(start: Event) -> Self {
        Self { start, serving: None, done: None, waiting: None }
    }

    /// The command that began it.
    ///
    /// # Errors
    /// If its event holds none.
    pub(crate) fn command(&self) -> Result<ControlCommand, Error> {
        Ok(data(&self.start)?)
    }
}

impl Subscriptions {
    pub(crate) fn new(objects: Arc<dyn ObjectStore>) -> Self {
        Self { objects }
    }

    /// Begins a subscription, or takes up the one of the same task; false if its workflow has ended.
    ///
    /// # Errors
    /// A failure of the store.
    pub(crate) async fn begin(&self, start: &Event, command: &ControlCommand) -> Result<bool, Error> {
        let task = command.task.as_deref().unwrap_or_default();
        let key = format!("{}{}", live(&command.queue_id), short(task));
        loop {
            let current = self.read(&key).await?;
            let next = match &current {
                // A command that comes late does not take the place of a later attempt's.
                Some(stored) if stored.subscription.command()?.attempt > command.attempt => return Ok(true),
                Some(stored) => Subscription { start: start.clone(), ..stored.subscription.clone() },
                None => Subscription::new(start.clone()),
            };
            let expected = current.as_ref().map(|stored| &stored.bytes[..]);
            if self.objects.compare_and_set(&key, expected, json(&key, &next)?).await? != ObjectSwap::Won {
                continue;
            }
            // Asked after the writing, so that whoever ends the workflow meanwhile finds this object.
            if !self.has_ended(&command.queue_id).await? {
                return Ok(true);
            }
            self.objects.delete(&key).await?;
            return Ok(false);
        }
    }

    /// All subscriptions.
    ///
    /// # Errors
    /// A failure of the store.
    pub(crate) async fn all(&self) -> Result<Vec<Stored>, Error> {
        self.under(LIVE).await
    }

    /// The subscriptions of a workflow that ends now; none can begin any more.
    ///
    /// # Errors
    /// A failure of the store.
    pub(crate) async fn end(&self, queue_id: &QueueId, now: Millis) -> Result<Vec<Stored>, Error> {
        self.objects.put(&ended(queue_id), now.to_string().into_bytes()).await?;
        self.forget(now).await?;
        self.under(&live(queue_id)).await
    }

    /// Removes a subscription.
    ///
    /// # Errors
    /// A failure of the store.
    pub(crate) async fn remove(&self, stored: &Stored) -> Result<(), Error> {
        self.objects.delete(&stored.key).await?;
        Ok(())
    }

    /// Changes a subscription, also when another process has changed it meanwhile; one that is gone stays gone.
    ///
    /// # Errors
    /// A failure of the store.
    pub(crate) async fn change(&self, stored: &Stored, change: impl Fn(&mut Subscription)) -> Result<(), Error> {
        let mut current = stored.clone();
        loop {
            let mut next = current.subscription.clone();
            change(&mut next);
            if next == current.subscription {
                return Ok(());
            }
            let bytes = json(&current.key, &next)?;
            if self.objects.compare_and_set(&current.key, Some(&current.bytes), bytes).await? == ObjectSwap::Won {
                return Ok(());
            }
            match self.read(&current.key).await? {
                Some(other) => current = other,
                None => return Ok(()),
            }
        }
    }

    async fn has_ended(&self, queue_id: &QueueId) -> Result<bool, Error> {
        Ok(self.objects.get(&ended(queue_id)).await?.is_some())
    }

    async fn under(&self, prefix: &str) -> Result<Vec<Stored>, Error> {
        let mut found = Vec::new();
        for key in self.objects.list(prefix).await? {
            match self.read(&key).await {
                Ok(stored) => found.extend(stored),
                // Others must not wait for a person to see to this one.
                Err(error @ Error::Subscription { .. }) => tracing::error!("{error}"),
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    async fn read(&self, key: &str) -> Result<Option<Stored>, Error> {
        let Some(bytes) = self.objects.get(key).await? else { return Ok(None) };
        let fail = |error: serde_json::Error| Error::Subscription { key: key.to_owned(), reason: error.to_string() };
        let subscription = serde_json::from_slice(&bytes).map_err(fail)?;
        Ok(Some(Stored { subscription, key: key.to_owned(), bytes }))
    }

    /// Removes marks that no command can come behind any more.
    async fn forget(&self, now: Millis) -> Result<(), Error> {
        for key in self.objects.list(ENDED).await? {
            let bytes = self.objects.get(&key).await?.unwrap_or_default();
            let marked = std::str::from_utf8(&bytes).ok().and_then(|text| text.parse::<Millis>().ok());
            if marked.is_none_or(|marked| marked < now - REMEMBERED) {
                self.objects.delete(&key).await?;
            }
        }
        Ok(())
    }
}

fn json(key: &str, subscription: &Subscription) -> Result<Vec<u8>, Error> {
    let fail = |error: serde_json::Error| Error::Subscription { key: key.to_owned(), reason: error.to_string() };
    serde_json::to_vec(subscription).map_err(fail)
}

fn live(queue_id: &QueueId) -> String {
    format!("{LIVE}{}/", short(queue_id.as_str()))
}

fn ended(queue_id: &QueueId) -> String {
    format!("{ENDED}{}", short(queue_id.as_str()))
}

/// A name of any letters as a part of a key.
fn short(name: &str) -> String {
    hex(&digest(&[name])[..16])
}
