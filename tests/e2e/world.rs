//! The cluster, and beside it what the manifests expect to find: a Kafka with its topics, an exchange, images, a volume.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    os::unix::fs::chown,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, OnceLock},
    time::Duration,
};

use serde_json::Value;
use streamforge_cluster::{Cluster, Kubectl, Published, revision};
use streamforge_local::manifest::{KafkaTopic, Manifests};
use streamforge_servers::{Kafka, Lifetime, Process, Server as _, kafka::Settings};

use crate::{
    knative,
    support::{Folder, binary, recorded, until, until_within},
};

/// Where the overlay expects Kafka and the exchange.
const KAFKA: ([u8; 4], u16) = ([10, 244, 0, 1], 9092);
const EXCHANGE: &str = "10.244.0.1:18500";
/// The node's folder in the overlay, which becomes one of the test's own.
pub(crate) const VOLUME: &str = "/var/lib/streamforge";
/// As whom functions run.
const USER: u32 = 65532;
/// Longer than what is started in pods takes on a machine that is busy.
pub(crate) const PATIENCE: Duration = Duration::from_mins(5);

/// The pods that never sleep: what people call.
pub(crate) const ALWAYS: [&str; 2] = ["queue-manager-api", "visualizer"];
/// The pod that sleeps a while after all others.
pub(crate) const HEALER: &str = "self-healer";

/// Everything that is deployed. It stays as long as the tests run.
pub(crate) struct World {
    pub(crate) cluster: Cluster,
    kafka: Mutex<Kafka>,
    /// The exchange, and Knative's data plane where that serves in place of ours.
    started: Vec<Process>,
    /// Where its exchange has its market from.
    pub(crate) market: String,
    /// All that is deployed.
    pub(crate) manifests: String,
    /// The volume of the functions.
    pub(crate) data: PathBuf,
    folder: Folder,
}

/// The one that all tests share.
pub(crate) fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(World::deploy)
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Where the market comes from: recorded where recordings lie beside the repository.
fn market() -> String {
    let recordings = Path::new(recorded::RECORDINGS).join(recorded::QUARTERS);
    if recordings.is_dir() { format!("replay:{}", recordings.display()) } else { "synthetic:42".to_owned() }
}

/// The manifests of the overlay, rendered.
fn rendered(kubectl: &Kubectl) -> String {
    kubectl.run(&["kustomize", &root().join("overlays/single-node").display().to_string()]).unwrap()
}

impl World {
    fn deploy() -> Self {
        let cluster = Cluster::own().unwrap();
        cluster.up().unwrap();
        let kubectl = cluster.kubectl();
        let settings = Settings { address: Some(SocketAddr::from(KAFKA)), ..Settings::default() };
        let kafka = Kafka::start(&settings).expect("a Kafka for the cluster");
        // Of a run before, on a cluster that goes on. KEDA lets its objects go once it has reached a Kafka.
        for gone in [["namespace", "streamforge"], ["namespace", "knative-eventing"], ["pv", "streamforge-data"]] {
            kubectl.run(&["delete", gone[0], gone[1], "--ignore-not-found", "--timeout=360s"]).unwrap();
        }
        create_topics(&kafka);
        let folder = Folder::new();
        let program = binary::path().display().to_string();
        let market = market();
        let arguments = [program.as_str(), "exchange", "serve", "--listen", EXCHANGE, "--source", &market];
        // What all tests share is never dropped.
        let exchange = Process::start(&arguments, &folder.path("exchange.log"), Lifetime::WithStarter).unwrap();
        until("the exchange to listen", || TcpStream::connect(EXCHANGE).ok());
        let data = PathBuf::from(folder.data());
        fs::create_dir_all(&data).unwrap();
        fs::set_permissions(folder.path(""), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        chown(&data, Some(USER), Some(USER)).unwrap();
        let jars = knative::jars();
        let mut manifests = rendered(&kubectl).replace(VOLUME, &data.display().to_string());
        if jars.is_some() {
            manifests = knative::without_ours(&manifests);
            knative::commit_beginnings(&kafka);
        }
        load_images(&cluster, &manifests);
        apply(&kubectl, &manifests);
        let kafka = Mutex::new(kafka);
        let mut world = Self { cluster, kafka, started: vec![exchange], market, manifests, data, folder };
        for name in ALWAYS {
            world.is_rolled_out("streamforge", name);
        }
        if let Some(jars) = jars {
            let parts = knative::start(&world, &jars, &world.folder);
            world.started.extend(parts);
            return world;
        }
        world.is_rolled_out("knative-eventing", "streamforge-data-plane");
        until_within("every Trigger to be ready", PATIENCE, || {
            let triggers = world.list("triggers.eventing.knative.dev");
            let is_ready = |trigger: &Value| condition(trigger, "Ready")["status"] == "True";
            (!triggers.is_empty() && triggers.iter().all(is_ready)).then_some(())
        });
        world
    }

    fn is_rolled_out(&self, namespace: &str, deployment: &str) {
        let deployment = format!("deployment/{deployment}");
        self.kubectl(&["-n", namespace, "rollout", "status", &deployment, "--timeout=180s"]);
    }

    /// The Kafka of the cluster; who holds it keeps others from it.
    pub(crate) fn kafka(&self) -> MutexGuard<'_, Kafka> {
        self.kafka.lock().unwrap()
    }

    /// URL of the event log.
    pub(crate) fn bus(&self) -> String {
        self.kafka().url()
    }

    /// URL of the cluster's Prometheus.
    pub(crate) fn prometheus(&self) -> String {
        self.cluster.prometheus()
    }

    /// Calls kubectl, which has to succeed.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        self.cluster.kubectl().run(arguments).unwrap()
    }

    /// Objects of a kind in our namespace.
    pub(crate) fn list(&self, kind: &str) -> Vec<Value> {
        let list: Value =
            serde_json::from_str(&self.kubectl(&["-n", "streamforge", "get", kind, "-o", "json"])).unwrap();
        list["items"].as_array().unwrap().clone()
    }

    /// URL of a Service, as the host reaches it.
    pub(crate) fn url(&self, namespace: &str, service: &str) -> String {
        let address = self.kubectl(&["-n", namespace, "get", "service", service, "-o", "jsonpath={.spec.clusterIP}"]);
        format!("http://{address}:80")
    }

    /// Names of the pods of our namespace that have not ended.
    pub(crate) fn pods(&self) -> Vec<String> {
        let has_ended = |pod: &Value| ["Succeeded", "Failed"].iter().any(|phase| pod["status"]["phase"] == *phase);
        let name = |pod: &Value| pod["metadata"]["labels"]["app.kubernetes.io/name"].as_str().unwrap_or("?").to_owned();
        let mut names: Vec<String> = self.list("pods").iter().filter(|pod| !has_ended(pod)).map(name).collect();
        names.sort();
        names
    }
}

/// Waits until there are no pods but those that never sleep.
pub(crate) fn idle(world: &World) {
    until_within("all functions to be at zero", PATIENCE, || (world.pods() == ALWAYS).then_some(()));
}

/// Waits until no function has pods; who looks after them may still be there.
pub(crate) fn quiet(world: &World) {
    let awake = || world.pods().into_iter().filter(|name| !ALWAYS.contains(&name.as_str()) && name != HEALER);
    until_within("all functions to be at zero", PATIENCE, || awake().next().is_none().then_some(()));
}

/// A condition of an object's status; null where it has none of that type.
pub(crate) fn condition<'a>(object: &'a Value, kind: &str) -> &'a Value {
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().find(|condition| condition["type"] == kind).unwrap_or(&Value::Null)
}

/// Applies manifests, the kinds among them first.
fn apply(kubectl: &Kubectl, manifests: &str) {
    let is_kind = |document: &&str| document.contains("kind: CustomResourceDefinition");
    let documents: Vec<&str> = manifests.split("\n---\n").collect();
    let kinds: Vec<&str> = documents.iter().copied().filter(is_kind).collect();
    kubectl.apply(&kinds.join("\n---\n"), &[]).unwrap();
    kubectl.run(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"]).unwrap();
    // A namespace may come after what is in it.
    until("all manifests to be taken", || kubectl.apply(manifests, &[]).ok());
}

/// Makes the topics as their manifests describe them, as Strimzi would.
fn create_topics(kafka: &Kafka) {
    let manifests = Manifests::read(&root()).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let bus = streamforge_bus::open(&kafka.url()).unwrap();
    for topic in &manifests.topics {
        runtime.block_on(bus.create_topic(&topic.topic, &KafkaTopic::config(topic))).unwrap();
    }
}

/// Gives the node an image of each program that the manifests name.
fn load_images(cluster: &Cluster, manifests: &str) {
    let mut images: Vec<&str> =
        manifests.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("image: ")).collect();
    images.sort_unstable();
    images.dedup();
    assert!(images.len() > 5, "{images:?}");
    let published = Published::all(&root()).unwrap();
    for name in images {
        let known = published.iter().find(|known| known.name() == name).unwrap_or_else(|| panic!("{name} is not ours"));
        cluster.load(&known.image(&release(), &revision(&root())).unwrap()).unwrap();
    }
}

/// Where release binaries lie: beside the tests' own folder.
pub(crate) fn release() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(3).unwrap().join("release")
}
