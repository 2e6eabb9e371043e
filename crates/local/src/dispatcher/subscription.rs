//! A Trigger with every reference resolved: what a dispatcher needs to know.

use std::{fmt, time::Duration};

use super::Backoff;
use crate::{
    Error,
    filter::Filter,
    manifest::{Delivery, DeliveryOrder, Destination, Manifests, ObjectName, Trigger},
};

/// The unit of waits where a Trigger names none.
const DEFAULT_BACKOFF_DELAY: Duration = Duration::from_secs(1);

/// Longest wait for an answer where a Trigger names none.
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(10);

/// What one dispatcher does.
#[derive(Debug, Clone)]
pub struct Subscription {
    /// The Trigger; its namespace is told to the subscriber.
    pub trigger: ObjectName,
    /// The consumer group.
    pub group: String,
    /// The topic it reads.
    pub topic: String,
    /// Which events it wants.
    pub filter: Filter,
    /// One event at a time for each partition, or many at once.
    pub order: DeliveryOrder,
    /// Who gets the events.
    pub subscriber: Target,
    /// Who gets those that the subscriber did not take.
    pub dead_letter_sink: Option<Target>,
    /// Tries after the first one.
    pub retry: u32,
    /// Waits between tries.
    pub backoff: Backoff,
    /// Longest wait for one answer.
    pub timeout: Duration,
    /// What happens to events in the subscriber's answers.
    pub replies: Replies,
}

/// What happens to an event in a subscriber's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replies {
    /// It is published to this topic; an answer that is no event fails the delivery. Triggers do so.
    Publish(String),
    /// Nobody looks at the answer's body. A `KafkaSource` does so.
    Discard,
}

/// Where events are sent, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A URL.
    Url(String),
    /// A Service: its workers where they are managed here, else its name in the cluster.
    Service {
        /// The Service.
        name: ObjectName,
        /// Path of the request.
        path: String,
    },
    /// A Broker's topic.
    Broker {
        /// The Broker.
        name: ObjectName,
        /// Its topic.
        topic: String,
    },
    /// A `KafkaSink`'s topic.
    KafkaSink {
        /// The sink.
        name: ObjectName,
        /// Its topic.
        topic: String,
    },
}

/// Prints the address that the target has in a cluster, which is what dead letters name.
impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SYSTEM: &str = "knative-eventing.svc.cluster.local";
        match self {
            Self::Url(url) => formatter.write_str(url),
            Self::Service { name, path } => {
                write!(formatter, "http://{}.{}.svc.cluster.local{path}", name.name, name.namespace)
            }
            Self::Broker { name, .. } => {
                write!(formatter, "http://kafka-broker-ingress.{SYSTEM}/{name}")
            }
            Self::KafkaSink { name, .. } => {
                write!(formatter, "http://kafka-sink-ingress.{SYSTEM}/{name}")
            }
        }
    }
}

impl Subscription {
    /// Resolves a Trigger; its delivery settings replace the Broker's as a whole, and without any nothing is retried.
    ///
    /// # Errors
    /// [`Error::UnknownObject`] if a Broker or `KafkaSink` that it names is in no manifest.
    pub fn resolve(manifests: &Manifests, trigger: &Trigger) -> Result<Self, Error> {
        let unknown = |kind, object: &ObjectName| Error::UnknownObject {
            trigger: trigger.name.clone(),
            kind,
            object: object.clone(),
        };
        let target = |destination: &Destination| match destination {
            Destination::Uri(url) => Ok(Target::Url(url.clone())),
            Destination::Service { name, path } => Ok(Target::Service { name: name.clone(), path: path.clone() }),
            Destination::Broker(name) => {
                let broker = manifests.broker(name).ok_or_else(|| unknown("Broker", name))?;
                Ok(Target::Broker { name: name.clone(), topic: broker.topic.clone() })
            }
            Destination::KafkaSink(name) => {
                let sink = manifests.sink(name).ok_or_else(|| unknown("KafkaSink", name))?;
                Ok(Target::KafkaSink { name: name.clone(), topic: sink.topic.clone() })
            }
        };
        let broker = manifests.broker(&trigger.broker).ok_or_else(|| unknown("Broker", &trigger.broker))?;
        let nothing = Delivery::default();
        let delivery = trigger.delivery.as_ref().or(broker.delivery.as_ref()).unwrap_or(&nothing);
        Ok(Self {
            trigger: trigger.name.clone(),
            group: trigger.group(),
            topic: broker.topic.clone(),
            filter: trigger.filter.clone(),
            order: trigger.order,
            subscriber: target(&trigger.subscriber)?,
            dead_letter_sink: delivery.dead_letter_sink.as_ref().map(target).transpose()?,
            retry: delivery.retry,
            backoff: Backoff {
                policy: delivery.backoff_policy,
                delay: delivery.backoff_delay.unwrap_or(DEFAULT_BACKOFF_DELAY),
            },
            timeout: delivery.timeout.unwrap_or(DEFAULT_TIMEOUT),
            replies: Replies::Publish(broker.topic.clone()),
        })
    }
}
