//! Ingress and dispatchers over a durable log in a temporary folder, driven by manifests.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use serde_json::{Value, json};
use streamforge_bus::{Bus, Record, SqliteBus, TopicConfig};
use streamforge_local::{
    dispatcher::{self, Dispatcher, Options, Subscription},
    endpoints::Endpoints,
    ingress,
    manifest::Manifests,
    metrics::Metrics,
};
use tempfile::TempDir;
use tokio::{net::TcpListener, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::raw_http;

pub(crate) struct Platform {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) address: SocketAddr,
    manifests: Manifests,
    stop: CancellationToken,
    _folder: TempDir,
}

/// A Broker in the namespace `default`.
pub(crate) fn broker(name: &str) -> Value {
    json!({"apiVersion": "eventing.knative.dev/v1", "kind": "Broker",
           "metadata": {"name": name, "namespace": "default"}, "spec": {}})
}

/// A Trigger in the namespace `default` with the given rest of its spec.
pub(crate) fn trigger(name: &str, order: &str, spec: &Value) -> Value {
    json!({"apiVersion": "eventing.knative.dev/v1", "kind": "Trigger",
           "metadata": {"name": name, "namespace": "default",
                        "annotations": {"kafka.eventing.knative.dev/delivery.order": order}},
           "spec": spec})
}

impl Platform {
    /// Opens the log and serves the ingress; dispatchers start later.
    pub(crate) async fn start(objects: &[Value]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let bus = SqliteBus::open(&folder.path().join("bus.db")).expect("a new log");
        let bus: Arc<dyn Bus> = Arc::new(bus);
        // JSON documents are YAML documents.
        let documents: Vec<String> = objects.iter().map(|o| format!("---\n{o}\n")).collect();
        let text = documents.concat();
        let manifests = Manifests::parse([("triggers/test.yaml", text.as_str())]);
        let manifests = manifests.unwrap_or_else(|error| panic!("{error}"));
        for topic in manifests.topic_names() {
            bus.create_topic(&topic, &TopicConfig::default()).await.expect("a topic");
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("a bound listener has an address");
        let router = ingress::router(Arc::clone(&bus), ingress::Topics::of(&manifests.brokers), Metrics::default());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { bus, address, manifests, stop: CancellationToken::new(), _folder: folder }
    }

    /// Starts a dispatcher for every Trigger, after a last change to its settings.
    pub(crate) async fn dispatch(&self, adapt: impl Fn(&mut Subscription)) {
        let client = dispatcher::http_client().expect("a client");
        for trigger in &self.manifests.triggers {
            let mut subscription =
                Subscription::resolve(&self.manifests, trigger).unwrap_or_else(|error| panic!("{error}"));
            adapt(&mut subscription);
            let opening = Dispatcher::open(
                subscription,
                Arc::clone(&self.bus),
                Endpoints::default(),
                client.clone(),
                Options::default(),
            );
            let dispatcher = opening.await.unwrap_or_else(|error| panic!("{error}"));
            tokio::spawn(dispatcher.run(self.stop.clone()));
        }
    }

    /// Posts an event with these attributes to a Broker.
    pub(crate) async fn post(&self, broker: &str, attributes: &[(&str, &str)], body: &str) {
        let names: Vec<String> = attributes.iter().map(|(name, _)| format!("ce-{name}")).collect();
        let mut headers = vec![("ce-specversion", "1.0"), ("content-type", "application/json")];
        headers.extend(names.iter().zip(attributes).map(|(name, (_, value))| (name.as_str(), *value)));
        let path = format!("/default/{broker}");
        let answer = raw_http::send(self.address, "POST", &path, &headers, body.as_bytes()).await;
        assert_eq!(answer.status(), 202, "{attributes:?}");
    }

    /// Waits until every Trigger of the Broker has committed the first `end` records.
    pub(crate) async fn committed(&self, broker: &str, end: u64) {
        let topic = topic(broker);
        for trigger in &self.manifests.triggers {
            let group = trigger.group();
            let reaching = async {
                let mut poll = tokio::time::interval(Duration::from_millis(20));
                loop {
                    poll.tick().await;
                    let committed = self.bus.committed(&group, &topic).await.expect("offsets");
                    if committed[0].is_some_and(|next| next >= end) {
                        return;
                    }
                }
            };
            let reached = timeout(Duration::from_mins(1), reaching).await;
            assert!(reached.is_ok(), "{group} never committed {end}");
        }
    }

    pub(crate) async fn records(&self, broker: &str) -> Vec<Record> {
        let read = self.bus.read(&topic(broker), 0, 0, 10_000, 64 << 20).await;
        read.expect("a topic").into_iter().map(|stored| stored.record).collect()
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn topic(broker: &str) -> String {
    format!("knative-broker-default-{broker}")
}

/// A record in the form in which the rows show records.
pub(crate) fn shown(record: &Record) -> Value {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers: BTreeMap<_, _> = record.headers.iter().map(|(name, value)| (name.clone(), text(value))).collect();
    let value: String = text(&record.value).chars().take(60).collect();
    json!({"key": record.key.as_deref().map(text), "headers": headers,
           "value": value, "size": record.value.len()})
}
