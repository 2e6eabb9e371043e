//! What Knative's data plane is told to do, made from the manifests; pure.
//!
//! # Source
//! <https://github.com/knative-extensions/eventing-kafka-broker/blob/main/proto/contract.proto>, in protobuf's JSON

use serde_json::{Value, json};
use streamforge_local::{
    dispatcher::{Backoff, Subscription, Target},
    filter::Filter,
    manifest::{BackoffPolicy, DeliveryOrder, Manifests, ObjectName},
};

/// The contract of all Brokers, sinks and Triggers.
///
/// `kafka` is where the log is reached, `address` the URL at which a target is.
pub(crate) fn contract(manifests: &Manifests, kafka: &str, address: &dyn Fn(&Target) -> String) -> Value {
    let resource = |kind: &str, name: &ObjectName, topic: &str, egresses: Vec<Value>| {
        json!({
            "uid": format!("{kind}-{name}"),
            "topics": [topic],
            "bootstrapServers": kafka,
            "ingress": {"contentMode": "BINARY", "path": format!("/{name}")},
            "egresses": egresses,
            "absentAuth": {},
            "reference": {"uuid": format!("{kind}-{name}"), "namespace": name.namespace, "name": name.name},
        })
    };
    let brokers = manifests.brokers.iter().map(|broker| {
        let triggers = manifests.triggers.iter().filter(|trigger| trigger.broker == broker.name);
        let egresses = triggers.map(|trigger| egress(&Subscription::resolve(manifests, trigger).unwrap(), address));
        resource("broker", &broker.name, &broker.topic, egresses.collect())
    });
    let sinks = manifests.sinks.iter().map(|sink| resource("sink", &sink.name, &sink.topic, Vec::new()));
    json!({"generation": 1, "resources": brokers.chain(sinks).collect::<Vec<_>>()})
}

fn egress(subscription: &Subscription, address: &dyn Fn(&Target) -> String) -> Value {
    let name = &subscription.trigger;
    let Backoff { policy, delay } = &subscription.backoff;
    let mut config = json!({
        "retry": subscription.retry,
        "backoffPolicy": match policy {
            BackoffPolicy::Linear => "Linear",
            BackoffPolicy::Exponential => "Exponential",
        },
        "backoffDelay": delay.as_millis().to_string(),
        "timeout": subscription.timeout.as_millis().to_string(),
    });
    if let Some(sink) = &subscription.dead_letter_sink {
        config["deadLetter"] = json!(address(sink));
    }
    json!({
        "uid": format!("trigger-{name}"),
        "consumerGroup": subscription.group,
        "destination": address(&subscription.subscriber),
        "replyToOriginalTopic": {},
        "dialectedFilter": [dialected(&subscription.filter)],
        "egressConfig": config,
        "deliveryOrder": match subscription.order {
            DeliveryOrder::Ordered => "ORDERED",
            DeliveryOrder::Unordered => "UNORDERED",
        },
        "reference": {"uuid": format!("trigger-{name}"), "namespace": name.namespace, "name": name.name},
    })
}

fn dialected(filter: &Filter) -> Value {
    // The contract has one attribute in each of these.
    let each = |dialect: &str, expected: &[(String, String)]| {
        let one = |(name, value): &(String, String)| json!({dialect: {"attribute": name, dialect: value}});
        json!({"all": {"filters": expected.iter().map(one).collect::<Vec<_>>()}})
    };
    let of = |filters: &[Filter]| filters.iter().map(dialected).collect::<Vec<_>>();
    match filter {
        Filter::Exact(expected) => {
            // An empty value matches anything.
            let expected = expected.iter().filter(|(_, value)| !value.is_empty());
            let exact = expected.map(|(name, value)| json!({"exact": {"attributes": {name: value}}}));
            json!({"all": {"filters": exact.collect::<Vec<_>>()}})
        }
        Filter::Prefix(expected) => each("prefix", expected),
        Filter::Suffix(expected) => each("suffix", expected),
        Filter::All(filters) => json!({"all": {"filters": of(filters)}}),
        Filter::Any(filters) => json!({"any": {"filters": of(filters)}}),
        Filter::Not(filter) => json!({"not": {"filter": dialected(filter)}}),
        Filter::Cesql(_) => panic!("no Trigger of ours has an expression, and its text is not kept"),
    }
}

#[cfg(test)]
mod tests {
    use crate::world::root;

    use super::*;

    #[test]
    fn every_trigger_is_in_it_as_its_manifest_says() {
        let manifests = Manifests::read(&root()).unwrap();
        let contract = contract(&manifests, "kafka:9092", &Target::to_string);
        let resources = contract["resources"].as_array().unwrap();
        assert_eq!(resources.len(), manifests.brokers.len() + manifests.sinks.len());
        let egresses: usize = resources.iter().map(|resource| resource["egresses"].as_array().unwrap().len()).sum();
        assert_eq!(egresses, manifests.triggers.len());
        let workflows = resources.iter().find(|resource| resource["uid"] == "broker-streamforge/workflows").unwrap();
        assert_eq!(workflows["ingress"]["path"], "/streamforge/workflows");
        assert_eq!(workflows["topics"], json!(["workflows"]));
        let egress = &workflows["egresses"][0];
        assert_eq!(egress["consumerGroup"], "knative-trigger-streamforge-queue-manager");
        assert_eq!(egress["destination"], "http://queue-manager.streamforge.svc.cluster.local");
        let exact = |kind: &str| {
            let attributes = json!({"type": format!("io.streamforge.workflow.{kind}.v1")});
            json!({"all": {"filters": [{"exact": {"attributes": attributes}}]}})
        };
        let filter = json!({"any": {"filters": [exact("requested"), exact("overdue")]}});
        assert_eq!(egress["dialectedFilter"], json!([{"all": {"filters": [filter]}}]));
        let dead_letter = &egress["egressConfig"]["deadLetter"];
        assert_eq!(
            *dead_letter,
            "http://kafka-sink-ingress.knative-eventing.svc.cluster.local/streamforge/dead-letters"
        );
    }

    #[test]
    fn filters_keep_their_meaning() {
        let pairs = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>()
        };
        let not = Filter::Not(Box::new(Filter::Prefix(pairs(&[("type", "a."), ("source", "/b")]))));
        let prefix = |name: &str, value: &str| json!({"prefix": {"attribute": name, "prefix": value}});
        let all = json!({"all": {"filters": [prefix("type", "a."), prefix("source", "/b")]}});
        assert_eq!(dialected(&not), json!({"not": {"filter": all}}));
        assert_eq!(dialected(&Filter::Exact(pairs(&[("type", "")]))), json!({"all": {"filters": []}}));
    }
}
