//! Kinds around a function: `KafkaTopic`, Service, Deployment and Rollout.

use std::{collections::BTreeMap, time::Duration};

use streamforge_bus::TopicConfig;

use super::{
    ObjectName,
    node::{FieldError, Node},
};

/// A topic with its partitions and retention.
///
/// # Source
/// <https://strimzi.io/docs/operators/latest/configuring.html#type-KafkaTopic-reference>
#[derive(Debug, Clone)]
pub struct KafkaTopic {
    /// Namespace and name of the object.
    pub name: ObjectName,
    /// Name of the topic: `spec.topicName`, else the object's.
    pub topic: String,
    /// Number of partitions.
    pub partitions: u32,
    /// Age at which records go, in milliseconds; none: they stay.
    pub retention_ms: Option<u64>,
    /// Size of a partition at which its oldest records go; none: they stay.
    pub retention_bytes: Option<u64>,
}

impl KafkaTopic {
    /// The same as settings of the bus.
    #[must_use]
    pub fn config(&self) -> TopicConfig {
        TopicConfig {
            partitions: self.partitions,
            retention_ms: self.retention_ms,
            retention_bytes: self.retention_bytes,
        }
    }
}

/// A core/v1 Service.
#[derive(Debug, Clone)]
pub struct Service {
    /// Namespace and name.
    pub name: ObjectName,
    /// Labels of the pods behind it.
    pub selector: BTreeMap<String, String>,
    /// Its ports.
    pub ports: Vec<ServicePort>,
}

/// One port of a [`Service`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePort {
    /// Name, where it has one.
    pub name: Option<String>,
    /// Port of the Service.
    pub port: u32,
    /// Port of the pod, as a number or a container port's name.
    pub target_port: Option<String>,
}

/// What keeps pods of a function: a Deployment, or a Rollout, which brings new versions of it step by step.
///
/// # Source
/// <https://argo-rollouts.readthedocs.io/en/stable/features/specification/>
#[derive(Debug, Clone)]
pub struct Workload {
    /// `Deployment` or `Rollout`.
    pub kind: &'static str,
    /// Namespace and name.
    pub name: ObjectName,
    /// `spec.replicas`; absent where a scaler decides.
    pub replicas: Option<u32>,
    /// Labels of its pods.
    pub labels: BTreeMap<String, String>,
    /// What its pods run.
    pub containers: Vec<Container>,
}

/// One container of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: Option<String>,
    /// Entry point, where it replaces the image's.
    pub command: Vec<String>,
    /// Arguments.
    pub args: Vec<String>,
    /// Environment; a variable without a value takes it from elsewhere (`valueFrom`).
    pub env: Vec<(String, Option<String>)>,
    /// How to notice that it hangs.
    pub liveness: Option<LivenessProbe>,
}

/// An HTTP probe; a container that fails it several times in a row is killed and started again.
///
/// # Source
/// <https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.34/#probe-v1-core>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LivenessProbe {
    /// Path of the request.
    pub path: String,
    /// Time between two probes.
    pub period: Duration,
    /// Longest wait for an answer.
    pub timeout: Duration,
    /// Failures in a row that mean death.
    pub failure_threshold: u32,
}

/// Every partition costs each of its consumers a task, on a laptop too.
const MOST_PARTITIONS: u32 = 1000;

pub(super) fn topic(name: ObjectName, root: &Node) -> Result<KafkaTopic, FieldError> {
    let spec = root.field("spec")?;
    let partitions_node = spec.field("partitions")?;
    let partitions = partitions_node.integer()?.unwrap_or(1);
    if partitions == 0 {
        return Err(partitions_node.error("must be at least 1"));
    }
    if partitions > MOST_PARTITIONS {
        return Err(partitions_node.error(format!("must be at most {MOST_PARTITIONS}")));
    }
    let topic = spec.field("topicName")?.topic_name()?.unwrap_or_else(|| name.name.clone());
    let config = spec.field("config")?;
    Ok(KafkaTopic {
        topic,
        partitions,
        retention_ms: limit(&config.field("retention.ms")?, Some(604_800_000))?,
        retention_bytes: limit(&config.field("retention.bytes")?, None)?,
        name,
    })
}

pub(super) fn service(name: ObjectName, root: &Node) -> Result<Service, FieldError> {
    let spec = root.field("spec")?;
    let mut ports = Vec::new();
    for item in spec.field("ports")?.items()? {
        let port_node = item.field("port")?;
        ports.push(ServicePort {
            name: item.field("name")?.text()?,
            port: port_node.integer()?.ok_or_else(|| port_node.error("is missing"))?,
            target_port: item.field("targetPort")?.scalar()?,
        });
    }
    Ok(Service { name, selector: spec.field("selector")?.text_map()?, ports })
}

pub(super) fn workload(kind: &'static str, name: ObjectName, root: &Node) -> Result<Workload, FieldError> {
    let spec = root.field("spec")?;
    let template = spec.field("template")?;
    Ok(Workload {
        kind,
        name,
        replicas: spec.field("replicas")?.integer()?,
        labels: template.at(&["metadata", "labels"])?.text_map()?,
        containers: containers(&template.at(&["spec", "containers"])?)?,
    })
}

pub(super) fn containers(node: &Node) -> Result<Vec<Container>, FieldError> {
    let mut containers = Vec::new();
    for item in node.items()? {
        let mut env = Vec::new();
        for variable in item.field("env")?.items()? {
            env.push((variable.field("name")?.required_text()?, variable.field("value")?.text()?));
        }
        containers.push(Container {
            name: item.field("name")?.required_text()?,
            image: item.field("image")?.text()?,
            command: item.field("command")?.text_list()?,
            args: item.field("args")?.text_list()?,
            env,
            liveness: liveness(&item.field("livenessProbe")?)?,
        });
    }
    Ok(containers)
}

/// Probes of other kinds than HTTP have nothing to ask a worker process and are passed over.
fn liveness(node: &Node) -> Result<Option<LivenessProbe>, FieldError> {
    let Some(path) = node.at(&["httpGet", "path"])?.text()? else {
        return Ok(None);
    };
    let positive = |name: &str, default: u32| {
        let field = node.field(name)?;
        match field.integer()?.unwrap_or(default) {
            0 => Err(field.error("must be at least 1")),
            number => Ok(number),
        }
    };
    Ok(Some(LivenessProbe {
        path,
        period: Duration::from_secs(positive("periodSeconds", 10)?.into()),
        timeout: Duration::from_secs(positive("timeoutSeconds", 1)?.into()),
        failure_threshold: positive("failureThreshold", 3)?,
    }))
}

/// A retention limit: Kafka writes "no limit" as -1 and has defaults of its own.
///
/// # Source
/// <https://kafka.apache.org/documentation/#topicconfigs_retention.ms>
fn limit(node: &Node, default: Option<u64>) -> Result<Option<u64>, FieldError> {
    match node.scalar()?.as_deref() {
        None => Ok(default),
        Some("-1") => Ok(None),
        Some(text) => {
            text.parse().map(Some).map_err(|_| node.error(format!("must be a whole number or -1, not `{text}`")))
        }
    }
}
