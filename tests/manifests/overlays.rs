//! Overlays as they are applied: what a program is told of is mounted and within its reach, and nothing of another kind
//! of place is left.
//!
//! They are rendered by kustomize where that is there: `make` sees to it and names it in `KUSTOMIZE`.

use std::{collections::BTreeMap, net::IpAddr, path::Path, process::Command};

use serde_json::Value;

use crate::{
    network::{self, Workload},
    policy::{End, Port, allows},
    schemas,
    tree::{Object, root},
};

const PLACES: [&str; 2] = ["single-node", "cluster"];
/// What only one machine has.
const OF_ONE_NODE: [&str; 5] = ["sqlite:", "file:///", "kafka://", ":9092", "PersistentVolume"];
/// Files that a backend needs, by the variables that name them.
const FILES: [(&str, &[&str]); 3] = [
    ("arangodb+ssl:", &["ARANGO_CA_FILE", "ARANGO_PASSWORD_FILE"]),
    ("s3:", &["S3_ACCESS_KEY_FILE", "S3_SECRET_KEY_FILE"]),
    ("postgres+ssl:", &["POSTGRES_CA_FILE", "POSTGRES_PASSWORD_FILE"]),
];

#[test]
fn overlays_are_sound() {
    for place in PLACES {
        let Some(text) = rendered(place) else { return };
        let objects = parse(&text);
        let mut found = problems(place, &objects);
        found.extend(schemas::unfitting(&objects));
        assert!(found.is_empty(), "{place}:\n{}\n", found.join("\n"));
    }
}

#[test]
fn a_mistake_in_an_overlay_is_found() {
    let texts = PLACES.map(rendered);
    for (place, from, to, word) in [
        ("cluster", "arangodb+ssl://streamforge@", "sqlite:///data/store.db#", "sqlite:"),
        ("cluster", "svc:9093", "svc:9092", ":9092"),
        ("cluster", "arangodb.databases.svc:8529", "arangodb.databases.svc:8530", "8530"),
        ("cluster", "postgresql.databases.svc", "postgresql.others.svc", "others"),
        ("cluster", "kubernetes.io/metadata.name: kafka", "kubernetes.io/metadata.name: kafkas", "kafka"),
        ("cluster", "169.254.0.0/16", "0.0.0.0/0", "443"),
        ("cluster", "path: arangodb/password", "path: arangodb/pass", "ARANGO_PASSWORD_FILE"),
        ("cluster", "path: postgres/ca.crt", "path: postgres/ca", "POSTGRES_CA_FILE"),
        ("cluster", "path: password\n", "path: pass\n", "/secrets/kafka/password"),
        ("cluster", "image: registry.example.com/", "image: ", "registry"),
        ("cluster", "parameter: ca\n", "parameter: cert\n", "TriggerAuthentication"),
        ("cluster", "authenticationRef:\n      name: kafka", "authenticationRef:\n      name: kafkas", "logs in"),
        ("cluster", "sasl: scram_sha512", "sasl: none", "logs in"),
        ("cluster", "enforce: restricted", "enforce: baseline", "restricted"),
        ("single-node", "enforce: restricted", "enforce: privileged", "restricted"),
        ("single-node", "- port: 18500\n      protocol", "- port: 18501\n      protocol", "exchange"),
        ("single-node", "cidr: 10.244.0.1/32", "cidr: 10.244.0.2/32", "9092"),
        ("single-node", "http://10.244.0.1:19090", "http://10.244.0.1:19091", "19091"),
    ] {
        let Some(text) = &texts[usize::from(place == "cluster")] else { return };
        assert!(text.contains(from), "{place} does not contain `{from}`");
        let found = problems(place, &parse(&text.replace(from, to)));
        let is_found = found.iter().any(|problem| problem.contains(word));
        assert!(is_found, "{place} with `{to}`: expected a complaint with `{word}`, not {found:?}");
    }
}

fn problems(place: &str, objects: &[Object]) -> Vec<String> {
    let all: Vec<&Object> = objects.iter().collect();
    let mut problems = network::problems(&all);
    problems.extend(all.iter().filter(|object| object.text("/kind") == "Namespace").filter_map(|namespace| {
        let label = &namespace.at("/metadata/labels")["pod-security.kubernetes.io/enforce"];
        (label != "restricted").then(|| format!("{} lets in pods that are not restricted", namespace.name()))
    }));
    for workload in Workload::all(&all) {
        let environment = environment(&all, &workload);
        let mut found = reach(&all, &workload, &environment);
        found.extend(files(&workload, &environment));
        problems.extend(found.into_iter().map(|problem| format!("{}: {problem}", workload.object.name())));
    }
    if place == "cluster" {
        problems.extend(all.iter().flat_map(|object| left_over(object)));
        problems.extend(all.iter().flat_map(|object| logins(&all, object)));
    }
    problems
}

/// What a workload's only container is told.
fn environment(objects: &[&Object], workload: &Workload) -> BTreeMap<String, String> {
    let container = &workload.template["spec"]["containers"][0];
    let mut told = BTreeMap::new();
    for source in container["envFrom"].as_array().into_iter().flatten() {
        let is_it =
            |object: &&&Object| object.text("/kind") == "ConfigMap" && source["configMapRef"]["name"] == object.name();
        let data = objects.iter().find(is_it).and_then(|map| map.at("/data").as_object());
        told.extend(
            data.into_iter().flatten().map(|(name, value)| (name.clone(), value.as_str().unwrap_or("").to_owned())),
        );
    }
    for entry in container["env"].as_array().into_iter().flatten() {
        let (name, value) = (entry["name"].as_str().unwrap_or_default(), entry["value"].as_str().unwrap_or_default());
        told.insert(name.to_owned(), value.to_owned());
    }
    told
}

/// Places that a workload is told of and may not talk to.
fn reach(objects: &[&Object], workload: &Workload, environment: &BTreeMap<String, String>) -> Vec<String> {
    let mut places: Vec<&str> = environment
        .iter()
        .filter(|(name, _)| name.starts_with("STREAMFORGE_") && name.ends_with("_URL"))
        .map(|(_, value)| value.as_str())
        .collect();
    if workload.object.name().starts_with("loader-") {
        places.push(environment.get("BINANCE_API_URL").map_or("https://api.binance.com", String::as_str));
    }
    if places.iter().any(|place| place.starts_with("s3:")) {
        places.extend(environment.get("S3_ENDPOINT").map(String::as_str));
    }
    let ends = places.into_iter().flat_map(|place| ends(objects, place).into_iter().map(move |end| (place, end)));
    // A job publishes nothing at the ingress, though it is told where that is.
    let is_for_others = |place: &str| place.contains("ingress") && workload.object.text("/kind") == "ScaledJob";
    ends.filter(|(place, (end, port))| !is_for_others(place) && !allows(objects, &workload.end, end, *port))
        .map(|(place, (_, port))| format!("it is told of {place} and may not talk to it, at {port:?}"))
        .collect()
}

/// Where a URL leads: pods or addresses behind a Service, what is in another namespace, or the world.
fn ends(objects: &[&Object], url: &str) -> Vec<(End, Port)> {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    if ["sqlite", "file", "s3", ""].contains(&scheme) {
        return Vec::new();
    }
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let authority = authority.rsplit('@').next().unwrap_or_default();
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, port.parse().expect("the port is a number")),
        None => (authority, if scheme == "https" { 443 } else { 80 }),
    };
    if host.parse::<IpAddr>().is_ok() {
        return vec![(End::address(host), Port::Tcp(port))];
    }
    let mut labels = host.split('.');
    let (Some(service), Some(namespace), Some("svc")) = (labels.next(), labels.next(), labels.next()) else {
        return vec![(End::address("8.8.8.8"), Port::Tcp(port))];
    };
    let in_namespace = |object: &&&Object| object.text("/metadata/namespace") == namespace;
    let slices = objects.iter().filter(in_namespace).filter(|object| {
        object.at("/metadata/labels")["kubernetes.io/service-name"] == service
            && object.text("/kind") == "EndpointSlice"
    });
    let behind: Vec<(End, Port)> = slices
        .map(|slice| {
            let port = slice.at("/ports/0/port").as_u64().expect("a slice has a port");
            (End::address(slice.text("/endpoints/0/addresses/0")), Port::Tcp(port))
        })
        .collect();
    let is_it = |object: &&&Object| object.text("/kind") == "Service" && object.name() == service;
    let own = objects.iter().filter(in_namespace).find(is_it);
    match own {
        _ if !behind.is_empty() => behind,
        // The pods of ours behind a Service all listen there.
        Some(own) => vec![(pods_of(namespace, own), Port::Tcp(8080))],
        None => vec![(End::pod(namespace, &[]), Port::Tcp(port))],
    }
}

fn pods_of(namespace: &str, service: &Object) -> End {
    let labels = service.at("/spec/selector").as_object().into_iter().flatten();
    let labels: Vec<(&str, &str)> =
        labels.map(|(key, value)| (key.as_str(), value.as_str().unwrap_or_default())).collect();
    End::pod(namespace, &labels)
}

/// Files that a workload is told of and that nothing puts there.
fn files(workload: &Workload, environment: &BTreeMap<String, String>) -> Vec<String> {
    let mounted = mounted(workload);
    let mut named: Vec<(String, String)> = Vec::new();
    for (name, value) in environment.iter().filter(|(name, _)| name.ends_with("_URL")) {
        let query = value.split_once('?').map_or("", |(_, query)| query);
        named.extend(query.split('&').filter_map(|pair| Some((name.clone(), pair.split_once('=')?.1.to_owned()))));
        let needed = FILES.iter().filter(|(scheme, _)| value.starts_with(scheme)).flat_map(|(_, names)| *names);
        named.extend(needed.map(|name| ((*name).to_owned(), environment.get(*name).cloned().unwrap_or_default())));
    }
    let missing = named.into_iter().filter(|(_, path)| !mounted.contains(path));
    missing.map(|(name, path)| format!("{name} asks for the file `{path}`, which nothing puts there")).collect()
}

/// Paths of the keys of Secrets that a workload mounts.
fn mounted(workload: &Workload) -> Vec<String> {
    let spec = &workload.template["spec"];
    let mut paths = Vec::new();
    for mount in spec["containers"][0]["volumeMounts"].as_array().into_iter().flatten() {
        let volumes = spec["volumes"].as_array().into_iter().flatten();
        for volume in volumes.filter(|volume| volume["name"] == mount["name"]) {
            let projected = volume["projected"]["sources"].as_array().into_iter().flatten();
            let secrets = projected.map(|source| &source["secret"]).chain([&volume["secret"]]);
            let items = secrets.flat_map(|secret| secret["items"].as_array().into_iter().flatten());
            let folder = mount["mountPath"].as_str().unwrap_or_default();
            paths.extend(items.filter_map(|item| Some(format!("{folder}/{}", item["path"].as_str()?))));
        }
    }
    paths
}

/// What belongs to a single node, and images that no registry has.
fn left_over(object: &Object) -> Vec<String> {
    let text = object.value.to_string();
    // Definitions of kinds and rules of the network say what they say in words.
    let of_one_node = OF_ONE_NODE.iter().filter(|word| text.contains(**word));
    let mut found: Vec<String> =
        of_one_node.map(|word| format!("{} is of a single node: {word}", object.label())).collect();
    let images = Workload::all(&[object])
        .into_iter()
        .map(|workload| workload.template["spec"]["containers"][0]["image"].clone());
    let without = images.filter(|image| image.as_str().is_none_or(|image| image.matches('/').count() < 2));
    found.extend(without.map(|image| format!("{}: {image} names no registry", object.label())));
    found
}

/// Lag that is asked for without a login that is there.
fn logins(objects: &[&Object], scaled: &Object) -> Vec<String> {
    let is_whole = |login: &Object| {
        let given = login.list("/spec/secretTargetRef");
        ["username", "password", "ca"].iter().all(|name| given.iter().any(|entry| entry["parameter"] == *name))
    };
    let mut found = Vec::new();
    for trigger in scaled.list("/spec/triggers").iter().filter(|trigger| trigger["type"] == "kafka") {
        let is_it = |object: &&&Object| {
            object.text("/kind") == "TriggerAuthentication" && trigger["authenticationRef"]["name"] == object.name()
        };
        match objects.iter().find(is_it) {
            None => found.push(format!("{}: nothing logs in for it", scaled.label())),
            Some(login) if !is_whole(login) => {
                found.push(format!("TriggerAuthentication {} lacks something to log in with", login.name()));
            }
            Some(_) if trigger["metadata"]["sasl"] != "scram_sha512" || trigger["metadata"]["tls"] != "enable" => {
                found.push(format!("{}: nobody logs in, or without TLS", scaled.label()));
            }
            Some(_) => {}
        }
    }
    found
}

/// An overlay as kustomize writes it; none without kustomize.
fn rendered(place: &str) -> Option<String> {
    let kustomize = std::env::var_os("KUSTOMIZE").filter(|path| Path::new(path).exists())?;
    let output = Command::new(kustomize).arg("build").arg(root().join("overlays").join(place)).output();
    let output = output.expect("kustomize can be run");
    assert!(output.status.success(), "{place}: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).expect("manifests are text"))
}

fn parse(text: &str) -> Vec<Object> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).expect("kustomize writes YAML");
    documents.into_iter().map(|value| Object { file: "rendered".to_owned(), value }).collect()
}
