//! A log in a temporary folder, dispatchers on it, and workers that answer when told to.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, extract::State, routing::post};
use http::{HeaderMap, StatusCode};
use streamforge_bus::{Bus, Record, SqliteBus, TopicConfig};
use streamforge_local::{
    dispatcher::{self, Dispatcher, Options, Subscription},
    endpoints::Endpoints,
    manifest::{Manifests, ObjectName},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

const MANIFESTS: &str = "
{apiVersion: eventing.knative.dev/v1, kind: Broker, metadata: {name: in}}
---
{apiVersion: eventing.knative.dev/v1, kind: Broker, metadata: {name: out}}
---
{apiVersion: eventing.knative.dev/v1alpha1, kind: KafkaSink, metadata: {name: sink}, spec: {topic: sunk}}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: worker}
spec:
  broker: in
  subscriber: {ref: {apiVersion: v1, kind: Service, name: worker}, uri: /work}
  delivery: {retry: 1, backoffDelay: PT0.01S, timeout: PT0.2S, deadLetterSink: {ref: {kind: KafkaSink, name: sink}}}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: patient}
spec:
  broker: in
  subscriber: {ref: {apiVersion: v1, kind: Service, name: worker}}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: ordered, annotations: {kafka.eventing.knative.dev/delivery.order: ordered}}
spec: {broker: in, subscriber: {ref: {apiVersion: v1, kind: Service, name: worker}}}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: forward}
spec: {broker: in, subscriber: {ref: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: out}}}
";

/// A log in a temporary folder with the manifests above.
pub(crate) struct Fixture {
    pub(crate) bus: Arc<dyn Bus>,
    manifests: Manifests,
    pub(crate) endpoints: Endpoints,
    _folder: TempDir,
}

/// A dispatcher that runs until stopped.
pub(crate) struct Running {
    pub(crate) stop: CancellationToken,
    pub(crate) task: JoinHandle<()>,
}

impl Running {
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.expect("the dispatcher ends");
    }
}

impl Fixture {
    pub(crate) async fn new(partitions: u32) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let bus = SqliteBus::open(&folder.path().join("bus.db")).expect("a new log");
        let manifests = Manifests::parse([("triggers/a.yaml", MANIFESTS)]);
        let fixture = Self {
            bus: Arc::new(bus),
            manifests: manifests.unwrap_or_else(|error| panic!("{error}")),
            endpoints: Endpoints::default(),
            _folder: folder,
        };
        let config = TopicConfig { partitions, ..TopicConfig::default() };
        for topic in fixture.manifests.topic_names() {
            fixture.bus.create_topic(&topic, &config).await.expect("a topic");
        }
        fixture
    }

    pub(crate) async fn run(&self, trigger: &str, options: Options) -> Running {
        self.run_with(trigger, options, |_| {}).await
    }

    /// The same after a last change to what the dispatcher does.
    pub(crate) async fn run_with(
        &self,
        trigger: &str,
        options: Options,
        adapt: impl FnOnce(&mut Subscription),
    ) -> Running {
        let trigger = self.manifests.triggers.iter().find(|t| t.name.name == trigger);
        let trigger = trigger.expect("the trigger exists");
        let mut subscription = Subscription::resolve(&self.manifests, trigger).expect("it resolves");
        adapt(&mut subscription);
        let dispatcher = Dispatcher::open(
            subscription,
            Arc::clone(&self.bus),
            self.endpoints.clone(),
            dispatcher::http_client().expect("a client"),
            options,
        );
        let dispatcher = dispatcher.await.expect("the topic exists");
        let stop = CancellationToken::new();
        let task = tokio::spawn(dispatcher.run(stop.clone()));
        Running { stop, task }
    }

    pub(crate) async fn publish(&self, id: usize, key: &str) {
        let headers =
            [("specversion", "1.0"), ("id", &id.to_string()), ("source", "/s"), ("type", "t"), ("partitionkey", key)];
        let record = Record {
            key: Some(key.as_bytes().to_vec()),
            headers: headers.map(|(name, value)| (format!("ce_{name}"), value.as_bytes().to_vec())).to_vec(),
            ..Record::default()
        };
        self.bus.publish("knative-broker-default-in", record).await.expect("appended");
    }

    pub(crate) async fn committed(&self, trigger: &str) -> u64 {
        let group = format!("knative-trigger-default-{trigger}");
        let offsets = self.bus.committed(&group, "knative-broker-default-in").await;
        offsets.expect("the topic exists").into_iter().flatten().sum()
    }

    pub(crate) async fn records(&self, topic: &str) -> Vec<Record> {
        let read = self.bus.read(topic, 0, 0, 10_000, 64 << 20).await;
        read.expect("a topic").into_iter().map(|stored| stored.record).collect()
    }

    pub(crate) fn service() -> ObjectName {
        ObjectName::new("default", "worker")
    }
}

pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        let mut poll = tokio::time::interval(Duration::from_millis(5));
        while !holds().await {
            poll.tick().await;
        }
    };
    let reached = timeout(Duration::from_secs(30), waiting).await;
    assert!(reached.is_ok(), "never happened: {what}");
}

/// A function that takes note of ids and keys, and answers only as often as `permits` allow.
#[derive(Clone)]
pub(crate) struct Worker {
    seen: Arc<Mutex<Vec<(String, String)>>>,
    pub(crate) permits: Arc<Semaphore>,
}

impl Worker {
    pub(crate) async fn start(permits: usize) -> (Self, SocketAddr) {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), permits).await
    }

    pub(crate) async fn start_at(address: SocketAddr, permits: usize) -> (Self, SocketAddr) {
        let worker = Self { seen: Arc::default(), permits: Arc::new(Semaphore::new(permits)) };
        let router =
            Router::new().route("/", post(Self::accept)).route("/work", post(Self::accept)).with_state(worker.clone());
        let listener = TcpListener::bind(address).await.expect("the port is free");
        let address = listener.local_addr().expect("a bound listener has an address");
        tokio::spawn(async move { axum::serve(listener, router).await });
        (worker, address)
    }

    async fn accept(State(worker): State<Self>, headers: HeaderMap) -> StatusCode {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let (id, key) = (header("ce-id"), header("ce-partitionkey"));
        let seen = (id.unwrap_or_default().to_owned(), key.unwrap_or_default().to_owned());
        worker.seen.lock().expect("no request panics").push(seen);
        let permit = worker.permits.acquire().await.expect("never closed");
        permit.forget();
        StatusCode::NO_CONTENT
    }

    pub(crate) fn seen(&self) -> Vec<(String, String)> {
        self.seen.lock().expect("no request panics").clone()
    }
}

/// A worker on bare sockets that answers the first requests of each connection, then closes it.
///
/// With `reads_one_more` it closes only when the next request has arrived, without an answer to it.
pub(crate) struct Closing {
    pub(crate) address: SocketAddr,
    /// Requests as they came, by number of the connection.
    pub(crate) seen: Arc<Mutex<Vec<usize>>>,
    /// Connections closed so far.
    pub(crate) closed: Arc<AtomicUsize>,
}

impl Closing {
    pub(crate) async fn start(answers: usize, reads_one_more: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("a bound listener has an address");
        let worker = Self { address, seen: Arc::default(), closed: Arc::default() };
        let (seen, closed) = (Arc::clone(&worker.seen), Arc::clone(&worker.closed));
        tokio::spawn(async move {
            let mut connection = 0;
            while let Ok((mut stream, _)) = listener.accept().await {
                for request in 0..answers + usize::from(reads_one_more) {
                    read_head(&mut stream).await;
                    seen.lock().expect("no request panics").push(connection);
                    if request < answers {
                        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.expect("the dispatcher listens");
                    }
                }
                drop(stream);
                closed.fetch_add(1, Ordering::SeqCst);
                connection += 1;
            }
        });
        worker
    }

    pub(crate) fn seen(&self) -> Vec<usize> {
        self.seen.lock().expect("no request panics").clone()
    }
}

/// Reads a request without a body.
async fn read_head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let read = stream.read_buf(&mut head).await.expect("the dispatcher writes");
        assert!(read > 0, "the dispatcher closed a connection in use");
    }
}
