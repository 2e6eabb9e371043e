//! The loop that makes what the API server says true: serves Brokers, runs dispatchers, writes status.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use kube::{
    Api, Client,
    api::{DynamicObject, Patch, PatchParams},
};
use serde_json::{Value, json};
use streamforge_bus::Bus;
use streamforge_events::rfc3339;
use streamforge_local::{
    dispatcher::{Dispatcher, Options, Subscription},
    endpoints::Endpoints,
    ingress::{self, Topics},
    manifest::ObjectName,
    metrics::{self, Metrics},
};
use tokio::{net::TcpListener, sync::Notify, task::JoinHandle, time::sleep};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    objects::{Kind, Objects, Watched},
    plan::{Delivery, Plan, Verdict, plan},
    status::{is_same, status},
};

/// Who writes the status, as the API server notes it.
const MANAGER: &str = "streamforge-data-plane";
/// How often everything is looked at though nothing has changed: topics come without the API server knowing.
const RESYNC: Duration = Duration::from_secs(10);
/// Changes that follow each other closely are looked at together.
const SETTLING: Duration = Duration::from_millis(200);
/// Wait before a group that could not be joined is tried again.
const REJOIN: Duration = Duration::from_secs(1);

/// What the data plane works with.
pub struct Settings {
    /// The API server.
    pub client: Client,
    /// The event log.
    pub bus: Arc<dyn Bus>,
    /// Where events are taken.
    pub listener: TcpListener,
    /// Where metrics are asked for.
    pub metrics_listener: TcpListener,
    /// The URL under which others reach that.
    pub ingress: String,
    /// How events are sent to subscribers.
    pub http: reqwest::Client,
    /// A name of this replica that outlives it, if it has one.
    pub instance: Option<String>,
}

/// A Trigger's dispatcher at work.
struct Running {
    fingerprint: String,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

struct Control {
    client: Client,
    bus: Arc<dyn Bus>,
    ingress: String,
    topics: Topics,
    http: reqwest::Client,
    options: Options,
    running: BTreeMap<ObjectName, Running>,
}

/// Serves and delivers until it is stopped; then lets requests in flight end and commits.
pub async fn run(settings: Settings, stop: CancellationToken) {
    let Settings { client, bus, listener, metrics_listener, ingress, http, instance } = settings;
    let topics = Topics::default();
    let metrics = Metrics::default();
    let scraped = metrics::router(Arc::clone(&bus), metrics.clone());
    let scraped = tokio::spawn(axum::serve(metrics_listener, scraped).into_future());
    let router = ingress::router(Arc::clone(&bus), topics.clone(), metrics.clone());
    let serving = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
    let serving = tokio::spawn(serving.into_future());
    let changed = Arc::new(Notify::new());
    let watched = Watched::start(&client, &changed);
    let options = Options { instance, metrics, ..Options::default() };
    let mut control = Control { client, bus, ingress, topics, http, options, running: BTreeMap::new() };
    tokio::select! {
        () = stop.cancelled() => {}
        () = watched.wait() => {}
    }
    while !stop.is_cancelled() {
        control.look(&watched.objects()).await;
        tokio::select! {
            () = stop.cancelled() => {}
            () = sleep(RESYNC) => {}
            () = async { changed.notified().await; sleep(SETTLING).await } => {}
        }
    }
    control.end().await;
    serving.await.ok();
    scraped.abort();
}

impl Control {
    /// Compares what is with what shall be, and does what is missing.
    async fn look(&mut self, objects: &Objects) {
        let topics: BTreeSet<String> = match self.bus.topics().await {
            Ok(topics) => topics.into_iter().map(|topic| topic.name).collect(),
            Err(error) => {
                warn!(%error, "the log's topics cannot be listed");
                return;
            }
        };
        let Plan { manifests, deliveries, verdicts } = plan(objects, &topics, &self.ingress);
        self.topics.set(&manifests.brokers);
        self.follow(deliveries);
        for ((kind, name), verdict) in &verdicts {
            let Some(object) = objects.get(kind).and_then(|found| found.get(name)) else { continue };
            self.say(*kind, name, object, verdict).await;
        }
    }

    /// Stops the dispatchers of what is gone or changed, and starts those that are missing.
    fn follow(&mut self, deliveries: BTreeMap<ObjectName, Delivery>) {
        let is_wanted = |name: &ObjectName, running: &Running| {
            deliveries.get(name).is_some_and(|delivery| delivery.fingerprint == running.fingerprint)
        };
        let mut leaving = BTreeMap::new();
        for (name, running) in std::mem::take(&mut self.running) {
            if is_wanted(&name, &running) {
                self.running.insert(name, running);
                continue;
            }
            info!(trigger = %name, "deliveries end");
            running.stop.cancel();
            leaving.insert(name, running.task);
        }
        for (name, Delivery { subscription, fingerprint }) in deliveries {
            if self.running.contains_key(&name) {
                continue;
            }
            let stop = CancellationToken::new();
            let (bus, http, options) = (Arc::clone(&self.bus), self.http.clone(), self.options.clone());
            let (before, stopping) = (leaving.remove(&name), stop.clone());
            let task = tokio::spawn(async move {
                if let Some(before) = before {
                    before.await.ok();
                }
                deliver(subscription, bus, http, options, stopping).await;
            });
            self.running.insert(name, Running { fingerprint, stop, task });
        }
    }

    /// Writes an object's status, unless it says the same already.
    async fn say(&self, kind: Kind, name: &ObjectName, object: &DynamicObject, verdict: &Verdict) {
        let before = &object.data["status"];
        let generation = object.metadata.generation.unwrap_or_default();
        let status = status(generation, &verdict.conditions, verdict.own.clone(), before, &now());
        if is_same(&status, before) {
            return;
        }
        let resource = kind.resource();
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &name.namespace, &resource);
        let whole: Value = json!({"apiVersion": resource.api_version, "kind": resource.kind, "status": status});
        let written = api.patch_status(&name.name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(whole)).await;
        if let Err(error) = written {
            warn!(?kind, %name, %error, "status not written");
        }
    }

    async fn end(&mut self) {
        let running = std::mem::take(&mut self.running);
        for running in running.values() {
            running.stop.cancel();
        }
        for running in running.into_values() {
            running.task.await.ok();
        }
    }
}

/// Delivers until it is stopped; a group that cannot be joined is tried again.
async fn deliver(
    subscription: Subscription,
    bus: Arc<dyn Bus>,
    http: reqwest::Client,
    options: Options,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        let opened = Dispatcher::open(
            subscription.clone(),
            Arc::clone(&bus),
            Endpoints::default(),
            http.clone(),
            options.clone(),
        );
        match opened.await {
            Ok(dispatcher) => return dispatcher.run(stop).await,
            Err(error) => {
                warn!(trigger = %subscription.trigger, %error, "deliveries cannot begin");
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = sleep(REJOIN) => {}
                }
            }
        }
    }
}

fn now() -> String {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    // Whole seconds, as the API server writes its own times.
    rfc3339(i64::try_from(since.as_secs()).unwrap_or_default() * 1000)
}
