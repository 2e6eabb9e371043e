//! The API server: what it lists, what is deleted there, and what is said there.

use k8s_openapi::{
    api::{
        batch::v1::Job as ApiJob,
        core::v1::{ObjectReference, Pod as ApiPod},
        events::v1::Event,
    },
    apimachinery::pkg::apis::meta::v1::MicroTime,
    jiff::Timestamp,
};
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, ObjectMeta, PostParams, Preconditions, Resource as _},
};
use streamforge_events::{Millis, digest, hex};

use crate::{
    error::Error,
    plan::{Finding, Remedy},
    reading,
    seen::{Job, Object, Pod},
};

/// Whose Jobs and pods are looked at.
const OURS: &str = "app.kubernetes.io/part-of=streamforge";
/// Who speaks.
const CONTROLLER: &str = "streamforge.io/self-healer";
/// Longest note of an event.
///
/// # Units
/// Bytes.
///
/// # Source
/// <https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/>
const LONGEST_NOTE: usize = 1024;
/// Longest prefix of an event's name, which is that of its object and a digest.
const LONGEST_PREFIX: usize = 200;

/// Our namespace of the cluster.
#[derive(Clone)]
pub(crate) struct Cluster {
    jobs: Api<ApiJob>,
    pods: Api<ApiPod>,
    events: Api<Event>,
    namespace: String,
    instance: String,
}

impl Cluster {
    /// The namespace of the client's account; `instance` is the process that speaks.
    pub(crate) fn new(client: &Client, instance: &str) -> Self {
        Self {
            jobs: Api::default_namespaced(client.clone()),
            pods: Api::default_namespaced(client.clone()),
            events: Api::default_namespaced(client.clone()),
            namespace: client.default_namespace().to_owned(),
            instance: instance.to_owned(),
        }
    }

    /// Jobs of our `ScaledJob`s, and all our pods.
    pub(crate) async fn objects(&self) -> Result<(Vec<Job>, Vec<Pod>), Error> {
        let ours = ListParams::default().labels(OURS);
        // Pods first: a pod whose Job is not known is left alone.
        let pods = self.pods.list(&ours).await.map_err(failed("list pods"))?;
        let jobs = self.jobs.list(&ours).await.map_err(failed("list Jobs"))?;
        Ok((jobs.iter().filter_map(reading::job).collect(), pods.iter().map(reading::pod).collect()))
    }

    /// Deletes a Job and then its pods; one that is gone, or another of its name, is as good as deleted.
    pub(crate) async fn delete(&self, job: &Object) -> Result<(), Error> {
        let same = Preconditions { uid: Some(job.uid.clone()), ..Preconditions::default() };
        let parameters = DeleteParams::foreground().preconditions(same);
        match self.jobs.delete(&job.name, &parameters).await {
            Err(error) if !is_refused_with(&error, &[404, 409]) => Err(failed("delete a Job")(error)),
            _ => Ok(()),
        }
    }

    /// Says what was found and done; the same is said once.
    pub(crate) async fn say(&self, finding: &Finding, now: Millis) -> Result<(), Error> {
        let event = self.event(finding, now);
        match self.events.create(&PostParams::default(), &event).await {
            Err(error) if !is_refused_with(&error, &[409]) => Err(failed("take an event")(error)),
            _ => Ok(()),
        }
    }

    fn event(&self, finding: &Finding, now: Millis) -> Event {
        let Finding { reason, about, words, remedy } = finding;
        let (action, api_version) = match remedy {
            Remedy::Say => ("Noticed", api_version(about)),
            Remedy::Replace { .. } => ("Replaced", api_version(about)),
            Remedy::Repeat { .. } => ("Repeated", api_version(about)),
            Remedy::GiveUp { .. } => ("GaveUp", api_version(about)),
        };
        let name = hex(&digest(&[about.uid.as_str(), reason.as_str(), action, words]));
        let mut note = words.clone();
        note.truncate(words.floor_char_boundary(LONGEST_NOTE));
        Event {
            metadata: ObjectMeta {
                name: Some(format!("{}.{}", cut(&about.name), &name[..16])),
                namespace: Some(self.namespace.clone()),
                ..ObjectMeta::default()
            },
            event_time: Some(MicroTime(Timestamp::from_millisecond(now).unwrap_or_default())),
            reporting_controller: Some(CONTROLLER.to_owned()),
            reporting_instance: Some(self.instance.clone()),
            action: Some(action.to_owned()),
            reason: Some(reason.as_str().to_owned()),
            type_: Some("Warning".to_owned()),
            note: Some(note),
            regarding: Some(ObjectReference {
                api_version: Some(api_version),
                kind: Some(about.kind.to_owned()),
                name: Some(about.name.clone()),
                namespace: Some(self.namespace.clone()),
                uid: Some(about.uid.clone()).filter(|uid| !uid.is_empty()),
                ..ObjectReference::default()
            }),
            ..Event::default()
        }
    }
}

fn api_version(object: &Object) -> String {
    if object.kind == "Job" { ApiJob::api_version(&()) } else { ApiPod::api_version(&()) }.into_owned()
}

fn cut(name: &str) -> &str {
    name[..name.floor_char_boundary(LONGEST_PREFIX)].trim_end_matches(['-', '.'])
}

fn failed(what: &'static str) -> impl FnOnce(kube::Error) -> Error {
    move |error| Error::Cluster(what, Box::new(error))
}

fn is_refused_with(error: &kube::Error, codes: &[u16]) -> bool {
    matches!(error, kube::Error::Api(status) if codes.contains(&status.code))
}
