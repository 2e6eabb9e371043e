//! Three brokers, each killed and restarted in turn while records are appended: what was acknowledged is there.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use streamforge_bus::{Bus, KafkaBus, Record, TopicConfig};
use streamforge_servers::{Kafka, Server as _, kafka::Settings};

const NODES: usize = 3;
/// Records that must be acknowledged while a broker is away, and after it came back.
const STEP: u64 = 300;
const PATIENCE: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute and three brokers: cargo test -p streamforge-bus --all-features --test kafka -- --ignored"]
async fn what_was_acknowledged_survives_each_brokers_death() {
    let settings = Settings { nodes: 3, ..Settings::default() };
    let mut kafka = tokio::task::spawn_blocking(move || Kafka::start(&settings).unwrap()).await.unwrap();
    let bus = Arc::new(KafkaBus::open(&kafka.url()).unwrap());
    bus.create_topic("t", &TopicConfig { partitions: 6, ..TopicConfig::default() }).await.unwrap();
    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let publishing = tokio::spawn(publish(Arc::clone(&bus), Arc::clone(&stop), Arc::clone(&count)));
    let progress = async |what: &str, node: usize| {
        let (started, target) = (Instant::now(), count.load(Ordering::Relaxed) + STEP);
        while count.load(Ordering::Relaxed) < target {
            assert!(started.elapsed() < PATIENCE, "nothing is acknowledged {what} broker {node}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        eprintln!("{STEP} records {what} broker {node}: {:?}", started.elapsed());
    };
    for node in 0..NODES {
        progress("before the death of", node).await;
        kafka.kill(node);
        progress("without", node).await;
        tokio::task::block_in_place(|| kafka.restart(node)).unwrap();
        progress("after the return of", node).await;
    }
    stop.store(true, Ordering::Relaxed);
    let acknowledged = publishing.await.unwrap();

    let mut stored = BTreeSet::new();
    let mut records = 0;
    for (partition, end) in (0..).zip(bus.end_offsets("t").await.unwrap()) {
        let mut next = 0;
        while next < end {
            let batch = bus.read("t", partition, next, 1000, usize::MAX).await.unwrap();
            next = batch.last().unwrap().offset + 1;
            records += batch.len();
            stored.extend(batch.into_iter().map(|stored| stored.record.value));
        }
    }
    let lost: Vec<_> = acknowledged.iter().filter(|value| !stored.contains(*value)).collect();
    assert_eq!(lost, Vec::<&Vec<u8>>::new(), "lost after they were acknowledged");
    eprintln!("{} records acknowledged, {records} stored", acknowledged.len());
}

/// Appends records one after the other, each until it is acknowledged.
async fn publish(bus: Arc<KafkaBus>, stop: Arc<AtomicBool>, count: Arc<AtomicU64>) -> BTreeSet<Vec<u8>> {
    let mut acknowledged = BTreeSet::new();
    for number in 0_u64.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let value = number.to_be_bytes().to_vec();
        let record = Record { key: Some(value.clone()), value: value.clone(), ..Record::default() };
        while let Err(error) = bus.publish("t", record.clone()).await {
            assert!(error.is_retryable(), "{error}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        acknowledged.insert(value);
        count.fetch_add(1, Ordering::Relaxed);
    }
    acknowledged
}
