//! Pods: restricted security, probes that the host answers, bounded resources, known variables, our own images.

use std::collections::BTreeSet;

use dummy_service::{Behaviour, Dummy};
use queue_manager::ApiService;
use self_healer::SelfHealer;
use serde_json::{Value, json};
use streamforge_function::{
    Function as _, VARIABLES,
    axum::{body::Body, http::Request},
    router,
    test_util::{TestIngress, send},
};
use streamforge_local::functions;
use visualizer::Visualizer;

use crate::{
    assert_finds, assert_sound,
    tree::{Object, Tree},
};

const POD: &str = "/spec/template/spec";
const CONTAINER: &str = "/spec/template/spec/containers/0";
const PROBES: [&str; 3] = ["startupProbe", "readinessProbe", "livenessProbe"];

/// What the profile `restricted` asks of a pod, and what we ask beyond it.
///
/// # Source
/// <https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted>
fn required() -> [(String, Value); 11] {
    [
        (format!("{POD}/securityContext/runAsNonRoot"), json!(true)),
        (format!("{POD}/securityContext/seccompProfile/type"), json!("RuntimeDefault")),
        // Else Kubernetes tells each pod of all Services by variables, and functions refuse those with our prefix.
        (format!("{POD}/enableServiceLinks"), json!(false)),
        (format!("{POD}/hostNetwork"), json!(null)),
        (format!("{POD}/hostPID"), json!(null)),
        (format!("{POD}/hostIPC"), json!(null)),
        (format!("{CONTAINER}/securityContext/allowPrivilegeEscalation"), json!(false)),
        (format!("{CONTAINER}/securityContext/privileged"), json!(null)),
        (format!("{CONTAINER}/securityContext/readOnlyRootFilesystem"), json!(true)),
        (format!("{CONTAINER}/securityContext/capabilities/drop"), json!(["ALL"])),
        (format!("{CONTAINER}/securityContext/capabilities/add"), json!(null)),
    ]
}

#[test]
fn pods_are_restricted_bounded_and_probed() {
    assert_sound(problems);
}

#[test]
fn a_careless_pod_is_found() {
    let file = "knative/dummy-service.yaml";
    assert_finds(
        problems,
        &[
            (file, "runAsNonRoot: true", "runAsNonRoot: false", "runAsNonRoot"),
            (file, "runAsUser: 65532", "runAsUser: 0", "runAsUser"),
            (file, "enableServiceLinks: false", "enableServiceLinks: true", "enableServiceLinks"),
            (file, "drop: [ALL]", "drop: [NET_RAW]", "capabilities"),
            (file, "readinessProbe:", "readynessProbe:", "readinessProbe"),
            (
                file,
                "port: http}\n            periodSeconds: 10",
                "port: web}\n            periodSeconds: 10",
                "livenessProbe",
            ),
            (file, "limits: {cpu: \"1\", memory: 256Mi}", "limits: {cpu: \"1\"}", "memory"),
            (file, "terminationGracePeriodSeconds: 330", "terminationGracePeriodSeconds: 30", "Grace"),
            (file, "streamforge/dummy-service:0.1.0", "streamforge/dummy-service:latest", "image"),
            (file, "containerPort: 8080", "containerPort: 8081", "PORT"),
            ("knative/environment.yaml", "STREAMFORGE_HOST", "STREAMFORGE_HOTS", "STREAMFORGE_HOTS"),
            (
                "knative/graph-builder.yaml",
                "name: STREAMFORGE_STORE_URL",
                "name: STREAMFORGE_STORE",
                "STREAMFORGE_STORE",
            ),
            ("knative/graph-builder.yaml", "claimName: streamforge-data", "claimName: data", "PersistentVolumeClaim"),
            ("knative/environment.yaml", "name: streamforge-environment", "name: environment", "ConfigMap"),
            (
                "knative/queue-manager-api.yaml",
                "automountServiceAccountToken: false",
                "automountServiceAccountToken: true",
                "automount",
            ),
            (
                "knative/self-healer.yaml",
                "automountServiceAccountToken: true",
                "automountServiceAccountToken: false",
                "automount",
            ),
            (
                "knative/self-healer.yaml",
                "serviceAccountName: self-healer",
                "serviceAccountName: streamforge",
                "account",
            ),
        ],
    );
}

#[tokio::test]
async fn the_host_answers_every_probe() {
    let tree = Tree::read();
    let paths: BTreeSet<String> = tree
        .workloads()
        .flat_map(|workload| PROBES.map(|probe| workload.text(&format!("{CONTAINER}/{probe}/httpGet/path")).to_owned()))
        .collect();
    assert_eq!(paths.len(), PROBES.len(), "{paths:?}");
    let ingress = TestIngress::start().await;
    let host = router(Dummy::new(Behaviour::default()), ingress.context(Dummy::NAME, 0));
    for (path, is_known) in paths.iter().map(|path| (path.as_str(), true)).chain([("/health", false)]) {
        let answer = send(&host, Request::get(path).body(Body::empty()).expect("it is a path")).await;
        assert_eq!(answer.status != 404, is_known, "{path}: {answer:?}");
    }
}

pub(crate) fn problems(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    for workload in tree.workloads() {
        let mut found = security(workload);
        found.extend(probes(workload));
        found.extend(resources(workload));
        found.extend(image(workload));
        found.extend(environment(tree, workload));
        found.extend(volumes(tree, workload));
        problems.extend(found.into_iter().map(|problem| format!("{}: {problem}", workload.label())));
    }
    problems
}

fn security(workload: &Object) -> Vec<String> {
    let unmet = required().into_iter().filter(|(pointer, value)| workload.at(pointer) != value);
    let mut found: Vec<String> = unmet.map(|(pointer, value)| format!("{pointer} is not {value}")).collect();
    // Who asks the API server needs a token, and is somebody of its own there.
    let asks = workload.name() == SelfHealer::NAME;
    if *workload.at(&format!("{POD}/automountServiceAccountToken")) != asks {
        found.push(format!("automountServiceAccountToken is not {asks}"));
    }
    if asks && workload.text(&format!("{POD}/serviceAccountName")) != workload.name() {
        found.push("its account is not its own".to_owned());
    }
    if workload.at(&format!("{POD}/securityContext/runAsUser")).as_u64().is_none_or(|user| user == 0) {
        found.push("runAsUser is not a user other than root".to_owned());
    }
    if workload.list(&format!("{POD}/containers")).len() != 1 {
        found.push("it has not just one container".to_owned());
    }
    found
}

fn probes(workload: &Object) -> Vec<String> {
    let ports = workload.list(&format!("{CONTAINER}/ports"));
    let port =
        |name: &str| ports.iter().find(|port| port["name"] == name).map(|port| port["containerPort"].to_string());
    let mut found = Vec::new();
    for probe in PROBES {
        let name = workload.text(&format!("{CONTAINER}/{probe}/httpGet/port"));
        if name != "http" {
            found.push(format!("{probe} does not ask the port http"));
        }
    }
    for (name, variable) in [("http", "PORT"), ("metrics", "STREAMFORGE_METRICS_PORT")] {
        let setting = VARIABLES.iter().find(|setting| setting.name == variable);
        if port(name).as_deref() != setting.and_then(|setting| setting.default) {
            found.push(format!("the port {name} is not the default of {variable}"));
        }
    }
    found
}

fn resources(workload: &Object) -> Vec<String> {
    let pointers = ["requests/cpu", "requests/memory", "limits/cpu", "limits/memory"];
    let missing =
        pointers.iter().filter(|pointer| workload.text(&format!("{CONTAINER}/resources/{pointer}")).is_empty());
    let mut found: Vec<String> = missing.map(|pointer| format!("it has no resources for {pointer}")).collect();
    let grace = workload.at(&format!("{POD}/terminationGracePeriodSeconds")).as_u64();
    let before = workload.at(&format!("{CONTAINER}/lifecycle/preStop/sleep/seconds")).as_u64();
    if before.is_none_or(|before| before == 0) {
        found.push("it has no preStop sleep: its address is still known when it goes".to_owned());
    }
    let drain = before.unwrap_or_default() + seconds("STREAMFORGE_DRAIN_GRACE") + seconds("STREAMFORGE_DRAIN_TIMEOUT");
    if grace.is_none_or(|grace| grace <= drain) {
        found.push(format!("terminationGracePeriodSeconds is not longer than the drain of {drain} s"));
    }
    found
}

fn image(workload: &Object) -> Option<String> {
    let name = workload.name();
    let function = if name == ApiService::NAME { "queue-manager" } else { name };
    let expected = format!("streamforge/{function}:{}", env!("CARGO_PKG_VERSION"));
    let image = workload.text(&format!("{CONTAINER}/image"));
    (image != expected).then(|| format!("its image is {image} and not {expected}"))
}

/// Variables that no function reads, and sources of variables that are not there.
fn environment(tree: &Tree, workload: &Object) -> Vec<String> {
    let name = workload.name();
    let is_read = |variable: &str| match name {
        ApiService::NAME => VARIABLES.iter().chain(ApiService::SETTINGS).any(|setting| setting.name == variable),
        Visualizer::NAME => VARIABLES.iter().chain(Visualizer::SETTINGS).any(|setting| setting.name == variable),
        SelfHealer::NAME => VARIABLES.iter().chain(SelfHealer::SETTINGS).any(|setting| setting.name == variable),
        _ => functions::reads_variable(name, variable),
    };
    let own = workload.list(&format!("{CONTAINER}/env")).iter().filter_map(|variable| variable["name"].as_str());
    let mut variables: Vec<&str> = own.collect();
    let mut found = Vec::new();
    for source in workload.list(&format!("{CONTAINER}/envFrom")) {
        match tree.of_kind("ConfigMap").find(|map| source["configMapRef"]["name"] == map.name()) {
            Some(map) => variables.extend(map.keys("/data")),
            None => found.push(format!("its ConfigMap {source} is not there")),
        }
    }
    let unread = variables.into_iter().filter(|variable| !is_read(variable));
    found.extend(unread.map(|variable| format!("it is told {variable}, which it does not read")));
    found
}

fn volumes(tree: &Tree, workload: &Object) -> Vec<String> {
    let volumes = workload.list(&format!("{POD}/volumes"));
    let is_claimed = |volume: &&Value| {
        tree.of_kind("PersistentVolumeClaim").any(|claim| volume["persistentVolumeClaim"]["claimName"] == claim.name())
    };
    let unclaimed = volumes.iter().filter(|volume| !is_claimed(volume));
    let mut found: Vec<String> =
        unclaimed.map(|volume| format!("its volume {} is no PersistentVolumeClaim of ours", volume["name"])).collect();
    let mounts = workload.list(&format!("{CONTAINER}/volumeMounts"));
    let unknown = mounts.iter().filter(|mount| !volumes.iter().any(|volume| volume["name"] == mount["name"]));
    found.extend(unknown.map(|mount| format!("it mounts {}, which is no volume", mount["name"])));
    found
}

/// Default of a duration that is given in seconds.
fn seconds(variable: &str) -> u64 {
    let setting = VARIABLES.iter().find(|setting| setting.name == variable);
    let text = setting.and_then(|setting| setting.default).expect("the host has this setting with a default");
    text.strip_suffix('s').and_then(|number| number.parse().ok()).expect("it is given in seconds")
}
