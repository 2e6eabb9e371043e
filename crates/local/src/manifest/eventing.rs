//! Knative's kinds: Broker, Trigger, `KafkaSink` and their delivery settings.

use std::time::Duration;

use super::{
    ObjectName,
    node::{FieldError, Node},
};
use crate::filter::Filter;

/// Where events are posted to; it stands for one topic.
#[derive(Debug, Clone)]
pub struct Broker {
    /// Namespace and name, which are also the path of its URL.
    pub name: ObjectName,
    /// The topic behind it.
    pub topic: String,
    /// Delivery settings of its Triggers that have none of their own.
    pub delivery: Option<Delivery>,
}

/// A subscription to the events of one Broker.
#[derive(Debug, Clone)]
pub struct Trigger {
    /// Namespace and name.
    pub name: ObjectName,
    /// The Broker it listens to; always in the same namespace.
    pub broker: ObjectName,
    /// Which events it wants.
    pub filter: Filter,
    /// Who gets them.
    pub subscriber: Destination,
    /// Its own delivery settings; they replace the Broker's as a whole.
    pub delivery: Option<Delivery>,
    /// One at a time for each partition, or many at once.
    pub order: DeliveryOrder,
}

impl Trigger {
    /// Name of its consumer group.
    ///
    /// # Source
    /// `triggers-consumergroup-template` in eventing-kafka-broker's `config-kafka-features`:
    /// <https://github.com/knative-extensions/eventing-kafka-broker/blob/main/control-plane/pkg/apis/config/features.go>
    #[must_use]
    pub fn group(&self) -> String {
        format!("knative-trigger-{}-{}", self.name.namespace, self.name.name)
    }
}

/// Order in which a Trigger's subscriber gets the events of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryOrder {
    /// One event in flight for each partition; the next waits for the end of all retries.
    Ordered,
    /// Many events in flight.
    Unordered,
}

/// Somewhere an event can be sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Destination {
    /// An absolute `http` or `https` URL.
    Uri(String),
    /// A core/v1 Service at port 80.
    Service {
        /// The Service.
        name: ObjectName,
        /// Path of the request with its leading slash, or nothing.
        path: String,
    },
    /// Another Broker.
    Broker(ObjectName),
    /// A topic behind a `KafkaSink`.
    KafkaSink(ObjectName),
}

/// How often and how long delivery is tried, and where an event goes when it fails.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delivery {
    /// Tries after the first one.
    pub retry: u32,
    /// How waits grow.
    pub backoff_policy: BackoffPolicy,
    /// The unit of the waits.
    pub backoff_delay: Option<Duration>,
    /// Longest wait for one answer.
    pub timeout: Option<Duration>,
    /// Where an event goes that could not be delivered.
    pub dead_letter_sink: Option<Destination>,
}

/// Growth of the waits between tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BackoffPolicy {
    /// Wait *n* is `delay × n`.
    Linear,
    /// Wait *n* is `delay × 2ⁿ`.
    #[default]
    Exponential,
}

/// A topic that events can be sent to; they are recorded in binary mode.
#[derive(Debug, Clone)]
pub struct KafkaSink {
    /// Namespace and name.
    pub name: ObjectName,
    /// The topic.
    pub topic: String,
}

pub(super) fn broker(name: ObjectName, root: &Node) -> Result<Broker, FieldError> {
    let annotations = root.at(&["metadata", "annotations"])?;
    let external = annotations.field("kafka.eventing.knative.dev/external.topic")?;
    let topic = external.topic_name()?;
    let topic = topic.unwrap_or_else(|| format!("knative-broker-{}-{}", name.namespace, name.name));
    let spec = root.field("spec")?;
    spec.only(&["config", "delivery"])?;
    let delivery = delivery(&name.namespace, &spec.field("delivery")?)?;
    Ok(Broker { name, topic, delivery })
}

pub(super) fn trigger(name: ObjectName, root: &Node) -> Result<Trigger, FieldError> {
    let spec = root.field("spec")?;
    spec.only(&["broker", "delivery", "filter", "filters", "subscriber"])?;
    let broker = ObjectName::new(name.namespace.clone(), spec.field("broker")?.required_text()?);
    let order_node = root.at(&["metadata", "annotations"])?.field("kafka.eventing.knative.dev/delivery.order")?;
    let order = match order_node.text()?.as_deref() {
        Some("ordered") => DeliveryOrder::Ordered,
        None | Some("unordered") => DeliveryOrder::Unordered,
        Some(other) => {
            return Err(order_node.error(format!("must be `ordered` or `unordered`, not `{other}`")));
        }
    };
    let subscriber_node = spec.field("subscriber")?;
    let subscriber =
        destination(&name.namespace, &subscriber_node)?.ok_or_else(|| subscriber_node.error("is missing"))?;
    Ok(Trigger {
        broker,
        filter: filter(&spec)?,
        subscriber,
        delivery: delivery(&name.namespace, &spec.field("delivery")?)?,
        order,
        name,
    })
}

pub(super) fn sink(name: ObjectName, root: &Node) -> Result<KafkaSink, FieldError> {
    let topic_node = root.at(&["spec", "topic"])?;
    let topic = topic_node.topic_name()?.ok_or_else(|| topic_node.error("is missing"))?;
    Ok(KafkaSink { name, topic })
}

/// `spec.filters` takes the place of `spec.filter` where it has any element.
fn filter(spec: &Node) -> Result<Filter, FieldError> {
    let filters = spec.field("filters")?.items()?;
    if !filters.is_empty() {
        let parsed: Result<Vec<_>, _> = filters.iter().map(|filter| dialect(filter, DEEPEST_FILTER)).collect();
        return Ok(Filter::All(parsed?));
    }
    let filter = spec.field("filter")?;
    filter.only(&["attributes"])?;
    let attributes = filter.field("attributes")?.text_map()?;
    Ok(Filter::Exact(attributes.into_iter().collect()))
}

/// How deep filters may lie in each other, far above any sensible one and far below the stack's end.
const DEEPEST_FILTER: usize = 16;

/// One element of `spec.filters`, `depth` of which may lie in each other: a mapping with exactly one dialect.
///
/// # Source
/// <https://knative.dev/docs/eventing/triggers/#supported-filter-dialects>
fn dialect(node: &Node, depth: usize) -> Result<Filter, FieldError> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(node.error("is nested too deeply"));
    };
    let entries = node.entries()?;
    let [(name, value)] = entries.as_slice() else {
        return Err(node.error("must have exactly one dialect"));
    };
    let several = || -> Result<Vec<Filter>, FieldError> {
        let filters: Result<Vec<_>, _> = value.items()?.iter().map(|filter| dialect(filter, depth)).collect();
        let filters = filters?;
        if filters.is_empty() {
            return Err(value.error("must have at least one filter"));
        }
        Ok(filters)
    };
    match name.as_str() {
        "exact" => Ok(Filter::Exact(attributes(value)?)),
        "prefix" => Ok(Filter::Prefix(attributes(value)?)),
        "suffix" => Ok(Filter::Suffix(attributes(value)?)),
        "all" => Ok(Filter::All(several()?)),
        "any" => Ok(Filter::Any(several()?)),
        "not" => Ok(Filter::Not(Box::new(dialect(value, depth)?))),
        "cesql" => {
            let text = value.required_text()?;
            let expression = text.parse().map_err(|error| value.error(format!("{error}")))?;
            Ok(Filter::Cesql(expression))
        }
        _ => Err(value.error("is no filter dialect; known: exact, prefix, suffix, all, any, not, cesql")),
    }
}

fn attributes(node: &Node) -> Result<Vec<(String, String)>, FieldError> {
    let map = node.text_map()?;
    if map.is_empty() {
        return Err(node.error("must name at least one attribute"));
    }
    match map.iter().find(|(_, value)| value.is_empty()) {
        Some((name, _)) => Err(node.field(name)?.error("is empty")),
        None => Ok(map.into_iter().collect()),
    }
}

fn delivery(namespace: &str, node: &Node) -> Result<Option<Delivery>, FieldError> {
    if !node.is_present() {
        return Ok(None);
    }
    node.only(&["retry", "backoffPolicy", "backoffDelay", "timeout", "deadLetterSink", "retryAfterMax", "format"])?;
    let format_node = node.field("format")?;
    if !matches!(format_node.text()?.as_deref(), None | Some("binary")) {
        return Err(format_node.error("must be binary; no other mode is sent here"));
    }
    let policy_node = node.field("backoffPolicy")?;
    let backoff_policy = match policy_node.text()?.as_deref() {
        None | Some("exponential") => BackoffPolicy::Exponential,
        Some("linear") => BackoffPolicy::Linear,
        Some(other) => {
            return Err(policy_node.error(format!("must be linear or exponential, not `{other}`")));
        }
    };
    let timeout_node = node.field("timeout")?;
    let timeout = timeout_node.duration()?;
    if timeout == Some(Duration::ZERO) {
        return Err(timeout_node.error("must be longer than nothing"));
    }
    Ok(Some(Delivery {
        retry: node.field("retry")?.integer()?.unwrap_or(0),
        backoff_policy,
        backoff_delay: node.field("backoffDelay")?.duration()?,
        timeout,
        dead_letter_sink: destination(namespace, &node.field("deadLetterSink")?)?,
    }))
}

fn destination(namespace: &str, node: &Node) -> Result<Option<Destination>, FieldError> {
    if !node.is_present() {
        return Ok(None);
    }
    node.only(&["ref", "uri"])?;
    let uri_node = node.field("uri")?;
    let uri = uri_node.text()?;
    let reference = node.field("ref")?;
    if !reference.is_present() {
        return match uri {
            Some(uri) if uri.starts_with("http://") || uri.starts_with("https://") => Ok(Some(Destination::Uri(uri))),
            Some(_) => Err(uri_node.error("must be an absolute http or https URL without `ref`")),
            None => Err(node.error("needs `ref` or `uri`")),
        };
    }
    let name = ObjectName::new(
        reference.field("namespace")?.text()?.unwrap_or_else(|| namespace.to_owned()),
        reference.field("name")?.required_text()?,
    );
    let kind_node = reference.field("kind")?;
    let target = match kind_node.required_text()?.as_str() {
        "Service" => {
            let path = match uri {
                Some(uri) if !uri.starts_with('/') => format!("/{uri}"),
                path => path.unwrap_or_default(),
            };
            return Ok(Some(Destination::Service { name, path }));
        }
        "Broker" => Destination::Broker(name),
        "KafkaSink" => Destination::KafkaSink(name),
        other => {
            return Err(kind_node.error(format!("must be Service, Broker or KafkaSink, not `{other}`")));
        }
    };
    match uri {
        Some(_) => Err(uri_node.error("has no meaning beside a Broker or a KafkaSink")),
        None => Ok(Some(target)),
    }
}
