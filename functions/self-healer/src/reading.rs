//! From objects of the API server to what is decided by; pure.
//!
//! # Source
//! <https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/>

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        batch::v1::Job as ApiJob,
        core::v1::{ContainerStatus, Pod as ApiPod, PodCondition},
    },
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use streamforge_events::Millis;

use crate::{
    reason::Reason,
    seen::{Job, JobState, Object, Pod, PodState},
};

/// The label by which KEDA says of which `ScaledJob` a Job is.
///
/// # Source
/// <https://github.com/kedacore/keda/blob/main/pkg/scaling/executor/scale_jobs.go>
const SCALED_JOB: &str = "scaledjob.keda.sh/name";

/// A host name is cut at this length.
///
/// # Source
/// <https://kubernetes.io/docs/concepts/workloads/pods/pod-hostname/>
const LONGEST_HOST: usize = 63;

/// A Job of one of our `ScaledJob`s; none for any other.
pub(crate) fn job(job: &ApiJob) -> Option<Job> {
    let program = job.metadata.labels.as_ref()?.get(SCALED_JOB)?.clone();
    let status = job.status.clone().unwrap_or_default();
    let ended = |kind: &str| {
        let mut conditions = status.conditions.iter().flatten();
        conditions.find(|condition| condition.type_ == kind && condition.status == "True")
    };
    let state = if job.metadata.deletion_timestamp.is_some() {
        JobState::Leaving
    } else if let Some(failed) = ended("Failed") {
        JobState::Failed { at: millis(failed.last_transition_time.as_ref()) }
    } else if ended("Complete").is_some() {
        JobState::Succeeded
    } else {
        JobState::Active
    };
    let created = millis(job.metadata.creation_timestamp.as_ref());
    Some(Job { object: object("Job", &job.metadata), program, created, state })
}

/// A pod, whoever it is of.
pub(crate) fn pod(pod: &ApiPod) -> Pod {
    let owners = pod.metadata.owner_references.iter().flatten();
    let job = owners.filter(|owner| owner.kind == "Job").map(|owner| owner.uid.clone()).next();
    let object = object("Pod", &pod.metadata);
    let host: String = object.name.chars().take(LONGEST_HOST).collect();
    let host = host.trim_end_matches(['-', '.']).to_owned();
    Pod { object, host, job, state: state(pod) }
}

fn state(pod: &ApiPod) -> PodState {
    if pod.metadata.deletion_timestamp.is_some() {
        return PodState::Leaving;
    }
    let status = pod.status.clone().unwrap_or_default();
    let container = status.container_statuses.as_deref().and_then(<[ContainerStatus]>::first);
    match status.phase.as_deref() {
        Some("Succeeded") => return PodState::Succeeded,
        Some("Failed") => {
            let words = container.and_then(last_words).or(status.message).or(status.reason);
            return PodState::Failed { words: words.unwrap_or_else(|| "its pod failed".to_owned()) };
        }
        _ => {}
    }
    let conditions: BTreeMap<&str, &PodCondition> =
        status.conditions.iter().flatten().map(|condition| (condition.type_.as_str(), condition)).collect();
    let created = millis(pod.metadata.creation_timestamp.as_ref());
    let scheduled = conditions.get("PodScheduled").filter(|condition| condition.status == "True");
    let Some(scheduled) = scheduled else {
        let words = conditions.get("PodScheduled").and_then(|condition| condition.message.clone());
        let words = words.unwrap_or_else(|| "no node was chosen for it".to_owned());
        let why = if words.contains("Insufficient ") { Reason::NoRoom } else { Reason::Unschedulable };
        return PodState::Waiting { since: created, why, words };
    };
    let since = millis(scheduled.last_transition_time.as_ref()).max(created);
    let has_place = conditions.get("PodReadyToStartContainers").is_some_and(|condition| condition.status == "True");
    let running = container.and_then(|container| container.state.as_ref()?.running.as_ref());
    if let Some(running) = running {
        return PodState::Running { since: millis(running.started_at.as_ref()).max(since) };
    }
    let waiting = container.and_then(|container| container.state.as_ref()?.waiting.as_ref());
    let reason = waiting.and_then(|waiting| waiting.reason.as_deref()).unwrap_or_default();
    let words = waiting.and_then(|waiting| waiting.message.clone());
    let (why, words) = match reason {
        "CrashLoopBackOff" => (Reason::CrashLoop, container.and_then(last_words).or(words)),
        "ErrImagePull"
        | "ImagePullBackOff"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "ImageInspectError"
        | "RegistryUnavailable" => (Reason::ImagePull, words),
        "" | "ContainerCreating" | "PodInitializing" if has_place => (Reason::SlowPull, words),
        _ => (Reason::NotCreated, words),
    };
    let words = match words {
        Some(words) => format!("{reason}: {words}"),
        None if reason.is_empty() => "its container is not made".to_owned(),
        None => reason.to_owned(),
    };
    PodState::Waiting { since, why, words }
}

/// How a container ended.
fn last_words(container: &ContainerStatus) -> Option<String> {
    let mut ended = [&container.state, &container.last_state].into_iter().flatten();
    let ended = ended.find_map(|state| state.terminated.as_ref())?;
    let mut words = format!("it ended with exit code {}", ended.exit_code);
    for more in [&ended.reason, &ended.message].into_iter().flatten().filter(|more| *more != "Error") {
        words = format!("{words}, {}", more.trim());
    }
    Some(words)
}

fn object(kind: &'static str, metadata: &ObjectMeta) -> Object {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    Object { kind, name: text(&metadata.name), uid: text(&metadata.uid) }
}

fn millis(time: Option<&Time>) -> Millis {
    time.map_or(0, |time| time.0.as_millisecond())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const CREATED: Millis = 1_760_000_000_000;

    fn read(status: &Value) -> PodState {
        let value = json!({
            "metadata": {"name": "gnn-trainer-x7k2p-9qz4d", "uid": "u", "creationTimestamp": "2025-10-09T08:53:20Z"},
            "spec": {"containers": []}, "status": status,
        });
        pod(&serde_json::from_value(value).unwrap()).state
    }

    /// A pod on a node, whose container is in this state.
    fn placed(phase: &str, container: &Value) -> Value {
        let conditions = json!([{
            "type": "PodScheduled", "status": "True", "lastTransitionTime": "2025-10-09T08:53:21Z",
        }]);
        let mut container = container.clone();
        for (field, value) in [
            ("name", json!("c")),
            ("image", json!("i")),
            ("imageID", json!("")),
            ("ready", json!(false)),
            ("restartCount", json!(0)),
        ] {
            container[field] = value;
        }
        json!({"phase": phase, "conditions": conditions, "containerStatuses": [container]})
    }

    fn waiting(status: &Value) -> (Reason, String, Millis) {
        match read(status) {
            PodState::Waiting { since, why, words } => (why, words, since - CREATED),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_pod_that_waits_says_for_what() {
        let state = |reason: &str, message: &str| {
            placed("Pending", &json!({"state": {"waiting": {"reason": reason, "message": message}}}))
        };
        for (reason, why) in [
            ("ImagePullBackOff", Reason::ImagePull),
            ("ErrImagePull", Reason::ImagePull),
            ("InvalidImageName", Reason::ImagePull),
            ("CreateContainerConfigError", Reason::NotCreated),
            ("ContainerCreating", Reason::NotCreated),
        ] {
            assert_eq!(waiting(&state(reason, "words")), (why, format!("{reason}: words"), 1_000));
        }
        let mut pulling = placed("Pending", &json!({"state": {"waiting": {"reason": "ContainerCreating"}}}));
        pulling["conditions"].as_array_mut().unwrap().push(json!({
            "type": "PodReadyToStartContainers", "status": "True",
        }));
        assert_eq!(waiting(&pulling), (Reason::SlowPull, "ContainerCreating".to_owned(), 1_000));
        let crashed = placed(
            "Running",
            &json!({
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
                "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
            }),
        );
        let words = "CrashLoopBackOff: it ended with exit code 137, OOMKilled".to_owned();
        assert_eq!(waiting(&crashed), (Reason::CrashLoop, words, 1_000));
    }

    #[test]
    fn a_pod_without_a_node_waits_for_room_or_for_ever() {
        let state = |message: &str| {
            json!({"phase": "Pending", "conditions": [
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message},
            ]})
        };
        let full = "0/2 nodes are available: 1 Insufficient nvidia.com/gpu, 1 node(s) had untolerated taint";
        assert_eq!(waiting(&state(full)), (Reason::NoRoom, full.to_owned(), 0));
        let none = "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.";
        assert_eq!(waiting(&state(none)), (Reason::Unschedulable, none.to_owned(), 0));
        assert_eq!(waiting(&json!({"phase": "Pending"})).0, Reason::Unschedulable);
    }

    #[test]
    fn a_pod_that_runs_or_ended_is_that() {
        let running = placed("Running", &json!({"state": {"running": {"startedAt": "2025-10-09T08:53:25Z"}}}));
        assert_eq!(read(&running), PodState::Running { since: CREATED + 5_000 });
        let failed = placed("Failed", &json!({"state": {"terminated": {"exitCode": 1, "reason": "Error"}}}));
        assert_eq!(read(&failed), PodState::Failed { words: "it ended with exit code 1".to_owned() });
        let evicted = json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on memory"});
        assert_eq!(read(&evicted), PodState::Failed { words: "The node was low on memory".to_owned() });
        assert_eq!(read(&json!({"phase": "Succeeded"})), PodState::Succeeded);
    }

    #[test]
    fn only_jobs_of_a_scaled_job_are_seen_and_told_apart() {
        let read = |labels: &Value, more: &Value, conditions: &Value| {
            let mut value = json!({
                "metadata": {"name": "gnn-trainer-x7k2p", "uid": "u", "labels": labels},
                "status": {"conditions": conditions},
            });
            for (field, content) in more.as_object().unwrap() {
                value["metadata"][field] = content.clone();
            }
            job(&serde_json::from_value(value).unwrap())
        };
        let ours = json!({SCALED_JOB: "gnn-trainer"});
        let ended =
            |kind: &str| json!([{"type": kind, "status": "True", "lastTransitionTime": "2025-10-09T08:53:20Z"}]);
        assert!(read(&json!({"app": "other"}), &json!({}), &json!([])).is_none());
        let state = |more: &Value, conditions: &Value| read(&ours, more, conditions).unwrap().state;
        assert_eq!(state(&json!({}), &json!([])), JobState::Active);
        assert_eq!(state(&json!({}), &ended("Complete")), JobState::Succeeded);
        assert_eq!(state(&json!({}), &ended("Failed")), JobState::Failed { at: CREATED });
        let leaving = json!({"deletionTimestamp": "2025-10-09T08:53:20Z"});
        assert_eq!(state(&leaving, &ended("Failed")), JobState::Leaving);
    }

    #[test]
    fn a_pod_calls_itself_by_its_name_as_far_as_a_host_name_goes() {
        let named = |name: &str| {
            let owner = json!([{"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "job-1"}]);
            pod(&serde_json::from_value(json!({"metadata": {"name": name, "ownerReferences": owner}})).unwrap())
        };
        assert_eq!(named("gnn-trainer-x7k2p-9qz4d").host, "gnn-trainer-x7k2p-9qz4d");
        assert_eq!(named(&format!("{}-x-y", "a".repeat(62))).host, "a".repeat(62));
        assert_eq!(named("a").job.as_deref(), Some("job-1"));
    }
}
