//! Jobs as real processes on a whole platform: from a command at the ingress over a `KafkaSink` to the job's reports.

mod one_task;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};
use streamforge_local::platform::{JobCounts, Places, Platform, PlatformConfig, Urls};
use tempfile::TempDir;

/// Name of the job in [`one_task`].
const JOB: &str = "one-task";

const MANIFESTS: &str = r#"
apiVersion: kafka.strimzi.io/v1
kind: KafkaTopic
metadata: {name: one-task, namespace: shop}
spec: {partitions: 3}
---
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata:
  name: queue-control
  namespace: shop
  annotations: {kafka.eventing.knative.dev/external.topic: queue-control}
---
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata:
  name: queue-events
  namespace: shop
  annotations: {kafka.eventing.knative.dev/external.topic: queue-events}
---
apiVersion: eventing.knative.dev/v1alpha1
kind: KafkaSink
metadata: {name: one-task, namespace: shop}
spec: {topic: one-task, contentMode: binary, bootstrapServers: ["kafka:9092"]}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: route-one-task, namespace: shop}
spec:
  broker: queue-control
  filters: [{exact: {target: one-task, type: io.streamforge.control.start.v1}}]
  subscriber: {ref: {apiVersion: eventing.knative.dev/v1alpha1, kind: KafkaSink, name: one-task}}
---
apiVersion: keda.sh/v1alpha1
kind: ScaledJob
metadata: {name: one-task, namespace: shop}
spec:
  pollingInterval: 1
  maxReplicaCount: 8
  rollout: {strategy: gradual}
  scalingStrategy: {strategy: accurate, pendingPodConditions: [Ready, PodScheduled]}
  jobTargetRef:
    template:
      spec:
        containers:
          - {name: one-task, image: "streamforge/one-task:1", env: [{name: STREAMFORGE_LOG, value: debug}]}
  triggers:
    - type: kafka
      metadata: {consumerGroup: one-task, topic: one-task, lagThreshold: "1", allowIdleConsumers: "true"}
"#;

struct Stage {
    folder: TempDir,
    platform: Platform,
}

impl Stage {
    async fn new(job_path: &Path, max_jobs: u32) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let manifests = folder.path().join("manifests");
        std::fs::create_dir_all(manifests.join("knative")).expect("it works on this machine");
        std::fs::write(manifests.join("knative/all.yaml"), MANIFESTS).expect("it works on this machine");
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let config = PlatformConfig {
            places: Places::new(&folder.path().join("data"), Urls::default()).expect("a folder's name"),
            manifests: Some(manifests),
            ingress: any,
            api: any,
            exchange: "synthetic:42".to_owned(),
            max_workers: None,
            job_path: Some(job_path.to_owned()),
            max_jobs: Some(max_jobs),
            program: Some(PathBuf::from(env!("CARGO_BIN_EXE_streamforge"))),
        };
        let platform = Platform::start(config).await.expect("the platform starts");
        Self { folder, platform }
    }

    /// Gives the command for a task to the ingress, as the engine does.
    async fn give(&self, task: &str, parameters: Value) {
        let queue_id = "wf-btcusdt-gnn_train-20240101-abc123";
        let command = json!({
            "command": "start", "queue_id": queue_id, "target": JOB, "type": "gnn_train", "task": task, "attempt": 1,
            "parameters": parameters,
        });
        let id = format!("{queue_id}/start/{task}/1");
        let url = format!("{}/shop/queue-control", self.platform.state().ingress_url);
        let request = reqwest::Client::builder().no_proxy().build().expect("it works on this machine").post(url);
        let headers = [
            ("ce-specversion", "1.0"),
            ("ce-id", id.as_str()),
            ("ce-source", "/streamforge/queue-manager"),
            ("ce-type", "io.streamforge.control.start.v1"),
            ("ce-target", JOB),
            ("ce-partitionkey", task),
            ("content-type", "application/json"),
        ];
        let request = headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        assert_eq!(
            request.body(command.to_string()).send().await.expect("it works on this machine").status().as_u16(),
            202
        );
    }

    /// Statuses of all reports, by task, in their order.
    async fn reports(&self) -> BTreeMap<String, Vec<Value>> {
        let mut reports: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for stored in
            self.platform.bus().read("queue-events", 0, 0, 1000, 1 << 20).await.expect("it works on this machine")
        {
            let report: Value = serde_json::from_slice(&stored.record.value).expect("a report is JSON");
            reports.entry(report["task"].as_str().expect("a report has it").to_owned()).or_default().push(report);
        }
        reports
    }

    async fn statuses(&self) -> BTreeMap<String, Vec<String>> {
        let status = |report: &Value| report["status"].as_str().expect("a report has it").to_owned();
        self.reports().await.into_iter().map(|(task, reports)| (task, reports.iter().map(status).collect())).collect()
    }

    fn counts(&self) -> JobCounts {
        self.platform.state().jobs[JOB]
    }

    async fn lag(&self) -> u64 {
        self.platform.bus().lag(JOB, JOB).await.expect("it works on this machine").iter().sum()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("data/logs/one-task.log")).unwrap_or_default()
    }

    /// Waits until a condition holds.
    async fn until(&self, what: &str, mut condition: impl AsyncFnMut(&Self) -> bool) {
        for _ in 0..600 {
            if condition(self).await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let (counts, lag, log) = (self.counts(), self.lag().await, self.log());
        panic!("never seen: {what}; {counts:?}, lag {lag}, {:?}, log:\n{log}", self.statuses().await);
    }
}

/// Puts the program of the job into a folder: it starts this test's own process as `one_task::process`.
fn build(folder: &Path) {
    let own = std::env::current_exe().expect("a test is a program");
    let arguments = "one_task::process --exact --ignored --nocapture --test-threads 2";
    write_program(folder, &format!("exec '{}' {arguments}", own.display()));
}

fn write_program(folder: &Path, line: &str) {
    let program = folder.join(JOB);
    std::fs::write(&program, format!("#!/bin/sh\n{line}\n")).expect("it works on this machine");
    std::fs::set_permissions(&program, <std::fs::Permissions as PermissionsExt>::from_mode(0o755))
        .expect("it works on this machine");
}

/// A folder with the program of the job.
fn built() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    build(folder.path());
    folder
}

#[tokio::test]
async fn every_task_is_one_run_and_runs_come_and_go_with_the_lag() {
    let programs = built();
    let stage = Stage::new(programs.path(), 2).await;
    assert_eq!(stage.counts(), JobCounts::default());
    let tasks: Vec<String> = (0..5).map(|number| format!("task-{number}")).collect();
    for task in &tasks {
        stage.give(task, json!({})).await;
    }
    stage.until("five ends", async |stage| stage.counts().done >= 5 && stage.lag().await == 0).await;
    let statuses = stage.statuses().await;
    for task in &tasks {
        assert_eq!(statuses[task], ["started", "finished"], "{task}");
    }
    stage.until("nobody", async |stage| stage.counts().pending + stage.counts().running == 0).await;
    assert_eq!(stage.counts().failed, 0);
    stage.platform.shutdown().await;
}

#[tokio::test]
async fn no_more_runs_than_are_allowed_and_a_shutdown_tells_them_to_leave_off() {
    let programs = built();
    let stage = Stage::new(programs.path(), 2).await;
    for task in ["first", "second", "third"] {
        stage.give(task, json!({"hold": true})).await;
    }
    stage.until("two at work", async |stage| stage.counts().running == 2 && stage.lag().await == 1).await;
    let started = stage.statuses().await;
    assert_eq!(started.len(), 2, "{started:?}");
    let bus = stage.platform.bus();
    let folder = stage.folder;
    stage.platform.shutdown().await;
    let records = bus.read("queue-events", 0, 0, 100, 1 << 20).await.unwrap();
    let ends = records.iter().filter(|record| String::from_utf8_lossy(&record.record.value).contains("interrupted"));
    assert_eq!(ends.count(), 2);
    drop(folder);
}

#[tokio::test]
async fn a_run_that_fails_after_its_claim_is_counted_and_told_of() {
    let programs = built();
    let stage = Stage::new(programs.path(), 1).await;
    stage.give("bad", json!({"exit_code": 3})).await;
    stage.give("good", json!({})).await;
    stage.until("both ended", async |stage| stage.counts().failed == 1 && stage.counts().done == 1).await;
    assert_eq!(stage.statuses().await["bad"], ["started", "interrupted"]);
    assert_eq!(stage.statuses().await["good"], ["started", "finished"]);
    stage.platform.shutdown().await;
}

#[tokio::test]
async fn without_its_program_every_task_ends_with_words_that_say_what_to_build() {
    let empty = tempfile::tempdir().unwrap();
    let stage = Stage::new(empty.path(), 1).await;
    for task in ["one", "two"] {
        stage.give(task, json!({})).await;
    }
    stage.until("two errors", async |stage| stage.reports().await.len() == 2 && stage.lag().await == 0).await;
    for reports in stage.reports().await.values() {
        assert_eq!((reports.len(), &reports[0]["status"], &reports[0]["finished"]), (1, &json!("error"), &json!(true)));
        let words = reports[0]["error_message"].as_str().unwrap();
        assert!(
            words.contains("cargo build -p one-task") && words.contains(&*empty.path().to_string_lossy()),
            "{words}"
        );
    }
    // Built meanwhile, it is found.
    build(empty.path());
    stage.give("three", json!({})).await;
    stage.until("the third one", async |stage| stage.counts().done == 1).await;
    assert_eq!(stage.statuses().await["three"], ["started", "finished"]);
    stage.platform.shutdown().await;
}

#[tokio::test]
async fn a_program_that_dies_before_it_takes_its_task_is_given_up_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    write_program(folder.path(), "echo 'libtorch.so is not there' >&2; exit 127");
    let stage = Stage::new(folder.path(), 1).await;
    stage.give("lost", json!({})).await;
    stage.until("an error", async |stage| stage.reports().await.contains_key("lost")).await;
    let words = stage.reports().await["lost"][0]["error_message"].as_str().unwrap().to_owned();
    assert!(words.contains("exit status: 127") && words.contains("one-task.log"), "{words}");
    assert_eq!((stage.counts().failed, stage.log().matches("libtorch.so").count()), (3, 3));
    stage.platform.shutdown().await;
}
