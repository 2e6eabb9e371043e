//! Knative's own receiver and dispatcher in place of our data plane, wired by a contract of the same manifests.
//!
//! # Source
//! What each is told in its environment:
//! <https://github.com/knative-extensions/eventing-kafka-broker/tree/main/data-plane/config/broker>

use std::{
    env, fs,
    net::TcpStream,
    path::{Path, PathBuf},
};

use streamforge_local::{dispatcher::Target, manifest::Manifests};
use streamforge_servers::{Kafka, Lifetime, Process, Server as _};

use crate::{
    contract::contract,
    support::{Folder, until_within},
    world::{PATIENCE, World, root},
};

/// Names the folder with the two jars.
const JARS: &str = "KNATIVE_KAFKA_DATA_PLANE";
/// Where the receiver listens on the host, as pods reach it.
const HOST: &str = "10.244.0.1";
const PORT: u16 = 18600;
const METRICS: [(&str, u16); 2] = [("receiver", 18601), ("dispatcher", 18602)];
/// The namespace and Service that Brokers' addresses name.
const NAMESPACE: &str = "knative-eventing";
const SERVICE: &str = "kafka-broker-ingress";

/// The folder of the jars, where it is given.
pub(crate) fn jars() -> Option<PathBuf> {
    env::var_os(JARS).filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

/// The manifests without our data plane, and with the name of its Service leading to the host.
pub(crate) fn without_ours(manifests: &str) -> String {
    let is_ours = |document: &&str| document.contains("app.kubernetes.io/name: streamforge-data-plane");
    let kept: Vec<&str> = manifests.split("\n---\n").filter(|document| !is_ours(document)).collect();
    let service = format!(
        "apiVersion: v1
kind: Service
metadata: {{name: {SERVICE}, namespace: {NAMESPACE}}}
spec:
  ports: [{{name: http, port: 80, targetPort: {PORT}}}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {SERVICE}-1, namespace: {NAMESPACE}, labels: {{kubernetes.io/service-name: {SERVICE}}}}}
addressType: IPv4
ports: [{{name: http, port: {PORT}, protocol: TCP}}]
endpoints: [{{addresses: [{HOST}], conditions: {{ready: true}}}}]"
    );
    [kept.join("\n---\n").trim_end(), &service, ""].join("\n---\n")
}

/// Commits for each group where it begins, as Knative's controller does: a group without an offset counts as behind.
pub(crate) fn commit_beginnings(kafka: &Kafka) {
    let manifests = Manifests::read(&root()).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let bus = streamforge_bus::open(&kafka.url()).unwrap();
    for trigger in &manifests.triggers {
        let topic = &manifests.broker(&trigger.broker).unwrap().topic;
        let partitions = runtime.block_on(bus.end_offsets(topic)).unwrap().len();
        for partition in 0..u32::try_from(partitions).unwrap() {
            runtime.block_on(bus.commit(&trigger.group(), topic, partition, 0)).unwrap();
        }
    }
}

/// Starts both and waits until the receiver takes events; they end with the tests.
pub(crate) fn start(world: &World, jars: &Path, folder: &Folder) -> Vec<Process> {
    let manifests = Manifests::read(&root()).unwrap();
    // The host knows no names of the cluster.
    let address = |target: &Target| match target {
        Target::Url(url) => url.clone(),
        Target::Service { name, path } => format!("{}{path}", world.url(&name.namespace, &name.name)),
        Target::Broker { name, .. } | Target::KafkaSink { name, .. } => format!("http://{HOST}:{PORT}/{name}"),
    };
    let kafka = world.bus();
    let wiring = contract(&manifests, kafka.trim_start_matches("kafka://"), &address);
    fs::write(folder.path("contract.json"), wiring.to_string()).unwrap();
    for (name, text) in SETTINGS {
        fs::write(folder.path(name), text).unwrap();
    }
    for empty in ["tracing", "observability", "features"] {
        fs::create_dir_all(folder.path(empty)).unwrap();
    }
    let started = METRICS.map(|(part, port)| {
        let jar = jar(jars, part).display().to_string();
        let mut arguments = vec!["env".to_owned()];
        arguments.extend(environment(part, port, folder).into_iter().map(|(name, value)| format!("{name}={value}")));
        arguments.extend(["java", "-Xmx512m", "-jar", &jar].map(ToOwned::to_owned));
        Process::start(&arguments, &folder.path(&format!("{part}.log")), Lifetime::WithStarter).unwrap()
    });
    until_within("Knative's receiver and dispatcher to be there", PATIENCE, || {
        let ports = [PORT, METRICS[1].1];
        ports.iter().all(|port| TcpStream::connect((HOST, *port)).is_ok()).then_some(())
    });
    started.into()
}

/// The one jar of a part.
fn jar(folder: &Path, part: &str) -> PathBuf {
    let files = fs::read_dir(folder).unwrap_or_else(|error| panic!("{JARS}: {}: {error}", folder.display()));
    let is_it = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.contains(part) && path.extension().is_some_and(|extension| extension == "jar")
    };
    let found: Vec<PathBuf> = files.map(|file| file.unwrap().path()).filter(is_it).collect();
    let [jar] = found.as_slice() else {
        panic!("{JARS} has to hold one .jar with `{part}` in its name: {}: {found:?}", folder.display())
    };
    jar.clone()
}

fn environment(part: &str, metrics_port: u16, folder: &Folder) -> Vec<(&'static str, String)> {
    let file = |name: &str| folder.path(name).display().to_string();
    vec![
        ("SERVICE_NAME", format!("kafka-broker-{part}")),
        ("SERVICE_NAMESPACE", NAMESPACE.to_owned()),
        ("INGRESS_PORT", PORT.to_string()),
        ("INGRESS_TLS_PORT", "18603".to_owned()),
        ("LIVENESS_PROBE_PATH", "/healthz".to_owned()),
        ("READINESS_PROBE_PATH", "/readyz".to_owned()),
        ("DATA_PLANE_CONFIG_FILE_PATH", file("contract.json")),
        ("PRODUCER_CONFIG_FILE_PATH", file("producer.properties")),
        ("CONSUMER_CONFIG_FILE_PATH", file("consumer.properties")),
        ("WEBCLIENT_CONFIG_FILE_PATH", file("webclient.properties")),
        ("HTTPSERVER_CONFIG_FILE_PATH", file("httpserver.properties")),
        ("CONFIG_TRACING_PATH", file("tracing")),
        ("CONFIG_OBSERVABILITY_PATH", file("observability")),
        ("CONFIG_FEATURES_PATH", file("features")),
        ("METRICS_PATH", "/metrics".to_owned()),
        ("METRICS_PORT", metrics_port.to_string()),
        ("METRICS_PUBLISH_QUANTILES", "false".to_owned()),
        ("METRICS_JVM_ENABLED", "false".to_owned()),
        ("EGRESSES_INITIAL_CAPACITY", "20".to_owned()),
        ("INSTANCE_ID", part.to_owned()),
        ("HTTP2_DISABLE", "true".to_owned()),
        ("WAIT_STARTUP_SECONDS", "1".to_owned()),
    ]
}

const SETTINGS: [(&str, &str); 4] = [
    (
        "producer.properties",
        "key.serializer=org.apache.kafka.common.serialization.StringSerializer
value.serializer=io.cloudevents.kafka.CloudEventSerializer
acks=all
",
    ),
    (
        "consumer.properties",
        // Offsets are committed as often as ours are: KEDA goes by them.
        "key.deserializer=org.apache.kafka.common.serialization.StringDeserializer
value.deserializer=io.cloudevents.kafka.CloudEventDeserializer
auto.offset.reset=earliest
enable.auto.commit=false
auto.commit.interval.ms=500
max.poll.records=50
",
    ),
    ("webclient.properties", "idleTimeout=10000\nmaxPoolSize=100\n"),
    ("httpserver.properties", "idleTimeout=0\n"),
];
