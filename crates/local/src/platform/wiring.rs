//! From manifests to the workers of each function: who scales what, and which program that is.

use std::time::Duration;

use queue_manager::ApiService;
use streamforge_function::Function as _;
use visualizer::Visualizer;

use crate::{
    manifest::{Container, LivenessProbe, Manifests, ObjectName, ScaledJob, ScaledObject, Service, Workload},
    scaler::{JobRules, Rules},
};

/// A function whose workers the platform starts and stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WiredFunction {
    /// The function's name.
    pub(super) name: String,
    /// The Service that events are sent to.
    pub(super) service: ObjectName,
    /// What the container's manifest sets.
    pub(super) environment: Vec<(String, String)>,
    /// How to notice that a worker hangs.
    pub(super) liveness: Option<LivenessProbe>,
    /// How many workers there are.
    pub(super) scale: Scale,
}

/// A job whose runs the platform starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WiredJob {
    /// Namespace and name.
    pub(super) name: ObjectName,
    /// Name of its program: that of its image, or of its container.
    pub(super) program: String,
    /// Its arguments.
    pub(super) arguments: Vec<String>,
    /// What the container's manifest sets.
    pub(super) environment: Vec<(String, String)>,
    /// Variables that the container's manifest names, with a value or without.
    pub(super) variables: Vec<String>,
    /// How many runs there are.
    pub(super) rules: JobRules,
    /// The longest time between two looks at the lag.
    pub(super) polling_interval: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scale {
    /// As many as the lag asks for.
    OnLag { rules: Rules, polling_interval: Duration },
    /// Always the same number: a workload that no `ScaledObject` targets.
    Fixed(u32),
}

/// Looks after what Kubernetes runs; here the supervisor does.
const HEALER: &str = "self-healer";

/// Finds the functions among `known` that the manifests deploy, and says what is left out.
pub(super) fn wire(manifests: &Manifests, known: &[&str]) -> (Vec<WiredFunction>, Vec<String>) {
    let mut functions = Vec::new();
    let mut warnings = Vec::new();
    for workload in &manifests.workloads {
        if [ApiService::NAME, Visualizer::NAME, HEALER].contains(&workload.name.name.as_str()) {
            // The platform serves the API and the pages itself, and replaces runs of jobs itself.
            continue;
        }
        let Some(name) = function_name(workload, known) else {
            warnings
                .push(format!("{} {} is no function of this binary; it is not started", workload.kind, workload.name));
            continue;
        };
        let Some(service) = service_of(manifests, workload) else {
            warnings.push(format!("no Service selects {} {}; it is not started", workload.kind, workload.name));
            continue;
        };
        functions.push(WiredFunction {
            name: name.to_owned(),
            service: service.name.clone(),
            environment: workload.containers.first().map(literal_environment).unwrap_or_default(),
            liveness: workload.containers.first().and_then(|container| container.liveness.clone()),
            scale: scale(manifests, workload),
        });
    }
    for scaled in &manifests.scaled_objects {
        let has_target = manifests.workloads.iter().any(|workload| is_target(scaled, workload));
        if !has_target {
            let (kind, target) = (&scaled.target.kind, &scaled.target.name);
            warnings.push(format!("ScaledObject {}: {kind} {target} is not run here", scaled.name));
        }
    }
    (functions, warnings)
}

/// The jobs that the manifests describe.
pub(super) fn jobs(manifests: &Manifests) -> Vec<WiredJob> {
    let wired = |job: &ScaledJob| {
        let container = job.containers.first()?;
        let image = container.image.as_deref().map(program_of);
        Some(WiredJob {
            name: job.name.clone(),
            program: image.unwrap_or(&container.name).to_owned(),
            arguments: container.args.clone(),
            environment: literal_environment(container),
            variables: container.env.iter().map(|(name, _)| name.clone()).collect(),
            rules: JobRules::from(job),
            polling_interval: job.polling_interval,
        })
    };
    manifests.scaled_jobs.iter().filter_map(wired).collect()
}

/// The last part of an image's name, without tag and digest.
fn program_of(image: &str) -> &str {
    let name = image.rsplit('/').next().unwrap_or(image);
    name.split(['@', ':']).next().unwrap_or(name)
}

fn is_target(scaled: &ScaledObject, workload: &Workload) -> bool {
    scaled.target.kind == workload.kind && scaled.target.name == workload.name
}

fn scale(manifests: &Manifests, workload: &Workload) -> Scale {
    match manifests.scaled_objects.iter().find(|scaled| is_target(scaled, workload)) {
        Some(scaled) => Scale::OnLag { rules: Rules::from(scaled), polling_interval: scaled.polling_interval },
        None => Scale::Fixed(workload.replicas.unwrap_or(1)),
    }
}

fn service_of<'a>(manifests: &'a Manifests, workload: &Workload) -> Option<&'a Service> {
    manifests
        .services
        .iter()
        .find(|service| manifests.workload_behind(service).is_some_and(|selected| selected.name == workload.name))
}

/// Tells which function a workload runs: by `function NAME` in its arguments, else by a container's name, else by
/// its own.
fn function_name<'a>(workload: &Workload, known: &[&'a str]) -> Option<&'a str> {
    let argued = workload.containers.iter().filter_map(argued_name);
    let named = workload.containers.iter().map(|container| container.name.as_str());
    let mut candidates = argued.chain(named).chain([workload.name.name.as_str()]);
    candidates.find_map(|candidate| known.iter().copied().find(|name| *name == candidate))
}

fn argued_name(container: &Container) -> Option<&str> {
    let words = || container.command.iter().chain(&container.args);
    let position = words().position(|word| word == "function")?;
    words().nth(position + 1).map(String::as_str)
}

/// Variables with a value in the manifest; others come from secrets that a laptop does not have.
fn literal_environment(container: &Container) -> Vec<(String, String)> {
    container.env.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FUNCTION: &str = "
apiVersion: v1
kind: Service
metadata: {name: loader, namespace: streamforge}
spec: {selector: {app: loader}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: loader, namespace: streamforge}
spec:
  template:
    metadata: {labels: {app: loader, tier: data}}
    spec:
      containers:
        - name: loader
          image: streamforge/loader:v1
          livenessProbe: {httpGet: {path: /health/live, port: 8080}, periodSeconds: 5}
          env: [{name: STREAMFORGE_DEADLINE, value: 60s}, {name: TOKEN, valueFrom: {secretKeyRef: {name: t, key: t}}}]
";
    const SCALED: &str = "
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: loader, namespace: streamforge}
spec:
  scaleTargetRef: {name: loader}
  pollingInterval: 2
  maxReplicaCount: 4
  triggers:
    - type: kafka
      metadata: {consumerGroup: knative-trigger-streamforge-loader, topic: loader, lagThreshold: \"5\"}
";

    fn wired(texts: &[&str], known: &[&str]) -> (Vec<WiredFunction>, Vec<String>) {
        let names: Vec<String> = (0..texts.len()).map(|index| format!("{index}.yaml")).collect();
        let files = names.iter().map(String::as_str).zip(texts.iter().copied());
        wire(&Manifests::parse(files).unwrap(), known)
    }

    #[test]
    fn a_scaled_object_leads_to_a_function_and_its_service() {
        let (functions, warnings) = wired(&[FUNCTION, SCALED], &["loader"]);
        assert_eq!(warnings, Vec::<String>::new());
        let [function] = &functions[..] else { panic!("{functions:?}") };
        assert_eq!((function.name.as_str(), &function.service), ("loader", &ObjectName::new("streamforge", "loader")));
        assert_eq!(function.environment, [("STREAMFORGE_DEADLINE".to_owned(), "60s".to_owned())]);
        let second = std::time::Duration::from_secs(1);
        let liveness = LivenessProbe {
            path: "/health/live".to_owned(),
            period: 5 * second,
            timeout: second,
            failure_threshold: 3,
        };
        assert_eq!(function.liveness, Some(liveness));
        let Scale::OnLag { rules, polling_interval } = &function.scale else { panic!("{function:?}") };
        assert_eq!((rules.max, rules.triggers[0].lag_threshold, polling_interval.as_secs()), (4, 5, 2));
    }

    #[test]
    fn a_rollout_is_scaled_by_the_object_that_names_its_kind() {
        let rollout = FUNCTION.replace("apps/v1", "argoproj.io/v1alpha1").replace("kind: Deployment", "kind: Rollout");
        let named = SCALED.replace("{name: loader}\n  polling", "{kind: Rollout, name: loader}\n  polling");
        let (functions, warnings) = wired(&[&rollout, &named], &["loader"]);
        assert_eq!(warnings, Vec::<String>::new());
        assert!(matches!(functions[0].scale, Scale::OnLag { .. }), "{functions:?}");
        let (functions, warnings) = wired(&[&rollout, SCALED], &["loader"]);
        assert_eq!(functions[0].scale, Scale::Fixed(1));
        assert_eq!(warnings, ["ScaledObject streamforge/loader: Deployment streamforge/loader is not run here"]);
    }

    #[test]
    fn a_deployment_without_a_scaled_object_keeps_its_replicas() {
        let (functions, _) = wired(&[FUNCTION], &["loader"]);
        assert_eq!(functions[0].scale, Scale::Fixed(1));
    }

    #[test]
    fn arguments_name_the_function_of_a_shared_image() {
        let shared = FUNCTION.replace("image: streamforge/loader:v1", "args: [function, graph-builder]");
        let (functions, _) = wired(&[&shared], &["loader", "graph-builder"]);
        assert_eq!(functions[0].name, "graph-builder");
    }

    #[test]
    fn a_job_is_the_program_of_its_image() {
        let job = |image: &str| {
            let text = format!(
                "
apiVersion: keda.sh/v1alpha1
kind: ScaledJob
metadata: {{name: training, namespace: streamforge}}
spec:
  pollingInterval: 5
  maxReplicaCount: 2
  scalingStrategy: {{strategy: accurate}}
  jobTargetRef:
    template:
      spec:
        containers:
          - name: trainer
            {image}
            args: [--fast]
            env: [{{name: A, value: b}}, {{name: TOKEN, valueFrom: {{secretKeyRef: {{name: t, key: t}}}}}}]
  triggers: [{{type: kafka, metadata: {{consumerGroup: training, topic: training, lagThreshold: \"1\"}}}}]
"
            );
            jobs(&Manifests::parse([("job.yaml", text.as_str())]).unwrap()).remove(0)
        };
        for image in ["streamforge/gnn:0.1.0", "host:5000/x/gnn@sha256:abc", "gnn"] {
            assert_eq!(job(&format!("image: {image}")).program, "gnn", "{image}");
        }
        let job = job("tty: false");
        assert_eq!((job.program.as_str(), &*job.arguments), ("trainer", &["--fast".to_owned()][..]));
        assert_eq!((job.environment.len(), job.variables.len(), job.rules.max), (1, 2, 2));
    }

    #[test]
    fn what_looks_after_kubernetes_is_passed_over() {
        let healer = FUNCTION.replace("loader", HEALER);
        assert_eq!(wired(&[&healer], &["loader"]), (vec![], vec![]));
    }

    #[test]
    fn what_is_not_ours_is_said_and_left_out() {
        let (functions, warnings) = wired(&[FUNCTION, SCALED], &["another"]);
        assert_eq!((functions.len(), warnings.len()), (0, 1), "{warnings:?}");
        let (functions, warnings) = wired(&[SCALED], &["loader"]);
        assert_eq!((functions.len(), warnings.len()), (0, 1), "{warnings:?}");
        let without_service = FUNCTION.replace("selector: {app: loader}", "selector: {app: other}");
        let (functions, warnings) = wired(&[&without_service], &["loader"]);
        assert_eq!((functions.len(), warnings.len()), (0, 1), "{warnings:?}");
    }
}
