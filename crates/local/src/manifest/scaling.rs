//! KEDA's kinds: `ScaledObject` and `ScaledJob` with their Kafka triggers.

use std::time::Duration;

use super::{
    ObjectName,
    node::{FieldError, Node},
    workload::{Container, containers},
};

/// How far a workload scales on the lag of consumer groups.
///
/// # Source
/// <https://keda.sh/docs/latest/reference/scaledobject-spec/>
#[derive(Debug, Clone)]
pub struct ScaledObject {
    /// Namespace and name.
    pub name: ObjectName,
    /// What is scaled.
    pub target: ScaleTarget,
    /// Time between two looks at the lag.
    pub polling_interval: Duration,
    /// Quiet time before the last worker goes.
    pub cooldown_period: Duration,
    /// Fewest workers.
    pub min_replica_count: u32,
    /// Most workers.
    pub max_replica_count: u32,
    /// How fast it may grow and shrink.
    pub behavior: Behavior,
    /// The lags it follows; triggers of other types are left out.
    pub triggers: Vec<KafkaTrigger>,
}

/// The scaled workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScaleTarget {
    /// Kind of the workload; `Deployment` where the manifest names none.
    pub kind: String,
    /// Name in the `ScaledObject`'s namespace.
    pub name: ObjectName,
}

/// A trigger of type `kafka`.
///
/// # Source
/// <https://keda.sh/docs/latest/scalers/apache-kafka/>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaTrigger {
    /// The group whose lag counts.
    pub consumer_group: String,
    /// The topic; all topics of the group where absent.
    pub topic: Option<String>,
    /// Lag that one worker is meant for.
    pub lag_threshold: u64,
    /// The first worker starts when the lag is above this.
    pub activation_lag_threshold: u64,
    /// More workers than partitions make sense.
    pub allow_idle_consumers: bool,
    /// At most as many workers as partitions that have lag.
    pub limit_to_partitions_with_lag: bool,
}

/// How fast the number of workers may change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behavior {
    /// Rules for more workers.
    pub scale_up: ScalingRules,
    /// Rules for fewer workers.
    pub scale_down: ScalingRules,
}

/// One direction of a [`Behavior`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScalingRules {
    /// Time over which the most cautious recommendation wins.
    pub stabilization_window: Duration,
    /// Which policy counts when there are several.
    pub select_policy: SelectPolicy,
    /// Limits of the change.
    pub policies: Vec<ScalingPolicy>,
}

/// Which of several policies counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SelectPolicy {
    /// The one that allows the largest change.
    Max,
    /// The one that allows the smallest change.
    Min,
    /// No change in this direction.
    Disabled,
}

/// A limit of change within a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScalingPolicy {
    /// Unit of `value`.
    pub kind: PolicyKind,
    /// Largest change within the period.
    pub value: u32,
    /// The period.
    pub period: Duration,
}

/// Unit of a [`ScalingPolicy`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyKind {
    /// A number of workers.
    Pods,
    /// Hundredths of the workers at the period's start.
    Percent,
}

/// A job that is started on lag, one run for one message.
///
/// # Source
/// <https://keda.sh/docs/latest/reference/scaledjob-spec/>
#[derive(Debug, Clone)]
pub struct ScaledJob {
    /// Namespace and name.
    pub name: ObjectName,
    /// Time between two looks at the lag.
    pub polling_interval: Duration,
    /// Most runs at once.
    pub max_replica_count: u32,
    /// How running jobs are counted.
    pub strategy: JobStrategy,
    /// What a run starts.
    pub containers: Vec<Container>,
    /// The lags it follows.
    pub triggers: Vec<KafkaTrigger>,
}

/// How runs that there are count against the lag.
///
/// # Source
/// <https://keda.sh/docs/latest/reference/scaledjob-spec/#scalingstrategy>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobStrategy {
    /// All of them do.
    Default,
    /// Those that have taken no task do.
    Accurate,
    /// None does, as long as there is room.
    Eager,
}

pub(super) fn scaled_object(name: ObjectName, root: &Node) -> Result<ScaledObject, FieldError> {
    let spec = root.field("spec")?;
    let target_node = spec.field("scaleTargetRef")?;
    let target = ScaleTarget {
        kind: target_node.field("kind")?.text()?.unwrap_or_else(|| "Deployment".to_owned()),
        name: ObjectName::new(name.namespace.clone(), target_node.field("name")?.required_text()?),
    };
    let min_replica_count = spec.field("minReplicaCount")?.integer()?.unwrap_or(0);
    let max_node = spec.field("maxReplicaCount")?;
    let max_replica_count = max_node.integer()?.unwrap_or(100);
    if max_replica_count < min_replica_count {
        return Err(max_node.error("is less than minReplicaCount"));
    }
    let behavior = spec.at(&["advanced", "horizontalPodAutoscalerConfig", "behavior"])?;
    Ok(ScaledObject {
        name,
        target,
        polling_interval: spec.field("pollingInterval")?.seconds(30)?,
        cooldown_period: spec.field("cooldownPeriod")?.seconds(300)?,
        min_replica_count,
        max_replica_count,
        behavior: Behavior {
            scale_up: rules(&behavior.field("scaleUp")?, &default_scale_up())?,
            scale_down: rules(&behavior.field("scaleDown")?, &default_scale_down())?,
        },
        triggers: kafka_triggers(&spec.field("triggers")?)?,
    })
}

pub(super) fn scaled_job(name: ObjectName, root: &Node) -> Result<ScaledJob, FieldError> {
    let spec = root.field("spec")?;
    let strategy_node = spec.at(&["scalingStrategy", "strategy"])?;
    let strategy = match strategy_node.text()?.as_deref() {
        None | Some("default") => JobStrategy::Default,
        Some("accurate") => JobStrategy::Accurate,
        Some("eager") => JobStrategy::Eager,
        Some(other) => {
            return Err(strategy_node.error(format!("must be default, accurate or eager, not `{other}`")));
        }
    };
    Ok(ScaledJob {
        name,
        polling_interval: spec.field("pollingInterval")?.seconds(30)?,
        max_replica_count: spec.field("maxReplicaCount")?.integer()?.unwrap_or(100),
        strategy,
        containers: containers(&spec.at(&["jobTargetRef", "template", "spec", "containers"])?)?,
        triggers: kafka_triggers(&spec.field("triggers")?)?,
    })
}

fn kafka_triggers(node: &Node) -> Result<Vec<KafkaTrigger>, FieldError> {
    let mut triggers = Vec::new();
    for item in node.items()? {
        if item.field("type")?.required_text()? != "kafka" {
            continue;
        }
        let metadata = item.field("metadata")?;
        let threshold_node = metadata.field("lagThreshold")?;
        let lag_threshold = threshold_node.quoted_integer(10)?;
        if lag_threshold == 0 {
            return Err(threshold_node.error("must be at least 1"));
        }
        let limit_node = metadata.field("limitToPartitionsWithLag")?;
        let trigger = KafkaTrigger {
            consumer_group: metadata.field("consumerGroup")?.required_text()?,
            topic: metadata.field("topic")?.topic_name()?,
            lag_threshold,
            activation_lag_threshold: metadata.field("activationLagThreshold")?.quoted_integer(0)?,
            allow_idle_consumers: metadata.field("allowIdleConsumers")?.quoted_flag(false)?,
            limit_to_partitions_with_lag: limit_node.quoted_flag(false)?,
        };
        if trigger.allow_idle_consumers && trigger.limit_to_partitions_with_lag {
            return Err(limit_node.error("excludes allowIdleConsumers"));
        }
        triggers.push(trigger);
    }
    Ok(triggers)
}

fn rules(node: &Node, default: &ScalingRules) -> Result<ScalingRules, FieldError> {
    let window = node.field("stabilizationWindowSeconds")?;
    let stabilization_window = if window.is_present() { window.seconds(0)? } else { default.stabilization_window };
    let select_node = node.field("selectPolicy")?;
    let select_policy = match select_node.text()?.as_deref() {
        None | Some("Max") => SelectPolicy::Max,
        Some("Min") => SelectPolicy::Min,
        Some("Disabled") => SelectPolicy::Disabled,
        Some(other) => {
            return Err(select_node.error(format!("must be Max, Min or Disabled, not `{other}`")));
        }
    };
    let mut policies = Vec::new();
    for item in node.field("policies")?.items()? {
        let kind_node = item.field("type")?;
        let kind = match kind_node.required_text()?.as_str() {
            "Pods" => PolicyKind::Pods,
            "Percent" => PolicyKind::Percent,
            other => {
                return Err(kind_node.error(format!("must be Pods or Percent, not `{other}`")));
            }
        };
        let value_node = item.field("value")?;
        let value = value_node.integer()?.ok_or_else(|| value_node.error("is missing"))?;
        let period = item.field("periodSeconds")?.seconds(15)?;
        policies.push(ScalingPolicy { kind, value, period });
    }
    if policies.is_empty() {
        policies.clone_from(&default.policies);
    }
    Ok(ScalingRules { stabilization_window, select_policy, policies })
}

/// Kubernetes' own defaults.
///
/// # Source
/// <https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#default-behavior>
fn default_scale_up() -> ScalingRules {
    let period = Duration::from_secs(15);
    ScalingRules {
        stabilization_window: Duration::ZERO,
        select_policy: SelectPolicy::Max,
        policies: vec![
            ScalingPolicy { kind: PolicyKind::Percent, value: 100, period },
            ScalingPolicy { kind: PolicyKind::Pods, value: 4, period },
        ],
    }
}

fn default_scale_down() -> ScalingRules {
    ScalingRules {
        stabilization_window: Duration::from_mins(5),
        select_policy: SelectPolicy::Max,
        policies: vec![ScalingPolicy { kind: PolicyKind::Percent, value: 100, period: Duration::from_secs(15) }],
    }
}
