//! From the objects of a cluster to what is served and delivered, and to what is said of each; pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use streamforge_local::{
    Error,
    dispatcher::{Subscription, Target},
    manifest::{Manifests, ObjectName, Trigger},
};

use crate::{
    objects::{Kind, Objects},
    status::{Condition, Objection},
};

/// The annotation that says whose a Broker is.
const CLASS: &str = "eventing.knative.dev/broker.class";
/// The class that is served here.
const OURS: &str = "Kafka";

/// What is to be done.
#[derive(Default)]
pub(crate) struct Plan {
    /// What is served, delivered to and recorded in.
    pub(crate) manifests: Manifests,
    /// Deliveries by Trigger.
    pub(crate) deliveries: BTreeMap<ObjectName, Delivery>,
    /// What is said of Brokers, sinks and Triggers, beside the kind's own fields.
    pub(crate) verdicts: BTreeMap<(Kind, ObjectName), Verdict>,
}

/// One Trigger's deliveries.
pub(crate) struct Delivery {
    pub(crate) subscription: Subscription,
    /// Changes with whatever the subscription is made of.
    pub(crate) fingerprint: String,
}

/// What is said of an object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) conditions: Vec<Condition>,
    pub(crate) own: Value,
}

/// Makes the plan; an object that is wrong harms nobody but itself.
///
/// `topics` are those of the log, `ingress` is the URL under which Brokers are reached.
pub(crate) fn plan(objects: &Objects, topics: &BTreeSet<String>, ingress: &str) -> Plan {
    let mut plan = Plan::default();
    let mut refused: BTreeMap<(Kind, ObjectName), String> = BTreeMap::new();
    for kind in [Kind::KafkaSink, Kind::Broker, Kind::Trigger] {
        for (name, object) in objects.get(&kind).into_iter().flatten() {
            if kind == Kind::Broker && class(object.metadata.annotations.as_ref()) != Some(OURS) {
                continue;
            }
            match read(kind, object) {
                Ok(read) => {
                    plan.manifests.brokers.extend(read.brokers);
                    plan.manifests.sinks.extend(read.sinks);
                    plan.manifests.triggers.extend(read.triggers);
                }
                Err(reason) => drop(refused.insert((kind, name.clone()), reason)),
            }
        }
    }
    for broker in &plan.manifests.brokers {
        let topic = require_topic(topics, &broker.topic);
        let url = format!("{ingress}/{}", broker.name);
        let own = json!({
            "address": {"name": "http", "url": url}, "annotations": {"default.topic": broker.topic},
        });
        let conditions = vec![Condition::new("Addressable", Ok(())), Condition::new("TopicReady", topic)];
        plan.verdicts.insert((Kind::Broker, broker.name.clone()), Verdict { conditions, own });
    }
    for sink in &plan.manifests.sinks {
        let conditions = vec![Condition::new("TopicReady", require_topic(topics, &sink.topic))];
        plan.verdicts.insert((Kind::KafkaSink, sink.name.clone()), Verdict { conditions, own: json!({}) });
    }
    for (key, reason) in &refused {
        let conditions = vec![Condition::new("ConfigParsed", Err(Objection::new("InvalidSpec", reason.clone())))];
        plan.verdicts.insert(key.clone(), Verdict { conditions, own: json!({}) });
    }
    let owners = owners(objects, &plan.manifests);
    for trigger in plan.manifests.triggers.clone() {
        let is_foreign = objects
            .get(&Kind::Broker)
            .and_then(|brokers| brokers.get(&trigger.broker))
            .is_some_and(|broker| class(broker.metadata.annotations.as_ref()) != Some(OURS));
        if is_foreign {
            // Another controller sees to it.
            continue;
        }
        let resolved = Subscription::resolve(&plan.manifests, &trigger);
        let mut verdict = judge(objects, topics, &refused, &trigger.broker, resolved.as_ref());
        verdict.conditions.push(Condition::new("ConsumerGroup", require_group(&owners, &trigger)));
        if let Ok(subscription) = resolved
            && verdict.conditions.iter().all(|condition| condition.objection.is_none())
        {
            let fingerprint = fingerprint(objects, &trigger.name, &trigger.broker);
            plan.deliveries.insert(trigger.name.clone(), Delivery { subscription, fingerprint });
        }
        plan.verdicts.insert((Kind::Trigger, trigger.name), verdict);
    }
    plan
}

/// Whose each consumer group is: names of namespace and Trigger are joined, so that two Triggers may come to one group,
/// and the one that was there first keeps it.
fn owners(objects: &Objects, manifests: &Manifests) -> BTreeMap<String, ObjectName> {
    let created = |name: &ObjectName| {
        let object = objects.get(&Kind::Trigger).and_then(|found| found.get(name));
        object.and_then(|object| object.metadata.creation_timestamp.clone())
    };
    let mut owners: BTreeMap<String, ObjectName> = BTreeMap::new();
    for trigger in &manifests.triggers {
        let is_earlier = |owner: &ObjectName| (created(&trigger.name), &trigger.name) < (created(owner), owner);
        let group = trigger.group();
        if owners.get(&group).is_none_or(is_earlier) {
            owners.insert(group, trigger.name.clone());
        }
    }
    owners
}

fn require_group(owners: &BTreeMap<String, ObjectName>, trigger: &Trigger) -> Result<(), Objection> {
    let group = trigger.group();
    match owners.get(&group) {
        Some(owner) if *owner != trigger.name => {
            let words = format!("consumer group `{group}` is that of Trigger {owner}; give one of them another name");
            Err(Objection::new("ConsumerGroupInUse", words))
        }
        _ => Ok(()),
    }
}

fn judge(
    objects: &Objects,
    topics: &BTreeSet<String>,
    refused: &BTreeMap<(Kind, ObjectName), String>,
    broker: &ObjectName,
    resolved: Result<&Subscription, &Error>,
) -> Verdict {
    let is_there = |kind: Kind, name: &ObjectName| objects.get(&kind).is_some_and(|found| found.contains_key(name));
    let broker_ready = if !is_there(Kind::Broker, broker) {
        Err(Objection::new("BrokerDoesNotExist", format!("there is no Broker {broker}")))
    } else if refused.contains_key(&(Kind::Broker, broker.clone())) {
        Err(Objection::new("BrokerNotReady", format!("Broker {broker} is not ready")))
    } else {
        resolved.map_or(Ok(()), |subscription| require_topic(topics, &subscription.topic))
    };
    let require = |target: &Target| match target {
        Target::Service { name, .. } if !is_there(Kind::Service, name) => {
            Err(Objection::new("ServiceDoesNotExist", format!("there is no Service {name}")))
        }
        Target::Broker { topic, .. } | Target::KafkaSink { topic, .. } => require_topic(topics, topic),
        Target::Url(_) | Target::Service { .. } => Ok(()),
    };
    let (subscriber, dead_letter_sink, own) = match resolved {
        Ok(subscription) => {
            let mut own = json!({
                "annotations": {"group.id": subscription.group},
                "subscriberUri": subscription.subscriber.to_string(),
            });
            if let Some(sink) = &subscription.dead_letter_sink {
                own["deadLetterSinkUri"] = json!(sink.to_string());
            }
            let dead_letter_sink = subscription.dead_letter_sink.as_ref().map_or(Ok(()), require);
            (require(&subscription.subscriber), dead_letter_sink, own)
        }
        Err(error) => {
            let objection = Objection::new("Unresolved", error.to_string());
            (Err(objection), Ok(()), json!({}))
        }
    };
    let conditions = vec![
        Condition::new("BrokerReady", broker_ready),
        Condition::new("DeadLetterSinkResolved", dead_letter_sink),
        Condition::new("SubscriberResolved", subscriber),
    ];
    Verdict { conditions, own }
}

fn require_topic(topics: &BTreeSet<String>, topic: &str) -> Result<(), Objection> {
    if topics.contains(topic) {
        return Ok(());
    }
    Err(Objection::new("TopicNotPresent", format!("topic `{topic}` is not there; make a KafkaTopic of that name")))
}

/// Reads one object as the local platform reads a manifest.
fn read(kind: Kind, object: &kube::api::DynamicObject) -> Result<Manifests, String> {
    let mut document = serde_json::to_value(object).map_err(|error| error.to_string())?;
    let resource = kind.resource();
    document["apiVersion"] = json!(resource.api_version);
    document["kind"] = json!(resource.kind);
    let read = Manifests::parse([("object.yaml", document.to_string().as_str())]);
    read.map_err(|error| match error {
        Error::Manifests(problems) => {
            problems.into_iter().map(|problem| problem.message).collect::<Vec<_>>().join("; ")
        }
        error => error.to_string(),
    })
}

fn class(annotations: Option<&BTreeMap<String, String>>) -> Option<&str> {
    annotations?.get(CLASS).map(String::as_str)
}

/// What a Trigger, its Broker and all sinks are made of: a change of any begins its deliveries anew.
fn fingerprint(objects: &Objects, trigger: &ObjectName, broker: &ObjectName) -> String {
    let spec = |kind: Kind, name: &ObjectName| {
        let object = objects.get(&kind).and_then(|found| found.get(name));
        object.map(|object| json!([object.data["spec"], object.metadata.annotations]))
    };
    let sinks = objects.get(&Kind::KafkaSink).into_iter().flatten().map(|(name, _)| spec(Kind::KafkaSink, name));
    json!([spec(Kind::Trigger, trigger), spec(Kind::Broker, broker), sinks.collect::<Vec<_>>()]).to_string()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kube::api::DynamicObject;

    use super::*;

    const INGRESS: &str = "http://ingress";

    fn add(objects: &mut Objects, kind: Kind, name: &str, rest: &Value) {
        add_within(objects, "n", kind, name, rest);
    }

    fn add_within(objects: &mut Objects, namespace: &str, kind: Kind, name: &str, rest: &Value) {
        let mut object = DynamicObject::new(name, &kind.resource()).within(namespace);
        object.metadata.creation_timestamp = serde_json::from_value(rest["created"].clone()).unwrap();
        object.metadata.annotations = serde_json::from_value(rest["annotations"].clone()).ok();
        object.data = json!({"spec": rest["spec"]});
        objects.entry(kind).or_default().insert(ObjectName::new(namespace, name), Arc::new(object));
    }

    fn broker(topic: &str, class: &str) -> Value {
        let annotations = json!({CLASS: class, "kafka.eventing.knative.dev/external.topic": topic});
        json!({"annotations": annotations, "spec": {}})
    }

    fn trigger(broker: &str, service: &str) -> Value {
        let subscriber = json!({"ref": {"apiVersion": "v1", "kind": "Service", "name": service}});
        json!({"spec": {"broker": broker, "subscriber": subscriber}})
    }

    fn cluster() -> Objects {
        let mut objects = Objects::new();
        add(&mut objects, Kind::Broker, "events", &broker("events", OURS));
        add(&mut objects, Kind::Service, "loader", &json!({"spec": {}}));
        add(&mut objects, Kind::Trigger, "good", &trigger("events", "loader"));
        objects
    }

    fn planned(objects: &Objects) -> Plan {
        plan(objects, &BTreeSet::from(["events".to_owned()]), INGRESS)
    }

    fn objections(plan: &Plan, kind: Kind, name: &str) -> Vec<&'static str> {
        let verdict = &plan.verdicts[&(kind, ObjectName::new("n", name))];
        verdict.conditions.iter().filter_map(|condition| Some(condition.objection.as_ref()?.reason)).collect()
    }

    #[test]
    fn a_sound_trigger_is_delivered_under_its_group() {
        let plan = planned(&cluster());
        let delivery = &plan.deliveries[&ObjectName::new("n", "good")];
        assert_eq!(delivery.subscription.group, "knative-trigger-n-good");
        assert_eq!(objections(&plan, Kind::Trigger, "good"), Vec::<&str>::new());
        let verdict = &plan.verdicts[&(Kind::Trigger, ObjectName::new("n", "good"))];
        assert_eq!(verdict.own["annotations"]["group.id"], "knative-trigger-n-good");
        assert_eq!(verdict.own["subscriberUri"], "http://loader.n.svc.cluster.local");
        let verdict = &plan.verdicts[&(Kind::Broker, ObjectName::new("n", "events"))];
        assert_eq!(verdict.own["address"]["url"], "http://ingress/n/events");
    }

    #[test]
    fn what_is_wrong_is_said_of_it_alone() {
        let mut objects = cluster();
        add(&mut objects, Kind::Broker, "no-topic", &broker("elsewhere", OURS));
        add(&mut objects, Kind::Broker, "others", &broker("events", "MTChannelBasedBroker"));
        add(&mut objects, Kind::Trigger, "no-broker", &trigger("nowhere", "loader"));
        add(&mut objects, Kind::Trigger, "no-service", &trigger("events", "nobody"));
        add(&mut objects, Kind::Trigger, "no-sense", &json!({"spec": {"broker": 7}}));
        add(&mut objects, Kind::Trigger, "waits", &trigger("no-topic", "loader"));
        add(&mut objects, Kind::Trigger, "of-others", &trigger("others", "loader"));
        add(&mut objects, Kind::KafkaSink, "sink", &json!({"spec": {"topic": "events"}}));
        add(&mut objects, Kind::KafkaSink, "no-sink", &json!({"spec": {"topic": "elsewhere"}}));
        add(&mut objects, Kind::KafkaSink, "no-sense", &json!({"spec": {"topic": 7}}));
        let plan = planned(&objects);
        assert_eq!(plan.deliveries.keys().map(|name| name.name.as_str()).collect::<Vec<_>>(), ["good"]);
        assert_eq!(objections(&plan, Kind::Broker, "no-topic"), ["TopicNotPresent"]);
        assert_eq!(objections(&plan, Kind::Trigger, "no-broker")[0], "BrokerDoesNotExist");
        assert_eq!(objections(&plan, Kind::Trigger, "no-service"), ["ServiceDoesNotExist"]);
        assert_eq!(objections(&plan, Kind::Trigger, "no-sense"), ["InvalidSpec"]);
        assert_eq!(objections(&plan, Kind::Trigger, "waits"), ["TopicNotPresent"]);
        assert_eq!(objections(&plan, Kind::KafkaSink, "sink"), Vec::<&str>::new());
        assert_eq!(objections(&plan, Kind::KafkaSink, "no-sink"), ["TopicNotPresent"]);
        assert_eq!(objections(&plan, Kind::KafkaSink, "no-sense"), ["InvalidSpec"]);
        for (kind, name) in [(Kind::Broker, "others"), (Kind::Trigger, "of-others")] {
            assert!(!plan.verdicts.contains_key(&(kind, ObjectName::new("n", name))), "{name}");
        }
    }

    #[test]
    fn of_two_triggers_with_one_group_the_first_keeps_it() {
        let of = |time: &str| {
            let mut trigger = trigger("events", "loader");
            trigger["created"] = json!(time);
            trigger
        };
        for (first, second) in
            [("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"), ("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z")]
        {
            let mut objects = cluster();
            for namespace in ["a", "a-b"] {
                add_within(&mut objects, namespace, Kind::Broker, "events", &broker("events", OURS));
                add_within(&mut objects, namespace, Kind::Service, "loader", &json!({"spec": {}}));
            }
            add_within(&mut objects, "a", Kind::Trigger, "b-c", &of(first));
            add_within(&mut objects, "a-b", Kind::Trigger, "c", &of(second));
            let plan = planned(&objects);
            let mut names = [ObjectName::new("a", "b-c"), ObjectName::new("a-b", "c")];
            if first > second {
                names.reverse();
            }
            let [owner, other] = names;
            assert!(plan.deliveries.contains_key(&owner) && !plan.deliveries.contains_key(&other), "{owner}");
            let verdict = &plan.verdicts[&(Kind::Trigger, other)];
            let said: Vec<_> = verdict.conditions.iter().filter_map(|condition| condition.objection.clone()).collect();
            assert_eq!(said.len(), 1);
            assert!(said[0].reason == "ConsumerGroupInUse" && said[0].message.contains(&owner.to_string()), "{said:?}");
            assert_eq!(plan.deliveries.len(), 2, "and the others are delivered as before");
        }
    }

    #[test]
    fn a_change_of_what_a_delivery_is_made_of_changes_its_fingerprint() {
        let mut objects = cluster();
        let print = |objects: &Objects| planned(objects).deliveries[&ObjectName::new("n", "good")].fingerprint.clone();
        let before = print(&objects);
        add(&mut objects, Kind::Service, "another", &json!({"spec": {}}));
        assert_eq!(print(&objects), before);
        let mut changed = broker("events", OURS);
        changed["spec"] = json!({"delivery": {"retry": 3}});
        add(&mut objects, Kind::Broker, "events", &changed);
        assert_ne!(print(&objects), before);
    }
}
