//! Events, metrics, names and calls come through, and nothing else does.

use std::fs;

use serde_json::Value;

use crate::{
    policy::{End, Labels, Port, allows, selects},
    tree::{Object, Tree, root},
};

/// What stands for the rest of the world, for the API server, and for who has no business here.
const WORLD: &str = "8.8.8.8";
const API_SERVER: &str = "10.96.0.1";
const LABEL_OF_CALLERS: (&str, &str) = ("streamforge.io/calls-api", "true");
const LABEL_OF_PUBLISHERS: (&str, &str) = ("streamforge.io/publishes", "true");

/// A workload, as the network sees it.
pub(crate) struct Workload<'a> {
    pub(crate) object: &'a Object,
    /// What its pods are made of.
    pub(crate) template: &'a Value,
    pub(crate) end: End,
}

impl<'a> Workload<'a> {
    /// All that run pods.
    pub(crate) fn all(objects: &[&'a Object]) -> Vec<Self> {
        let of = |object: &&'a Object| {
            let template = match object.text("/kind") {
                "Deployment" | "Rollout" => object.at("/spec/template"),
                "ScaledJob" => object.at("/spec/jobTargetRef/template"),
                _ => return None,
            };
            let end = End::of(template, object.text("/metadata/namespace"));
            Some(Self { object, template, end })
        };
        objects.iter().filter_map(of).collect()
    }

    /// Number of the port with this name.
    fn port(&self, name: &Value) -> Option<Port> {
        let ports = self.template["spec"]["containers"][0]["ports"].as_array().into_iter().flatten();
        let number = ports.into_iter().find(|port| port["name"] == *name).map(|port| &port["containerPort"]);
        number.and_then(Value::as_u64).map(Port::Tcp)
    }

    fn is_data_plane(&self) -> bool {
        self.object.text("/metadata/namespace") == "knative-eventing"
    }

    fn component(&self) -> &str {
        self.template["metadata"]["labels"]["app.kubernetes.io/component"].as_str().unwrap_or_default()
    }

    fn labels(&self) -> &Labels {
        let End::Pod { labels, .. } = &self.end else { unreachable!("a workload's end is a pod") };
        labels
    }

    /// Whether it is told where Prometheus is.
    fn asks_prometheus(&self) -> bool {
        let variables = self.template["spec"]["containers"][0]["env"].as_array().into_iter().flatten();
        variables.into_iter().any(|variable| variable["name"] == "STREAMFORGE_PROMETHEUS_URL")
    }

    /// Whether its pods carry a token for the API server.
    fn has_token(&self) -> bool {
        self.template["spec"]["automountServiceAccountToken"] != false
    }
}

#[test]
fn what_has_to_talk_may_and_nobody_else() {
    let (tree, data_plane) = (Tree::read(), data_plane(None));
    let found = problems(&tree.objects.iter().chain(&data_plane).collect::<Vec<_>>());
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn a_rule_too_few_or_too_wide_is_found() {
    let file = "knative/network.yaml";
    let own = "crates/data-plane/manifests/network.yaml";
    let sound = Tree::read();
    for (file, from, to, word) in [
        (file, "kubernetes.io/metadata.name: knative-eventing", "name: knative-eventing", "events to"),
        (file, "app.kubernetes.io/component: function", "app.kubernetes.io/component: functions", "events to"),
        (file, "port: 8080", "port: 80", "publish"),
        (file, "values: [function, api, healer]", "values: [function]", "queue-manager-api cannot publish"),
        (file, "kubernetes.io/metadata.name: monitoring", "name: monitoring", "metrics"),
        (file, "port: 9090", "port: 9091", "metrics"),
        (file, "app.kubernetes.io/name: visualizer", "app.kubernetes.io/name: visualiser", "cannot ask Prometheus"),
        (file, "k8s-app: kube-dns", "k8s-app: coredns", "names"),
        (file, "protocol: UDP", "protocol: TCP", "names"),
        (
            file,
            "namespaceSelector:\n            matchLabels:\n              kubernetes.io/metadata.name: monitoring",
            "namespaceSelector: {}",
            "stranger reaches",
        ),
        (file, "  egress:\n", "  egress:\n    - {}\n", "reaches the world"),
        (file, "  podSelector: {}", "  podSelector: {matchLabels: {a: b}}", "stranger reaches"),
        (file, "streamforge.io/calls-api", "streamforge.io/calls", "cannot be called"),
        (own, "kubernetes.io/metadata.name: streamforge", "name: streamforge", "publish"),
        (own, "streamforge.io/publishes", "streamforge.io/publish", "others"),
        (own, "port: 6443", "port: 6444", "API server"),
        (
            own,
            "podSelector:\n    matchLabels:\n      app.kubernetes.io/name: streamforge",
            "podSelector:\n    matchLabels:\n      app.kubernetes.io/name: another",
            "stranger reaches",
        ),
    ] {
        let (mistaken, beside) = if file == own {
            (None, data_plane(Some((from, to))))
        } else {
            (Some(sound.with(file, from, to).expect("it is valid")), data_plane(None))
        };
        let tree = mistaken.as_ref().unwrap_or(&sound);
        let found = problems(&tree.objects.iter().chain(&beside).collect::<Vec<_>>());
        let is_found = found.iter().any(|problem| problem.contains(word));
        assert!(is_found, "{file} with `{to}`: expected a complaint with `{word}`, not {found:?}");
    }
}

/// What is let through and should not be, and the other way round.
pub(crate) fn problems(objects: &[&Object]) -> Vec<String> {
    let workloads = Workload::all(objects);
    let mut problems = deliveries(objects, &workloads);
    for workload in &workloads {
        let found = needs(objects, workload).into_iter().chain(intrusions(objects, workload, &workloads));
        problems.extend(found.map(|problem| format!("{} {problem}", workload.object.name())));
    }
    problems
}

/// Events come to the pods of each Trigger's subscriber, from whichever data plane is there.
fn deliveries(objects: &[&Object], workloads: &[Workload]) -> Vec<String> {
    let senders = data_planes(workloads);
    let mut problems = Vec::new();
    for trigger in objects.iter().filter(|object| object.text("/kind") == "Trigger") {
        let subscriber = trigger.at("/spec/subscriber/ref");
        let is_it = |service: &&&Object| service.text("/kind") == "Service" && subscriber["name"] == service.name();
        let Some(service) = objects.iter().find(is_it).filter(|_| subscriber["kind"] == "Service") else { continue };
        let selector = serde_json::json!({"matchLabels": service.at("/spec/selector")});
        let mut pods = workloads.iter().filter(|workload| selects(&selector, workload.labels()));
        let is_let = |workload: &Workload| {
            let port = workload.port(service.at("/spec/ports/0/targetPort"));
            port.is_some_and(|port| senders.iter().all(|sender| allows(objects, sender, &workload.end, port)))
        };
        if !pods.all(is_let) {
            problems.push(format!(
                "the data plane cannot deliver the events to {} of {}",
                service.name(),
                trigger.name()
            ));
        }
    }
    problems
}

/// Whoever delivers events: what is deployed here, and Knative's own.
fn data_planes(workloads: &[Workload]) -> Vec<End> {
    let knative = End::pod("knative-eventing", &[("app", "kafka-broker-dispatcher")]);
    let ours = workloads.iter().filter(|workload| workload.is_data_plane()).map(|workload| workload.end.clone());
    ours.chain([knative]).collect()
}

/// What a workload cannot work without.
fn needs(objects: &[&Object], workload: &Workload) -> Vec<String> {
    let mut found = Vec::new();
    let dns = End::pod("kube-system", &[("k8s-app", "kube-dns")]);
    if ![Port::Tcp(53), Port::Udp(53)].iter().all(|port| allows(objects, &workload.end, &dns, *port)) {
        found.push("cannot look up names".to_owned());
    }
    let prometheus = End::pod("monitoring", &[("app.kubernetes.io/name", "prometheus")]);
    let metrics = workload.port(&Value::from("metrics"));
    if metrics.is_some_and(|port| !allows(objects, &prometheus, &workload.end, port)) {
        found.push("has metrics that Prometheus cannot read".to_owned());
    }
    if workload.asks_prometheus() && !allows(objects, &workload.end, &prometheus, Port::Tcp(9090)) {
        found.push("cannot ask Prometheus".to_owned());
    }
    if ["function", "api", "healer"].contains(&workload.component()) {
        let receivers = data_planes(&Workload::all(objects));
        if !receivers.iter().all(|receiver| allows(objects, &workload.end, receiver, Port::Tcp(8080))) {
            found.push("cannot publish".to_owned());
        }
    }
    let api_server = End::address(API_SERVER);
    if workload.has_token()
        && ![443, 6443].iter().all(|port| allows(objects, &workload.end, &api_server, Port::Tcp(*port)))
    {
        found.push("cannot reach the API server, for which it has a token".to_owned());
    }
    let (label, who) = match workload.component() {
        "api" => (LABEL_OF_CALLERS, "called"),
        _ if workload.is_data_plane() => (LABEL_OF_PUBLISHERS, "called by others"),
        _ => return found,
    };
    if !allows(objects, &End::in_labelled(label), &workload.end, Port::Tcp(8080)) {
        found.push(format!("cannot be {who}, whose namespace is labelled"));
    }
    found
}

/// Who reaches a workload, and what it reaches, without any need.
fn intrusions(objects: &[&Object], workload: &Workload, workloads: &[Workload]) -> Vec<String> {
    let mut found = Vec::new();
    let ports = [Port::Tcp(8080), Port::Tcp(9090), Port::Tcp(22)];
    for stranger in [End::pod("default", &[]), End::pod("kube-system", &[]), End::address(WORLD)] {
        if ports.iter().any(|port| allows(objects, &stranger, &workload.end, *port)) {
            found.push(format!("is open: a stranger reaches it, {stranger:?}"));
        }
    }
    if allows(objects, &workload.end, &End::address(WORLD), Port::Tcp(80)) {
        found.push("reaches the world".to_owned());
    }
    if !workload.has_token() && allows(objects, &workload.end, &End::address(API_SERVER), Port::Tcp(443)) {
        found.push("reaches the API server, for which it has no token".to_owned());
    }
    let neighbours = workloads.iter().filter(|other| !workload.is_data_plane() && !other.is_data_plane());
    for other in neighbours {
        if ports.iter().any(|port| allows(objects, &other.end, &workload.end, *port)) {
            found.push(format!("is open to {}, which should publish", other.object.name()));
        }
    }
    found
}

/// The manifests of our own data plane, with another text in its rules.
fn data_plane(mistake: Option<(&str, &str)>) -> Vec<Object> {
    let folder = "crates/data-plane/manifests";
    let mut objects = parse(&format!("{folder}/network.yaml"), mistake);
    objects.extend(parse(&format!("{folder}/data-plane.yaml"), None));
    objects
}

/// A file's objects, with another text in it.
fn parse(file: &str, mistake: Option<(&str, &str)>) -> Vec<Object> {
    let mut text = fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    if let Some((from, to)) = mistake {
        assert!(text.contains(from), "{file} does not contain `{from}`");
        text = text.replace(from, to);
    }
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
    documents.into_iter().map(|value| Object { file: file.to_owned(), value }).collect()
}
