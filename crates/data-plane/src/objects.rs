//! What the API server says: the kinds that wire events, as they are now.

use std::{collections::BTreeMap, future::ready, sync::Arc};

use futures::StreamExt as _;
use kube::{
    Api, Client,
    api::DynamicObject,
    core::{ApiResource, GroupVersionKind},
    runtime::{
        WatchStreamExt as _,
        reflector::{self, Store, reflector},
        watcher,
    },
};
use streamforge_local::manifest::ObjectName;
use tokio::sync::Notify;
use tracing::warn;

/// A kind that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Broker,
    Trigger,
    KafkaSink,
    Service,
}

/// Objects by kind and name.
pub(crate) type Objects = BTreeMap<Kind, BTreeMap<ObjectName, Arc<DynamicObject>>>;

/// Copies of what the API server holds, kept up to date.
pub(crate) struct Watched {
    stores: BTreeMap<Kind, Store<DynamicObject>>,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Broker, Self::Trigger, Self::KafkaSink, Self::Service];

    pub(crate) fn resource(self) -> ApiResource {
        let (group, version, kind) = match self {
            Self::Broker => ("eventing.knative.dev", "v1", "Broker"),
            Self::Trigger => ("eventing.knative.dev", "v1", "Trigger"),
            Self::KafkaSink => ("eventing.knative.dev", "v1alpha1", "KafkaSink"),
            Self::Service => ("", "v1", "Service"),
        };
        ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
    }
}

impl Watched {
    /// Watches all kinds in all namespaces, and says so whenever something has changed.
    pub(crate) fn start(client: &Client, changed: &Arc<Notify>) -> Self {
        let stores = Kind::ALL.map(|kind| (kind, watch(client, kind, Arc::clone(changed))));
        Self { stores: stores.into() }
    }

    /// Waits until each kind was read once.
    pub(crate) async fn wait(&self) {
        for store in self.stores.values() {
            // An error means that the watch has gone, which only happens with the process.
            store.wait_until_ready().await.ok();
        }
    }

    pub(crate) fn objects(&self) -> Objects {
        let named = |object: Arc<DynamicObject>| {
            let namespace = object.metadata.namespace.clone().unwrap_or_default();
            (ObjectName::new(namespace, object.metadata.name.clone().unwrap_or_default()), object)
        };
        self.stores.iter().map(|(kind, store)| (*kind, store.state().into_iter().map(named).collect())).collect()
    }
}

fn watch(client: &Client, kind: Kind, changed: Arc<Notify>) -> Store<DynamicObject> {
    let resource = kind.resource();
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let writer = reflector::store::Writer::new(resource);
    let reader = writer.as_reader();
    let events = reflector(writer, watcher(api, watcher::Config::default())).default_backoff();
    tokio::spawn(events.for_each(move |event| {
        match event {
            Ok(_) => changed.notify_one(),
            Err(error) => warn!(?kind, %error, "the API server cannot be watched"),
        }
        ready(())
    }));
    reader
}
