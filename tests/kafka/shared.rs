//! Dispatchers of one group in several clients share its partitions: they come, go and die, and no event is left out.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{Router, extract::State, http::HeaderMap, http::StatusCode, routing::post};
use fastrand::Rng;
use streamforge_bus::{Bus, Record, TopicConfig};
use streamforge_local::{
    dispatcher::{self, Dispatcher, Options, Subscription},
    endpoints::Endpoints,
    manifest::Manifests,
};
use streamforge_servers::Server as _;
use tokio::{net::TcpListener, task::JoinHandle, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::kafka;

const TOPIC: &str = "knative-broker-default-in";
const GROUP: &str = "knative-trigger-default-worker";
const PARTITIONS: u32 = 6;
/// The pause between a member that comes or goes and the next one, and events published in it.
const PAUSE: Duration = Duration::from_millis(700);
const EVENTS: usize = 60;
const KEYS: usize = 20;
const MOST_MEMBERS: usize = 10;
const PATIENCE: Duration = Duration::from_mins(2);

/// Ids of events by key, in the order of their arrival.
type Arrived = Arc<Mutex<BTreeMap<String, Vec<usize>>>>;

struct MemberAtWork {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

#[tokio::test(flavor = "multi_thread")]
async fn members_come_go_and_die_and_no_event_is_left_out() {
    storm(Duration::from_secs(20)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "two minutes: cargo test -p streamforge-tests --test kafka -- --ignored"]
async fn members_come_go_and_die_for_long() {
    storm(Duration::from_mins(2)).await;
}

/// Members come and go for so long, while events are published.
async fn storm(time: Duration) {
    let seed = std::env::var("STREAMFORGE_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    eprintln!("STREAMFORGE_SEED={seed}");
    let mut random = Rng::with_seed(seed);
    let kafka = tokio::task::spawn_blocking(kafka).await.unwrap();
    let bus = streamforge_bus::open(&kafka.url()).unwrap();
    bus.create_topic(TOPIC, &TopicConfig { partitions: PARTITIONS, ..TopicConfig::default() }).await.unwrap();
    let arrived = Arrived::default();
    let subscription = subscription(&serve(Arc::clone(&arrived)).await);

    let mut members = vec![join(&kafka.url(), &subscription).await];
    let mut published = 0;
    let began = Instant::now();
    while began.elapsed() < time {
        for _ in 0..EVENTS {
            bus.publish(TOPIC, event(published)).await.unwrap();
            published += 1;
        }
        let is_alone = members.len() == 1;
        // More come than go, until all are there.
        if is_alone || members.len() < MOST_MEMBERS && random.u8(..3) > 0 {
            members.push(join(&kafka.url(), &subscription).await);
        } else {
            let leaving = members.swap_remove(random.usize(..members.len()));
            if random.bool() {
                leaving.stop.cancel();
                leaving.task.await.unwrap();
            } else {
                // Cut off in the middle of whatever it does.
                leaving.task.abort();
            }
        }
        sleep(PAUSE).await;
    }
    let done = async {
        while bus.lag(GROUP, TOPIC).await.unwrap().iter().sum::<u64>() > 0 {
            sleep(Duration::from_millis(50)).await;
        }
    };
    let is_done = tokio::time::timeout(PATIENCE, done).await.is_ok();
    let lag = bus.lag(GROUP, TOPIC).await.unwrap();
    assert!(is_done, "STREAMFORGE_SEED={seed}: {} members, lag {lag:?}", members.len());
    for member in members {
        member.stop.cancel();
        member.task.await.unwrap();
    }

    let arrived = arrived.lock().unwrap();
    let all: BTreeSet<usize> = arrived.values().flatten().copied().collect();
    assert_eq!(all, (0..published).collect(), "STREAMFORGE_SEED={seed}: events were left out");
    let deliveries: usize = arrived.values().map(Vec::len).sum();
    eprintln!("{published} events, {deliveries} deliveries");
    assert!(deliveries < 2 * published, "STREAMFORGE_SEED={seed}: {deliveries} deliveries of {published} events");
    for (key, ids) in arrived.iter() {
        let mut known = BTreeSet::new();
        let first: Vec<usize> = ids.iter().copied().filter(|id| known.insert(*id)).collect();
        assert!(first.is_sorted(), "STREAMFORGE_SEED={seed}: {key} came out of order: {first:?}");
    }
}

/// A dispatcher with clients of its own.
async fn join(url: &str, subscription: &Subscription) -> MemberAtWork {
    let bus: Arc<dyn Bus> = streamforge_bus::open(url).unwrap();
    let client = dispatcher::http_client().unwrap();
    let opening = Dispatcher::open(subscription.clone(), bus, Endpoints::default(), client, Options::default());
    let dispatcher = opening.await.unwrap();
    let stop = CancellationToken::new();
    MemberAtWork { task: tokio::spawn(dispatcher.run(stop.clone())), stop }
}

fn event(id: usize) -> Record {
    let key = format!("key-{}", id % KEYS);
    let id = id.to_string();
    let headers = [("specversion", "1.0"), ("id", &id), ("source", "/s"), ("type", "t"), ("partitionkey", &key)];
    Record {
        key: Some(key.as_bytes().to_vec()),
        headers: headers.map(|(name, value)| (format!("ce_{name}"), value.as_bytes().to_vec())).to_vec(),
        ..Record::default()
    }
}

fn subscription(url: &str) -> Subscription {
    let text = format!(
        "{{apiVersion: eventing.knative.dev/v1, kind: Broker, metadata: {{name: in}}}}\n---\n\
         apiVersion: eventing.knative.dev/v1\nkind: Trigger\n\
         metadata: {{name: worker, annotations: {{kafka.eventing.knative.dev/delivery.order: ordered}}}}\n\
         spec: {{broker: in, subscriber: {{uri: '{url}'}}}}\n"
    );
    let manifests = Manifests::parse([("triggers/a.yaml", text.as_str())]).unwrap();
    Subscription::resolve(&manifests, &manifests.triggers[0]).unwrap()
}

async fn serve(arrived: Arrived) -> String {
    let take = async |State(arrived): State<Arrived>, headers: HeaderMap| {
        let header = |name: &str| headers.get(name).unwrap().to_str().unwrap().to_owned();
        arrived.lock().unwrap().entry(header("ce-partitionkey")).or_default().push(header("ce-id").parse().unwrap());
        StatusCode::NO_CONTENT
    };
    let router = Router::new().route("/", post(take)).with_state(arrived);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}
