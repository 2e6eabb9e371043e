//! The platform out of Git: pushes arrive in the order of the waves, mistakes stay where they are, scaling is let alone.

use std::{
    collections::BTreeMap,
    env,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use streamforge_cluster::Published;
use streamforge_local::manifest::{KafkaTopic, Manifests};

use crate::{
    reports::finished,
    repository::Repository,
    support::{dummy, until, until_within},
    world::{World, condition, quiet, release, root, world},
};

/// Longer than all waves take on a machine that is busy.
const PATIENCE: Duration = Duration::from_mins(10);
/// Time between two events that each take a second: some twenty are under way.
const PAUSE: Duration = Duration::from_millis(50);
/// Pods that so many events ask for, or fewer.
const SCALED: u32 = 3;
/// Longer than Argo CD takes to see a difference and to undo it.
const UNDISTURBED: Duration = Duration::from_secs(15);
/// Kinds of what is deployed in one wave after the other.
const WAVES: [&[&str]; 3] = [
    &["rollouts.argoproj.io", "brokers.eventing.knative.dev", "kafkasinks.eventing.knative.dev"],
    &["triggers.eventing.knative.dev"],
    &["scaledobjects.keda.sh", "scaledjobs.keda.sh"],
];
/// The Applications that bring them.
const PARTS: [&str; 3] = ["knative", "triggers", "scaledobjects"];

/// The platform, deployed from a repository of its own for as long as this lives.
struct Deployed {
    world: &'static World,
    repository: Repository,
}

#[test]
#[ignore = "needs the cluster of `make e2e`"]
fn the_parts_are_deployed_in_waves() {
    let world = world();
    for kind in WAVES.iter().rev().copied().flatten() {
        world.kubectl(&["-n", "streamforge", "delete", kind, "--all", "--timeout=180s"]);
    }
    let _deployed = Deployed::new(world);
    let created = WAVES.map(|kinds| {
        let objects: Vec<Value> = kinds.iter().flat_map(|kind| world.list(kind)).collect();
        let mut times: Vec<String> = objects.iter().map(|object| text(object, "/metadata/creationTimestamp")).collect();
        times.sort();
        times
    });
    for [before, after] in [[0, 1], [1, 2]] {
        assert!(created[before].last() < created[after].first(), "{created:?}");
    }
    for kind in ["brokers.eventing.knative.dev", "triggers.eventing.knative.dev", "kafkasinks.eventing.knative.dev"] {
        for object in world.list(kind) {
            assert_eq!(condition(&object, "Ready")["status"], "True", "{object:#}");
        }
    }
    handles_an_event(world, "dummy-service", "deployed");
}

#[test]
#[ignore = "needs the cluster of `make e2e`"]
fn a_push_arrives_in_the_order_of_the_waves() {
    let world = world();
    let deployed = Deployed::new(world);
    let repository = &deployed.repository;
    repository.edit("scaledobjects/predictor.yaml", "lagThreshold: \"1\"", "lagThreshold: \"7\"");
    add_function(world, repository, "echo");
    deployed.push();
    let threshold = |name: &str| {
        let path = "-o=jsonpath={.spec.triggers[0].metadata.lagThreshold}";
        world.kubectl(&["-n", "streamforge", "get", "scaledobject", name, path])
    };
    assert_eq!((threshold("predictor").as_str(), threshold("echo").as_str()), ("7", "5"));
    let applications = deployed.applications();
    let operation = |name: &str, field: &str| text(&applications[name], &format!("/status/operationState/{field}"));
    for [before, after] in [[0, 1], [1, 2]] {
        let [before, after] = [PARTS[before], PARTS[after]];
        assert!(operation(before, "finishedAt") <= operation(after, "startedAt"), "{after} did not wait for {before}");
    }
    handles_an_event(world, "echo", "pushed");

    repository.revert();
    deployed.push();
    for kind in ["rollout", "broker", "trigger", "scaledobject"] {
        let gone = ["-n", "streamforge", "wait", "--for=delete", kind, "echo", "--timeout=180s"];
        world.kubectl(&gone);
    }
    assert_eq!(threshold("predictor"), "1");
}

#[test]
#[ignore = "needs the cluster of `make e2e`"]
fn a_broken_manifest_harms_nobody_else() {
    let world = world();
    let deployed = Deployed::new(world);
    let repository = &deployed.repository;
    repository.edit("scaledobjects/predictor.yaml", "cooldownPeriod: 30", "cooldownPeriod: soon");
    repository.edit("triggers/predictor.yaml", "name: route-predictor-bars", "name: route-predictor-new-bars");
    let commit = repository.push();
    deployed.refresh();
    until_within("the manifest to be refused", PATIENCE, || {
        let applications = deployed.applications();
        let said = applications["scaledobjects"]["status"]["conditions"].to_string();
        let root = text(&applications["streamforge"], "/status/health/status");
        (said.contains("cooldownPeriod: expected") && root == "Degraded").then_some(())
    });
    for (name, application) in deployed.applications() {
        if !["streamforge", "scaledobjects"].contains(&name.as_str()) {
            assert_eq!(stage(&application), ("Synced".to_owned(), commit.clone()), "{name}: {application:#}");
            assert_eq!(text(&application, "/status/health/status"), "Healthy", "{name}: {application:#}");
        }
    }
    let names: Vec<String> = world.list("triggers.eventing.knative.dev").iter().map(name).collect();
    assert!(names.iter().any(|name| name == "route-predictor-new-bars"), "{names:?}");
    handles_an_event(world, "dummy-service", "beside-a-broken-one");

    repository.revert();
    deployed.push();
}

#[test]
#[ignore = "needs the cluster of `make e2e`"]
fn replicas_are_left_to_keda() {
    let world = world();
    let deployed = Deployed::new(world);
    quiet(world);
    let url = inbox(world, "dummy-service");
    let replicas = || -> u32 {
        let path = "-o=jsonpath={.spec.replicas}";
        world.kubectl(&["-n", "streamforge", "get", "rollout", "dummy-service", path]).parse().unwrap()
    };
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let _end = End(&is_over);
        scope.spawn(|| {
            for number in 0.. {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                assert_eq!(dummy::post(&url, &format!("scaled-{number}"), 1000), Some(202));
                thread::sleep(PAUSE);
            }
        });
        until_within("pods for the lag", PATIENCE, || (replicas() >= SCALED).then_some(()));
        // Whoever sets replicas in Git by mistake does not take the pods away.
        let (rollout, spec) = ("kind: Rollout\nmetadata:\n", "spec:\n  selector:\n    matchLabels:");
        let file = "knative/dummy-service.yaml";
        deployed.repository.edit(file, rollout, &format!("{rollout}  annotations: {{seen: by-git}}\n"));
        deployed.repository.edit(file, spec, &spec.replace("spec:", "spec:\n  replicas: 1"));
        let commit = deployed.repository.push();
        deployed.refresh();
        until_within("the change to be there", PATIENCE, || {
            assert!(replicas() >= SCALED, "{} replicas while there is lag", replicas());
            let annotation = "-o=jsonpath={.metadata.annotations.seen}";
            let seen = world.kubectl(&["-n", "streamforge", "get", "rollout", "dummy-service", annotation]);
            let knative = stage(&deployed.applications()["knative"]);
            (seen == "by-git" && knative == ("Synced".to_owned(), commit.clone())).then_some(())
        });
        // Who fights does so again and again; that nobody does, no condition tells.
        let synced = Instant::now();
        while synced.elapsed() < UNDISTURBED {
            assert!(replicas() >= SCALED, "{} replicas while there is lag", replicas());
            assert_eq!(stage(&deployed.applications()["knative"]).0, "Synced");
            thread::sleep(Duration::from_secs(1));
        }
    });
}

/// Says that it is over, also where a test fails.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Deployed {
    fn new(world: &'static World) -> Self {
        world.cluster.argocd().unwrap();
        let repository = Repository::of_working_tree();
        let volume = world.data.display().to_string();
        repository.edit("overlays/single-node/host/volume.yaml", crate::world::VOLUME, &volume);
        let deployed = Self { world, repository };
        let root = root().join("overlays/single-node/argocd").display().to_string();
        let manifests = world.kubectl(&["kustomize", &root]);
        let own = "repoURL: https://github.com/streamforge/streamforge.git";
        assert!(manifests.contains(own));
        let commit = deployed.repository.push();
        let url = format!("repoURL: {}", deployed.repository.url());
        world.cluster.kubectl().apply(&manifests.replace(own, &url), &[]).unwrap();
        deployed.wait(&commit);
        deployed
    }

    /// Pushes what has changed and waits until it is deployed.
    fn push(&self) {
        let commit = self.repository.push();
        self.refresh();
        self.wait(&commit);
    }

    /// Tells Argo CD of a push, as a webhook would.
    fn refresh(&self) {
        let annotation = "argocd.argoproj.io/refresh=normal";
        self.world.kubectl(&["-n", "argocd", "annotate", "application", "streamforge", annotation, "--overwrite"]);
    }

    /// Waits until all is as a commit says, and healthy.
    fn wait(&self, commit: &str) {
        let began = Instant::now();
        let mut seen = BTreeMap::new();
        until_within("all Applications to be synced and healthy", PATIENCE, || {
            let applications = self.applications();
            for (name, application) in &applications {
                let (status, _) = stage(application);
                let now = format!("{status} {}", text(application, "/status/health/status"));
                if seen.insert(name.clone(), now.clone()) != Some(now.clone()) {
                    eprintln!("{:>6.1} s  {name} {now}", began.elapsed().as_secs_f64());
                }
            }
            let is_there = |application: &Value| {
                stage(application) == ("Synced".to_owned(), commit.to_owned())
                    && text(application, "/status/health/status") == "Healthy"
            };
            (applications.len() == PARTS.len() + 2 && applications.values().all(is_there)).then_some(())
        });
    }

    fn applications(&self) -> BTreeMap<String, Value> {
        let text = self.world.kubectl(&["-n", "argocd", "get", "applications.argoproj.io", "-o", "json"]);
        let list: Value = serde_json::from_str(&text).unwrap();
        list["items"].as_array().unwrap().iter().map(|item| (name(item), item.clone())).collect()
    }
}

impl Drop for Deployed {
    /// Nothing is deployed from Git any more; what is there stays, as the tests' own manifests say it.
    fn drop(&mut self) {
        let kubectl = self.world.cluster.kubectl();
        kubectl.run(&["-n", "argocd", "delete", "applications.argoproj.io", "--all", "--timeout=60s"]).ok();
        kubectl.apply(&self.world.manifests, &[]).ok();
    }
}

/// Adds a function to the repository as anybody would, and gives the node its image.
fn add_function(world: &World, repository: &Repository, name: &str) {
    let chore = release().join("xtask");
    repository.run(&[chore.to_str().unwrap(), "new-function", name]);
    // As the tests are built, so that nothing is compiled but what lies elsewhere now.
    let target = release().parent().unwrap().display().to_string();
    let build =
        ["build", "--quiet", "--locked", "--workspace", "--all-features", "--bin", name, "--target-dir", &target];
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    repository.run(&[&[cargo.as_str()], &build[..]].concat());
    let published = Published::all(&repository.path("")).unwrap();
    let function = published.iter().find(|published| published.program == name).unwrap();
    world.cluster.load(&function.image(&Path::new(&target).join("debug"), "unknown").unwrap()).unwrap();
    // As Strimzi would by its KafkaTopic.
    let topics = Manifests::read(&repository.path("")).unwrap().topics;
    let topic = topics.iter().find(|topic| topic.topic == name).unwrap();
    let bus = streamforge_bus::open(&world.bus()).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(bus.create_topic(name, &KafkaTopic::config(topic))).unwrap();
}

/// Sends the command for a task to a function, and waits until it says that it is done.
fn handles_an_event(world: &World, function: &str, task: &str) {
    let url = inbox(world, function);
    until("the event to be taken", || (dummy::post(&url, task, 10) == Some(202)).then_some(()));
    until_within("the event to be handled", PATIENCE, || (finished(world, task) == [task]).then_some(()));
}

fn inbox(world: &World, function: &str) -> String {
    format!("{}/streamforge/{function}", world.url("knative-eventing", "kafka-broker-ingress"))
}

/// Whether an Application is as its repository says, and at which commit.
fn stage(application: &Value) -> (String, String) {
    (text(application, "/status/sync/status"), text(application, "/status/sync/revision"))
}

fn name(object: &Value) -> String {
    text(object, "/metadata/name")
}

fn text(object: &Value, pointer: &str) -> String {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}
