//! Who wants to be served with each new bar: kept with the objects, so that it outlives the process that serves.
//!
//! A subscription is one object of its own. A workflow that has ended leaves a mark, so that a command that comes late
//! or again does not begin anew what was called off.

use std::{marker::PhantomData, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use streamforge_events::{ControlCommand, Event, Millis, QueueId, data, digest, hex};

use crate::{Error, ObjectStore, ObjectSwap};

/// How long a mark is kept: longer than any topic keeps a command.
///
/// # Units
/// Milliseconds.
const REMEMBERED: Millis = 14 * 86_400_000;

/// What a function keeps of one subscription beside its progress.
pub trait SubscriptionState: Clone + Default + PartialEq + Serialize + DeserializeOwned + Send + Sync {}

impl<S: Clone + Default + PartialEq + Serialize + DeserializeOwned + Send + Sync> SubscriptionState for S {}

/// One subscription.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subscription<S> {
    /// The command that began it.
    pub start: Event,
    /// The newest bar that is done.
    pub done: Option<Millis>,
    /// The bar that not all symbols have yet.
    pub waiting: Option<WaitingBar>,
    /// What its function keeps beside.
    #[serde(flatten)]
    pub state: S,
}

/// A bar that is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingBar {
    /// When it opened.
    pub open_time: Millis,
    /// Since when it is known of, by the clock of the function.
    pub since: Millis,
}

/// A subscription as it lies in the store.
#[derive(Clone, Debug)]
pub struct StoredSubscription<S> {
    /// What it was when it was read.
    pub subscription: Subscription<S>,
    key: String,
    bytes: Vec<u8>,
}

/// All subscriptions of one function.
pub struct Subscriptions<S> {
    objects: Arc<dyn ObjectStore>,
    function: &'static str,
    state: PhantomData<fn() -> S>,
}

impl<S: SubscriptionState> Subscription<S> {
    /// One that was not served yet.
    #[must_use]
    pub fn new(start: Event) -> Self {
        Self { start, done: None, waiting: None, state: S::default() }
    }

    /// The command that began it.
    ///
    /// # Errors
    /// If its event holds none.
    pub fn command(&self) -> Result<ControlCommand, streamforge_events::Error> {
        data(&self.start)
    }

    /// Notes that a bar is done; it and earlier ones are waited for no more.
    pub fn finish(&mut self, bar: Millis) {
        self.done = self.done.max(Some(bar));
        self.waiting = self.waiting.filter(|waiting| waiting.open_time > bar);
    }
}

impl<S> StoredSubscription<S> {
    /// Names it among all subscriptions of its function.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl<S: SubscriptionState> Subscriptions<S> {
    /// The subscriptions of the function of this name.
    #[must_use]
    pub fn new(objects: Arc<dyn ObjectStore>, function: &'static str) -> Self {
        Self { objects, function, state: PhantomData }
    }

    /// Begins a subscription, or takes up the one of the same task; false if its workflow has ended.
    ///
    /// # Errors
    /// A failure of the store.
    pub async fn begin(&self, start: &Event, command: &ControlCommand) -> Result<bool, Error> {
        let task = command.task.as_deref().unwrap_or_default();
        let key = format!("{}{}", self.live(&command.queue_id), short(task));
        loop {
            let current = self.read(&key).await?;
            let next = match &current {
                // A command that comes late does not take the place of a later attempt's.
                Some(stored) if attempt(stored)? > command.attempt => return Ok(true),
                Some(stored) => Subscription { start: start.clone(), ..stored.subscription.clone() },
                None => Subscription::new(start.clone()),
            };
            let expected = current.as_ref().map(|stored| &stored.bytes[..]);
            if self.objects.compare_and_set(&key, expected, json(&key, &next)?).await? != ObjectSwap::Won {
                continue;
            }
            // Asked after the writing, so that whoever ends the workflow meanwhile finds this object.
            if self.objects.get(&self.ended(&command.queue_id)).await?.is_none() {
                return Ok(true);
            }
            self.objects.delete(&key).await?;
            return Ok(false);
        }
    }

    /// All subscriptions; damaged ones are left out and logged.
    ///
    /// # Errors
    /// A failure of the store.
    pub async fn all(&self) -> Result<Vec<StoredSubscription<S>>, Error> {
        self.under(&self.folder("live")).await
    }

    /// The subscriptions of a workflow that ends now; none can begin any more.
    ///
    /// # Errors
    /// A failure of the store.
    pub async fn end(&self, queue_id: &QueueId, now: Millis) -> Result<Vec<StoredSubscription<S>>, Error> {
        self.objects.put(&self.ended(queue_id), now.to_string().into_bytes()).await?;
        self.forget(now).await?;
        self.under(&self.live(queue_id)).await
    }

    /// Removes a subscription.
    ///
    /// # Errors
    /// A failure of the store.
    pub async fn remove(&self, stored: &StoredSubscription<S>) -> Result<(), Error> {
        self.objects.delete(&stored.key).await?;
        Ok(())
    }

    /// Changes a subscription, also when another process has changed it meanwhile; one that is gone stays gone.
    ///
    /// # Errors
    /// A failure of the store.
    pub async fn change(
        &self,
        stored: &StoredSubscription<S>,
        change: impl Fn(&mut Subscription<S>) + Send + Sync,
    ) -> Result<(), Error> {
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

    /// Whether a bar that only `there` symbols have was waited for long enough; notes since when it is.
    ///
    /// A bar that no symbol has is waited for as long as it is told of.
    ///
    /// # Errors
    /// A failure of the store.
    pub async fn is_waited_for(
        &self,
        stored: &StoredSubscription<S>,
        there: usize,
        bar: Millis,
        now: Millis,
        patience: Duration,
    ) -> Result<bool, Error> {
        let patience = Millis::try_from(patience.as_millis()).unwrap_or(Millis::MAX);
        match stored.subscription.waiting {
            Some(WaitingBar { open_time, since }) if open_time == bar && since <= now => {
                Ok(there > 0 && now - since >= patience)
            }
            // Another bar is a new wait, and so is one whose clock was set back.
            _ => {
                let waiting = Some(WaitingBar { open_time: bar, since: now });
                self.change(stored, |subscription| subscription.waiting = waiting).await?;
                Ok(there > 0 && patience == 0)
            }
        }
    }

    async fn under(&self, prefix: &str) -> Result<Vec<StoredSubscription<S>>, Error> {
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

    async fn read(&self, key: &str) -> Result<Option<StoredSubscription<S>>, Error> {
        let Some(bytes) = self.objects.get(key).await? else { return Ok(None) };
        let subscription = serde_json::from_slice(&bytes).map_err(|error| damaged(key, &error))?;
        Ok(Some(StoredSubscription { subscription, key: key.to_owned(), bytes }))
    }

    /// Removes marks that no command can come behind any more.
    async fn forget(&self, now: Millis) -> Result<(), Error> {
        for key in self.objects.list(&self.folder("ended")).await? {
            let bytes = self.objects.get(&key).await?.unwrap_or_default();
            let marked = std::str::from_utf8(&bytes).ok().and_then(|text| text.parse::<Millis>().ok());
            if marked.is_none_or(|marked| marked < now - REMEMBERED) {
                self.objects.delete(&key).await?;
            }
        }
        Ok(())
    }

    fn live(&self, queue_id: &QueueId) -> String {
        format!("{}{}/", self.folder("live"), short(queue_id.as_str()))
    }

    fn ended(&self, queue_id: &QueueId) -> String {
        format!("{}{}", self.folder("ended"), short(queue_id.as_str()))
    }

    fn folder(&self, name: &str) -> String {
        format!("subscriptions/{}/{name}/", self.function)
    }
}

fn attempt<S: SubscriptionState>(stored: &StoredSubscription<S>) -> Result<Option<u32>, Error> {
    Ok(stored.subscription.command().map_err(|error| damaged(&stored.key, &error))?.attempt)
}

fn json<S: Serialize>(key: &str, subscription: &Subscription<S>) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(subscription).map_err(|error| damaged(key, &error))
}

fn damaged(key: &str, reason: &impl ToString) -> Error {
    Error::Subscription { key: key.to_owned(), reason: reason.to_string() }
}

/// A name of any letters as a part of a key.
fn short(name: &str) -> String {
    hex(&digest(&[name])[..16])
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::FolderObjects;

    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    struct State {
        serving: Option<String>,
    }

    fn start(task: &str, attempt: u32) -> (Event, ControlCommand) {
        let event = json!({
            "specversion": "1.0", "id": format!("{task}/{attempt}"), "source": "/streamforge/queue-manager",
            "type": "io.streamforge.control.start.v1", "datacontenttype": "application/json",
            "data": {
                "command": "start", "queue_id": "wf-multi-live-20240601-a1b2c3", "target": "x", "type": "live",
                "telemetry_id": "x__a1b2c3", "timestamp": 1.0, "task": task, "attempt": attempt, "parameters": {},
            },
        });
        let event: Event = serde_json::from_value(event).unwrap();
        let command = data(&event).unwrap();
        (event, command)
    }

    #[tokio::test]
    async fn each_function_has_its_own_and_its_state_lies_beside_the_progress() {
        let folder = tempfile::tempdir().unwrap();
        let objects: Arc<dyn ObjectStore> = Arc::new(FolderObjects::open(folder.path()).await.unwrap());
        let one = Subscriptions::<State>::new(Arc::clone(&objects), "one");
        let (event, command) = start("a", 1);
        assert!(one.begin(&event, &command).await.unwrap());
        let stored = one.all().await.unwrap().remove(0);
        let bar = |subscription: &mut Subscription<State>| {
            subscription.finish(7);
            subscription.state.serving = Some("1".to_owned());
        };
        one.change(&stored, bar).await.unwrap();
        let kept: Value = serde_json::from_slice(&objects.get(stored.key()).await.unwrap().unwrap()).unwrap();
        assert_eq!((&kept["done"], &kept["waiting"], &kept["serving"]), (&json!(7), &Value::Null, &json!("1")));
        assert!(stored.key().starts_with("subscriptions/one/live/"), "{}", stored.key());

        let other = Subscriptions::<State>::new(Arc::clone(&objects), "other");
        assert!(other.all().await.unwrap().is_empty());
        assert!(other.end(&command.queue_id, 0).await.unwrap().is_empty());
        assert_eq!(one.all().await.unwrap().len(), 1);
        assert_eq!(one.end(&command.queue_id, 0).await.unwrap()[0].subscription.state.serving.as_deref(), Some("1"));
        assert!(!one.begin(&start("b", 1).0, &command).await.unwrap());
    }
}
