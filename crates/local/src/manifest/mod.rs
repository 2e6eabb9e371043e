//! The Kubernetes manifests as typed values: who gets which event, and how far a stage scales.
//!
//! `knative/`, `triggers/` and `scaledobjects/` are read as they stand for a cluster. Kinds that the local
//! platform has no use for are passed over; a known kind with a wrong field is refused by file, object and field.

mod duration;
mod eventing;
mod node;
mod scaling;
mod source;
#[cfg(test)]
mod tests;
mod workload;

use std::fmt;

pub use eventing::{BackoffPolicy, Broker, Delivery, DeliveryOrder, Destination, KafkaSink, Trigger};
pub use scaling::{
    Behavior, JobStrategy, KafkaTrigger, PolicyKind, ScaleTarget, ScaledJob, ScaledObject, ScalingPolicy, ScalingRules,
    SelectPolicy,
};
pub use source::{FOLDERS, Problem};
pub use workload::{Container, KafkaTopic, LivenessProbe, Service, ServicePort, Workload};

/// Namespace and name of a Kubernetes object, printed as `namespace/name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    /// The namespace; `default` where a manifest names none.
    pub namespace: String,
    /// The name within the namespace and kind.
    pub name: String,
}

impl ObjectName {
    /// Puts the two parts together.
    #[must_use]
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.name)
    }
}

/// Everything the manifests say that the local platform acts on.
#[derive(Debug, Clone, Default)]
pub struct Manifests {
    /// Where events are posted to; each stands for one topic.
    pub brokers: Vec<Broker>,
    /// Who gets which event of a Broker.
    pub triggers: Vec<Trigger>,
    /// Topics that can be a Trigger's subscriber or a dead-letter sink.
    pub sinks: Vec<KafkaSink>,
    /// Partitions and retention of topics.
    pub topics: Vec<KafkaTopic>,
    /// How far workloads scale on lag.
    pub scaled_objects: Vec<ScaledObject>,
    /// Long-running jobs started on lag.
    pub scaled_jobs: Vec<ScaledJob>,
    /// Addresses of functions.
    pub services: Vec<Service>,
    /// The functions' processes.
    pub workloads: Vec<Workload>,
}

impl Manifests {
    /// The Broker of that name.
    #[must_use]
    pub fn broker(&self, name: &ObjectName) -> Option<&Broker> {
        self.brokers.iter().find(|broker| broker.name == *name)
    }

    /// The `KafkaSink` of that name.
    #[must_use]
    pub fn sink(&self, name: &ObjectName) -> Option<&KafkaSink> {
        self.sinks.iter().find(|sink| sink.name == *name)
    }

    /// Every topic that a Broker, a `KafkaSink`, a `KafkaTopic` or a scaler names, sorted, each once.
    #[must_use]
    pub fn topic_names(&self) -> Vec<String> {
        let scalers = self
            .scaled_objects
            .iter()
            .flat_map(|scaled| &scaled.triggers)
            .chain(self.scaled_jobs.iter().flat_map(|job| &job.triggers));
        let mut names: Vec<String> = (self.brokers.iter().map(|broker| &broker.topic))
            .chain(self.sinks.iter().map(|sink| &sink.topic))
            .chain(self.topics.iter().map(|topic| &topic.topic))
            .chain(scalers.filter_map(|trigger| trigger.topic.as_ref()))
            .cloned()
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// The workload whose pods a Service selects.
    #[must_use]
    pub fn workload_behind(&self, service: &Service) -> Option<&Workload> {
        self.workloads.iter().find(|workload| {
            workload.name.namespace == service.name.namespace
                && !service.selector.is_empty()
                && (service.selector.iter()).all(|(label, value)| workload.labels.get(label) == Some(value))
        })
    }
}
