//! Jobs: each gets its tasks in a topic of its own, survives a change of its manifest, and runs in a pod as restricted as
//! the functions'.

use serde_json::{Value, json};
use streamforge_events::EventType;
use streamforge_function::{VARIABLES, job};
use streamforge_local::{
    manifest::{Destination, JobStrategy, Manifests, ScaledJob},
    message::Message,
};

use crate::{
    assert_finds, assert_sound,
    tree::{Object, Tree},
};

/// The job that computes on a GPU.
const TRAINER: &str = "gnn-trainer";
const POD: &str = "/spec/jobTargetRef/template/spec";
const CONTAINER: &str = "/spec/jobTargetRef/template/spec/containers/0";

#[test]
fn jobs_get_their_tasks_and_keep_their_runs() {
    assert_sound(problems);
}

#[test]
fn a_job_without_tasks_or_with_runs_in_danger_is_found() {
    let file = "scaledobjects/gnn-trainer.yaml";
    let route = "triggers/gnn-trainer.yaml";
    assert_finds(
        problems,
        &[
            (route, "target: gnn-trainer", "target: gnn-train", "control.start"),
            (route, "control.start", "control.ping", "control.start"),
            (route, ", type: io.streamforge.control.start.v1", "", "control.stop"),
            (file, "        topic: gnn-trainer", "        topic: graph-builder", "KafkaSink"),
            ("knative/gnn-trainer.yaml", "topic: gnn-trainer", "topic: workflows", "KafkaSink"),
            (file, "consumerGroup: gnn-trainer", "consumerGroup: trainer", "group"),
            (file, "    strategy: gradual\n", "", "gradual"),
            (file, "    strategy: accurate", "    strategy: default", "accurate"),
            (file, "[Ready, PodScheduled]", "[PodScheduled]", "pendingPodConditions"),
            (file, "            readinessProbe:", "            startupProbe:", "readinessProbe"),
            (file, "path: /health/ready, port: http", "path: /health/live, port: http", "readinessProbe"),
            (file, "value: \"8080\"", "value: \"8081\"", "readinessProbe"),
            (file, "allowIdleConsumers: \"true\"", "allowIdleConsumers: \"false\"", "allowIdleConsumers"),
            (file, "scaleToZeroOnInvalidOffset: \"false\"", "scaleToZeroOnInvalidOffset: \"true\"", "first task"),
            (file, "restartPolicy: Never", "restartPolicy: OnFailure", "restartPolicy"),
            (file, "activeDeadlineSeconds: 86400", "ttlSecondsAfterFinished: 86400", "activeDeadlineSeconds"),
            (file, "values: [64]", "values: [65]", "64"),
            (file, "type: DisruptionTarget", "type: Disruption", "DisruptionTarget"),
            (file, "nvidia.com/gpu: 1", "nvidia.com/gpu: 2", "gpu"),
            (file, "key: nvidia.com/gpu,", "key: gpu,", "toleration"),
            (file, "safe-to-evict: \"false\"", "safe-to-evict: \"true\"", "safe-to-evict"),
            (file, "do-not-disrupt: \"true\"", "do-not-disrupt: \"false\"", "do-not-disrupt"),
            (file, "runAsNonRoot: true", "runAsNonRoot: false", "runAsNonRoot"),
            (file, "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "readOnlyRootFilesystem"),
            (file, "image: streamforge/gnn-trainer:0.1.0", "image: streamforge/trainer:0.1.0", "image"),
            (file, "name: STREAMFORGE_STORE_URL", "name: STREAMFORGE_STORE", "STREAMFORGE_STORE"),
            (file, "name: streamforge-environment", "name: environment", "ConfigMap"),
            (file, "claimName: streamforge-data", "claimName: data", "PersistentVolumeClaim"),
        ],
    );
}

pub(crate) fn problems(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    for wired in &tree.manifests.scaled_jobs {
        let object = tree.of_kind("ScaledJob").find(|object| object.name() == wired.name.name);
        let object = object.expect("what was read typed is there as it stands");
        let mut found = tasks(wired, &tree.manifests);
        found.extend(counting(wired, object));
        found.extend(fields(object));
        found.extend(pod(tree, object));
        problems.extend(found.into_iter().map(|problem| format!("ScaledJob {}: {problem}", wired.name)));
    }
    problems
}

/// The commands for the job, and no other events, come to the topic that it follows.
fn tasks(wired: &ScaledJob, manifests: &Manifests) -> Vec<String> {
    let name = &wired.name.name;
    let [lag] = wired.triggers.as_slice() else { return vec!["it does not follow just one lag".to_owned()] };
    let mut found = Vec::new();
    if lag.consumer_group != *name {
        found.push(format!("its group is {} and not {name}, which the program reads as", lag.consumer_group));
    }
    let is_its = |topic: &str| Some(topic) == lag.topic.as_deref();
    let sinks: Vec<_> = manifests.sinks.iter().filter(|sink| is_its(&sink.topic)).collect();
    if sinks.is_empty() || manifests.brokers.iter().any(|broker| is_its(&broker.topic)) {
        found.push(format!("its topic {:?} is not behind a KafkaSink alone", lag.topic));
    }
    for kind in EventType::ALL {
        let mut message = Message::default();
        message.set("type", kind.as_str());
        message.set("target", name);
        let comes = manifests.triggers.iter().any(|trigger| {
            let goes_there = matches!(&trigger.subscriber,
                Destination::KafkaSink(sink) if sinks.iter().any(|known| known.name == *sink));
            goes_there && trigger.broker.name == kind.topic().as_str() && trigger.filter.matches(&message)
        });
        if comes != (kind == EventType::ControlStart) {
            found.push(format!("{kind} {}", if comes { "comes to it and is no task" } else { "does not come to it" }));
        }
    }
    found
}

/// A run takes one record, commits it, and is counted as pending until then.
fn counting(wired: &ScaledJob, object: &Object) -> Vec<String> {
    let mut found = Vec::new();
    if wired.strategy != JobStrategy::Accurate {
        found.push("its strategy is not accurate: what a run has taken has left the lag".to_owned());
    }
    for lag in &wired.triggers {
        if lag.lag_threshold != 1 || !lag.allow_idle_consumers {
            found.push("not one run for each record: lagThreshold 1 and allowIdleConsumers".to_owned());
        }
    }
    let metadata = object.at("/spec/triggers/0/metadata");
    if metadata["offsetResetPolicy"] != "earliest" || metadata["scaleToZeroOnInvalidOffset"] != "false" {
        found.push("a group without a commit has no lag: the first task starts nothing".to_owned());
    }
    let conditions = object.list("/spec/scalingStrategy/pendingPodConditions");
    if !conditions.contains(&json!("Ready")) {
        found.push("pendingPodConditions do not wait for Ready".to_owned());
    }
    let told = object.list(&format!("{CONTAINER}/env")).iter().find(|entry| entry["name"] == job::SETTINGS[1].name);
    let probe = object.at(&format!("{CONTAINER}/readinessProbe/httpGet"));
    let ports = object.list(&format!("{CONTAINER}/ports"));
    let probed = ports.iter().find(|port| port["name"] == probe["port"]).map(|port| port["containerPort"].to_string());
    let is_asked = probed.is_some() && probed.as_deref() == told.and_then(|entry| entry["value"].as_str());
    if !is_asked || probe["path"] != "/health/ready" {
        found.push("its readinessProbe does not ask the job whether it has taken its task".to_owned());
    }
    found
}

/// What must stand as it stands.
fn fields(object: &Object) -> Vec<String> {
    let expected: [(&str, Value); 10] = [
        ("/spec/rollout/strategy", json!("gradual")),
        ("/spec/jobTargetRef/parallelism", json!(1)),
        ("/spec/jobTargetRef/completions", json!(1)),
        ("/spec/jobTargetRef/template/spec/restartPolicy", json!("Never")),
        ("/spec/jobTargetRef/template/spec/automountServiceAccountToken", json!(false)),
        ("/spec/jobTargetRef/template/spec/securityContext/runAsNonRoot", json!(true)),
        ("/spec/jobTargetRef/template/spec/securityContext/seccompProfile/type", json!("RuntimeDefault")),
        ("/spec/jobTargetRef/template/spec/containers/0/securityContext/allowPrivilegeEscalation", json!(false)),
        ("/spec/jobTargetRef/template/spec/containers/0/securityContext/readOnlyRootFilesystem", json!(true)),
        ("/spec/jobTargetRef/template/spec/containers/0/securityContext/capabilities/drop", json!(["ALL"])),
    ];
    let unmet = expected.into_iter().filter(|(pointer, value)| object.at(pointer) != value);
    let mut found: Vec<String> = unmet.map(|(pointer, value)| format!("{pointer} is not {value}")).collect();
    let annotations = object.at("/spec/jobTargetRef/template/metadata/annotations");
    for (name, value) in
        [("cluster-autoscaler.kubernetes.io/safe-to-evict", "false"), ("karpenter.sh/do-not-disrupt", "true")]
    {
        if annotations[name] != value {
            found.push(format!("its pods may be moved: {name} is not {value}"));
        }
    }
    if object.at("/spec/jobTargetRef/activeDeadlineSeconds").as_u64().is_none() {
        found.push("a run that hangs is never ended: no activeDeadlineSeconds".to_owned());
    }
    let rules = object.list("/spec/jobTargetRef/podFailurePolicy/rules");
    let ignores = |rule: &Value| rule["action"] == "Ignore" && rule["onPodConditions"][0]["type"] == "DisruptionTarget";
    if !rules.iter().any(ignores) {
        found.push("an eviction counts as a failure: no rule ignores DisruptionTarget".to_owned());
    }
    let fails = |rule: &Value| rule["action"] == "FailJob" && rule["onExitCodes"]["values"] == json!([64]);
    if !rules.iter().any(fails) {
        found.push("bad configuration is tried again: no rule fails a Job at exit code 64".to_owned());
    }
    found
}

/// The one that computes has a GPU, and is let onto the nodes that have one.
fn accelerated(object: &Object) -> Vec<String> {
    let mut found = Vec::new();
    let tolerations = object.list(&format!("{POD}/tolerations"));
    if !tolerations.iter().any(|toleration| toleration["key"] == "nvidia.com/gpu") {
        found.push("no toleration lets it onto nodes with a GPU".to_owned());
    }
    if *object.at(&format!("{CONTAINER}/resources/limits/nvidia.com~1gpu")) != json!(1) {
        found.push("it does not ask for one gpu".to_owned());
    }
    found
}

fn pod(tree: &Tree, object: &Object) -> Vec<String> {
    let mut found = Vec::new();
    if object.name() == TRAINER {
        found.extend(accelerated(object));
    }
    let image = format!("streamforge/{}:{}", object.name(), env!("CARGO_PKG_VERSION"));
    if object.text(&format!("{CONTAINER}/image")) != image {
        found.push(format!("its image is not {image}"));
    }
    let own = object.list(&format!("{CONTAINER}/env")).iter().filter_map(|variable| variable["name"].as_str());
    let mut variables: Vec<&str> = own.collect();
    for source in object.list(&format!("{CONTAINER}/envFrom")) {
        match tree.of_kind("ConfigMap").find(|map| source["configMapRef"]["name"] == map.name()) {
            Some(map) => variables.extend(map.keys("/data")),
            None => found.push(format!("its ConfigMap {source} is not there")),
        }
    }
    let is_read = |name: &str| VARIABLES.iter().chain(job::SETTINGS).any(|setting| setting.name == name);
    let unread = variables.into_iter().filter(|name| !is_read(name));
    found.extend(unread.map(|name| format!("it is told {name}, which no job reads")));
    let is_sound = |volume: &&Value| {
        let claims = &volume["persistentVolumeClaim"]["claimName"];
        volume.get("emptyDir").is_some() || tree.of_kind("PersistentVolumeClaim").any(|claim| *claims == claim.name())
    };
    let unclaimed = object.list(&format!("{POD}/volumes")).iter().filter(|volume| !is_sound(volume));
    found.extend(unclaimed.map(|volume| format!("its volume {} is no PersistentVolumeClaim of ours", volume["name"])));
    found
}
