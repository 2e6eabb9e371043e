//! What `NetworkPolicy` objects let through: a connection needs the leave of those of either end.
//!
//! # Source
//! <https://kubernetes.io/docs/concepts/services-networking/network-policies/>

use std::{collections::BTreeMap, net::IpAddr};

use serde_json::Value;

use crate::tree::Object;

/// Labels of a namespace that says nothing but its name.
const NAME: &str = "kubernetes.io/metadata.name";

pub(crate) type Labels = BTreeMap<String, String>;

/// One end of a connection.
#[derive(Debug, Clone)]
pub(crate) enum End {
    Pod {
        /// Labels of its namespace, the name among them.
        namespace: Labels,
        labels: Labels,
    },
    /// What is no pod of the cluster.
    Address(IpAddr),
}

/// A port and its protocol, as policies name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Port {
    Tcp(u64),
    Udp(u64),
}

#[derive(Clone, Copy)]
enum Direction {
    Ingress,
    Egress,
}

impl End {
    /// A pod with these labels in a namespace that has no labels but its name.
    pub(crate) fn pod(namespace: &str, labels: &[(&str, &str)]) -> Self {
        Self::Pod { namespace: owned(&[(NAME, namespace)]), labels: owned(labels) }
    }

    /// A pod of a namespace with one more label.
    pub(crate) fn in_labelled(label: (&str, &str)) -> Self {
        Self::Pod { namespace: owned(&[(NAME, "any"), label]), labels: Labels::new() }
    }

    /// A pod of a workload's template.
    pub(crate) fn of(template: &Value, namespace: &str) -> Self {
        let labels = template["metadata"]["labels"].as_object().into_iter().flatten();
        let labels = labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect();
        Self::Pod { namespace: owned(&[(NAME, namespace)]), labels }
    }

    pub(crate) fn address(text: &str) -> Self {
        Self::Address(text.parse().expect("it is an address"))
    }
}

/// Whether the policies among the objects let `from` reach that port of `to`.
pub(crate) fn allows(objects: &[&Object], from: &End, to: &End, port: Port) -> bool {
    is_open(objects, Direction::Egress, from, to, port) && is_open(objects, Direction::Ingress, to, from, port)
}

/// Whether the policies of one end let it talk with the other.
fn is_open(objects: &[&Object], direction: Direction, own: &End, other: &End, port: Port) -> bool {
    let End::Pod { namespace, labels } = own else { return true };
    let here = namespace.get(NAME).map(String::as_str).unwrap_or_default();
    let (kind, rules, peers) = match direction {
        Direction::Ingress => ("Ingress", "/spec/ingress", "from"),
        Direction::Egress => ("Egress", "/spec/egress", "to"),
    };
    let is_about = |policy: &&&Object| {
        policy.text("/kind") == "NetworkPolicy"
            && policy.text("/metadata/namespace") == here
            && policy.list("/spec/policyTypes").iter().any(|known| known == kind)
            && selects(policy.at("/spec/podSelector"), labels)
    };
    let mut about = objects.iter().filter(is_about).peekable();
    if about.peek().is_none() {
        return true;
    }
    let mut rules = about.flat_map(|policy| policy.list(rules));
    rules.any(|rule| {
        listed(&rule["ports"], |listed| is_port(listed, port))
            && listed(&rule[peers], |peer| is_peer(peer, here, other))
    })
}

/// Whether a list has such an item; one that is not there stands for all.
fn listed(list: &Value, is_it: impl Fn(&Value) -> bool) -> bool {
    list.as_array().is_none_or(|items| items.iter().any(is_it))
}

fn is_port(listed: &Value, port: Port) -> bool {
    let is_udp = listed["protocol"] == "UDP";
    match port {
        Port::Tcp(number) => !is_udp && listed["port"] == number,
        Port::Udp(number) => is_udp && listed["port"] == number,
    }
}

fn is_peer(peer: &Value, here: &str, other: &End) -> bool {
    match other {
        End::Address(address) => {
            let block = &peer["ipBlock"];
            let is_in = |cidr: &Value| cidr.as_str().is_some_and(|cidr| contains(cidr, *address));
            is_in(&block["cidr"]) && !block["except"].as_array().into_iter().flatten().any(is_in)
        }
        End::Pod { namespace, labels } => {
            if peer.get("ipBlock").is_some() {
                return false;
            }
            let in_namespace = match peer.get("namespaceSelector") {
                Some(selector) => selects(selector, namespace),
                None => namespace.get(NAME).is_some_and(|name| name == here),
            };
            in_namespace && selects(&peer["podSelector"], labels)
        }
    }
}

/// Whether a selector takes what has these labels; one that asks for nothing takes all.
pub(crate) fn selects(selector: &Value, labels: &Labels) -> bool {
    let matched = selector["matchLabels"].as_object().into_iter().flatten();
    let mut expressions = selector["matchExpressions"].as_array().into_iter().flatten();
    matched.into_iter().all(|(key, value)| labels.get(key).is_some_and(|label| value == label))
        && expressions.all(|expression| {
            let label = expression["key"].as_str().and_then(|key| labels.get(key));
            let values = expression["values"].as_array().map_or(&[][..], Vec::as_slice);
            let is_listed = label.is_some_and(|label| values.iter().any(|value| value == label));
            match expression["operator"].as_str() {
                Some("In") => is_listed,
                Some("NotIn") => !is_listed,
                Some("Exists") => label.is_some(),
                Some("DoesNotExist") => label.is_none(),
                _ => false,
            }
        })
}

/// Whether a block of addresses, such as `10.0.0.0/8`, has this one.
fn contains(cidr: &str, address: IpAddr) -> bool {
    let Some((network, length)) = cidr.split_once('/') else { return false };
    let (Ok(network), Ok(length)) = (network.parse::<IpAddr>(), length.parse::<u32>()) else { return false };
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let differing = network.to_bits() ^ address.to_bits();
            differing.leading_zeros() >= length
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let differing = network.to_bits() ^ address.to_bits();
            differing.leading_zeros() >= length
        }
        _ => false,
    }
}

fn owned(labels: &[(&str, &str)]) -> Labels {
    labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn policies_are_read_as_kubernetes_reads_them() {
    let policy = |spec: Value| Object {
        file: "test".to_owned(),
        value: serde_json::json!({"kind": "NetworkPolicy", "metadata": {"namespace": "a"}, "spec": spec}),
    };
    let (pod, other, stranger) = (End::pod("a", &[("x", "1")]), End::pod("a", &[("x", "2")]), End::pod("b", &[]));
    let world = End::address("8.8.8.8");
    assert!(allows(&[], &stranger, &pod, Port::Tcp(1)), "without a policy all is open");
    let nobody = policy(serde_json::json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}));
    for (from, to) in [(&stranger, &pod), (&pod, &stranger), (&pod, &other), (&pod, &world), (&world, &pod)] {
        assert!(!allows(&[&nobody], from, to, Port::Tcp(1)), "{from:?} to {to:?}");
    }
    assert!(allows(&[&nobody], &stranger, &world, Port::Tcp(1)), "a policy is for its own namespace");
    let some = policy(serde_json::json!({
        "podSelector": {"matchExpressions": [{"key": "x", "operator": "In", "values": ["1"]}]},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [{"podSelector": {}}, {"namespaceSelector": {"matchLabels": {NAME: "c"}}}],
            "ports": [{"port": 1}]}],
        "egress": [{"to": [{"ipBlock": {"cidr": "8.0.0.0/8", "except": ["8.8.4.0/24"]}}],
            "ports": [{"protocol": "UDP", "port": 53}]}],
    }));
    for (from, to, port, expected) in [
        (&other, &pod, Port::Tcp(1), true),
        (&other, &pod, Port::Tcp(2), false),
        (&stranger, &pod, Port::Tcp(1), false),
        (&End::pod("c", &[]), &pod, Port::Tcp(1), true),
        (&pod, &world, Port::Udp(53), true),
        (&pod, &world, Port::Tcp(53), false),
        (&pod, &End::address("8.8.4.4"), Port::Udp(53), false),
        (&pod, &other, Port::Udp(53), false),
        (&other, &world, Port::Tcp(1), true),
    ] {
        assert_eq!(allows(&[&some], from, to, port), expected, "{from:?} to {to:?} at {port:?}");
    }
}
