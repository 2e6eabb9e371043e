//! Manifests as they are written for a cluster, and what is refused in them.

use std::{fs, time::Duration};

use super::*;
use crate::{Error, filter::Filter};

const EVENTING: &str = r#"
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata:
  name: trades-raw
  namespace: streamforge
  annotations:
    eventing.knative.dev/broker.class: Kafka
    kafka.eventing.knative.dev/external.topic: sf.trades.raw
spec:
  config: {apiVersion: v1, kind: ConfigMap, name: kafka-broker-config, namespace: knative-eventing}
  delivery:
    retry: 120
    backoffPolicy: linear
    backoffDelay: PT0.25S
    timeout: PT30S
    deadLetterSink: {ref: {apiVersion: eventing.knative.dev/v1alpha1, kind: KafkaSink, name: dlq}}
---
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: plain}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata:
  name: normalize
  namespace: streamforge
  annotations: {kafka.eventing.knative.dev/delivery.order: ordered}
spec:
  broker: trades-raw
  filter: {attributes: {type: io.streamforge.trades.raw.v1}}
  subscriber: {ref: {apiVersion: v1, kind: Service, name: normalize}, uri: /events}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: forward, namespace: streamforge}
spec:
  broker: trades-raw
  filter: {attributes: {type: ignored-beside-filters}}
  filters: [{prefix: {type: io.}}, {not: {cesql: "EXISTS target"}}]
  delivery: {retry: 3}
  subscriber: {ref: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: plain, namespace: default}}
---
apiVersion: eventing.knative.dev/v1alpha1
kind: KafkaSink
metadata: {name: dlq, namespace: streamforge}
spec: {topic: dead-letters, bootstrapServers: [kafka:9092]}
"#;

const WORKLOADS: &str = r#"
apiVersion: kafka.strimzi.io/v1
kind: KafkaTopic
metadata: {name: market-data, namespace: kafka}
spec: {partitions: 12, replicas: 3, config: {retention.ms: 3600000, retention.bytes: -1}}
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaTopic
metadata: {name: odd.name, namespace: kafka}
spec: {topicName: "odd", config: {retention.bytes: "1024"}}
---
apiVersion: v1
kind: Service
metadata: {name: normalize, namespace: streamforge}
spec: {selector: {app: normalize}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: normalize, namespace: streamforge}
spec: {selector: 5}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: normalize, namespace: streamforge}
spec:
  template:
    metadata: {labels: {app: normalize, tier: function}}
    spec:
      containers:
        - {name: normalize, args: [function, normalize], env: [{name: A, value: "1"}, {name: B, valueFrom: {x: y}}]}
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: normalize, namespace: streamforge}
spec:
  scaleTargetRef: {name: normalize}
  pollingInterval: 2
  maxReplicaCount: 12
  advanced:
    horizontalPodAutoscalerConfig:
      behavior:
        scaleDown: {stabilizationWindowSeconds: 60, policies: [{type: Percent, value: 50, periodSeconds: 30}]}
  triggers:
    - type: kafka
      metadata:
        consumerGroup: knative-trigger-streamforge-normalize
        topic: sf.trades.raw
        lagThreshold: "50"
        allowIdleConsumers: "true"
    - {type: prometheus, metadata: {threshold: "1"}}
---
apiVersion: keda.sh/v1alpha1
kind: ScaledJob
metadata: {name: ingest}
spec:
  scalingStrategy: {strategy: accurate}
  jobTargetRef: {template: {spec: {containers: [{name: ingest, image: x}]}}}
  triggers: [{type: kafka, metadata: {consumerGroup: g, topic: t, lagThreshold: "1"}}]
"#;

fn parsed() -> Manifests {
    Manifests::parse([("knative/a.yaml", EVENTING), ("scaledobjects/b.yaml", WORKLOADS)]).unwrap()
}

#[test]
fn brokers_and_triggers_are_read() {
    let manifests = parsed();
    let [raw, plain] = manifests.brokers.as_slice() else { panic!("two brokers") };
    assert_eq!((raw.topic.as_str(), plain.topic.as_str()), ("sf.trades.raw", "knative-broker-default-plain"));
    let dlq = ObjectName::new("streamforge", "dlq");
    let delivery = Delivery {
        retry: 120,
        backoff_policy: BackoffPolicy::Linear,
        backoff_delay: Some(Duration::from_millis(250)),
        timeout: Some(Duration::from_secs(30)),
        dead_letter_sink: Some(Destination::KafkaSink(dlq)),
    };
    assert_eq!((raw.delivery.as_ref(), plain.delivery.as_ref()), (Some(&delivery), None));

    let [normalize, forward] = manifests.triggers.as_slice() else { panic!("two triggers") };
    assert_eq!(normalize.group(), "knative-trigger-streamforge-normalize");
    assert_eq!(normalize.order, DeliveryOrder::Ordered);
    assert_eq!(normalize.delivery, None);
    let service =
        Destination::Service { name: ObjectName::new("streamforge", "normalize"), path: "/events".to_owned() };
    assert_eq!(normalize.subscriber, service);
    assert!(matches!(&normalize.filter, Filter::Exact(attributes) if attributes.len() == 1));
    assert_eq!(forward.order, DeliveryOrder::Unordered);
    assert!(matches!(&forward.filter, Filter::All(filters) if filters.len() == 2));
    let own = forward.delivery.as_ref().unwrap();
    assert_eq!((own.retry, own.dead_letter_sink.as_ref()), (3, None), "replaces the Broker's wholly");
    assert_eq!(forward.subscriber, Destination::Broker(ObjectName::new("default", "plain")));
}

#[test]
fn workloads_and_scalers_are_read() {
    let manifests = parsed();
    let [market_data, odd] = manifests.topics.as_slice() else { panic!("two topics") };
    let config = market_data.config();
    assert_eq!((config.partitions, config.retention_ms, config.retention_bytes), (12, Some(3_600_000), None));
    assert_eq!((odd.topic.as_str(), odd.partitions, odd.retention_bytes), ("odd", 1, Some(1024)));
    assert_eq!(manifests.services.len(), 1, "Knative Serving's kind of the same name is passed over");
    let deployment = manifests.workload_behind(&manifests.services[0]).unwrap();
    assert_eq!(deployment.replicas, None);
    assert_eq!(deployment.containers[0].args, ["function", "normalize"]);
    let env = [("A".to_owned(), Some("1".to_owned())), ("B".to_owned(), None)];
    assert_eq!(deployment.containers[0].env, env);

    let scaled = &manifests.scaled_objects[0];
    assert_eq!((scaled.min_replica_count, scaled.max_replica_count), (0, 12));
    assert_eq!(scaled.polling_interval, Duration::from_secs(2));
    assert_eq!(scaled.cooldown_period, Duration::from_mins(5));
    assert_eq!(scaled.target.name.name, "normalize");
    let [trigger] = scaled.triggers.as_slice() else { panic!("one kafka trigger") };
    assert_eq!((trigger.lag_threshold, trigger.activation_lag_threshold), (50, 0));
    assert!(trigger.allow_idle_consumers && !trigger.limit_to_partitions_with_lag);
    assert_eq!(scaled.behavior.scale_up.policies.len(), 2, "Kubernetes' own");
    assert_eq!(scaled.behavior.scale_down.stabilization_window, Duration::from_mins(1));
    assert_eq!(scaled.behavior.scale_down.policies[0].kind, PolicyKind::Percent);
    assert_eq!(manifests.scaled_jobs[0].strategy, JobStrategy::Accurate);
    assert_eq!(
        manifests.topic_names(),
        ["dead-letters", "knative-broker-default-plain", "market-data", "odd", "sf.trades.raw", "t"]
    );
}

#[test]
fn wrong_fields_are_named() {
    let trigger = |spec: &str| {
        format!(
            "apiVersion: eventing.knative.dev/v1\nkind: Trigger\nmetadata: {{name: x, namespace: ns}}\nspec: {spec}\n"
        )
    };
    let uri = "subscriber: {uri: 'http://a/'}";
    for (text, expected) in [
        (
            trigger(&format!("{{broker: b, {uri}, delivery: {{retry: -1}}}}")),
            "t.yaml: Trigger ns/x: spec.delivery.retry: must be a whole number of at least 0, not -1",
        ),
        (
            trigger(&format!("{{broker: b, {uri}, delivery: {{backoffDelay: 2s}}}}")),
            "t.yaml: Trigger ns/x: spec.delivery.backoffDelay: must be an ISO 8601 duration like PT0.25S, not `2s`",
        ),
        (
            trigger(&format!("{{broker: b, {uri}, delivery: {{retries: 1}}}}")),
            "t.yaml: Trigger ns/x: spec.delivery.retries: is unknown; known here: retry, backoffPolicy, backoffDelay, timeout, deadLetterSink, retryAfterMax, format",
        ),
        (trigger(&format!("{{{uri}}}")), "t.yaml: Trigger ns/x: spec.broker: is missing"),
        (trigger("{broker: b}"), "t.yaml: Trigger ns/x: spec.subscriber: is missing"),
        (
            trigger("{broker: b, subscriber: {uri: /x}}"),
            "t.yaml: Trigger ns/x: spec.subscriber.uri: must be an absolute http or https URL without `ref`",
        ),
        (
            trigger("{broker: b, subscriber: {ref: {kind: Pod, name: p}}}"),
            "t.yaml: Trigger ns/x: spec.subscriber.ref.kind: must be Service, Broker or KafkaSink, not `Pod`",
        ),
        (
            trigger(&format!("{{broker: b, {uri}, filters: [{{cesql: 'type ='}}]}}")),
            "t.yaml: Trigger ns/x: spec.filters[0].cesql: is no CloudEvents SQL expression: unexpected end",
        ),
        ("kind: Trigger\n".to_owned(), "t.yaml: apiVersion: is missing"),
        ("- 1\n".to_owned(), "t.yaml: the document must be a mapping"),
    ] {
        let Err(Error::Manifests(problems)) = Manifests::parse([("t.yaml", text.as_str())]) else {
            panic!("accepted: {text}");
        };
        let printed: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(printed, [expected]);
    }
    let twice = trigger(&format!("{{broker: b, {uri}}}"));
    let both = [("a.yaml", twice.as_str()), ("b.yaml", twice.as_str()), ("c.yaml", "a: [")];
    let Err(Error::Manifests(problems)) = Manifests::parse(both) else {
        panic!("accepted");
    };
    assert_eq!(problems.len(), 2, "{problems:?}");
}

#[test]
fn folders_are_read_recursively_without_kustomizations() {
    let root = tempfile::tempdir().unwrap();
    let nested = root.path().join("knative/deep");
    fs::create_dir_all(&nested).unwrap();
    fs::write(nested.join("a.yaml"), EVENTING).unwrap();
    fs::write(nested.join("kustomization.yaml"), "resources: [a.yaml]\n").unwrap();
    fs::write(nested.join("notes.txt"), "no manifest").unwrap();
    let manifests = Manifests::read(root.path()).unwrap();
    assert_eq!((manifests.brokers.len(), manifests.triggers.len()), (2, 2));
}
