//! Three brokers, killed and restarted in turn while many append and one reads: nothing is lost, nothing is doubled.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use streamforge_bus::{Bus, InitialOffset, KafkaBus, Member, Record, Seat, TopicConfig};
use streamforge_servers::{Kafka, Server as _, kafka::Settings};
use tokio::task::JoinSet;

const NODES: u16 = 3;
/// Deaths, of one broker after the other.
const DEATHS: usize = 5;
const TOPIC: &str = "t";
const GROUP: &str = "g";
/// Callers, and records that each hands over at once.
const CALLERS: u64 = 4;
const AT_ONCE: u64 = 25;
/// Records that must be acknowledged before a death, while a broker is away, and after it came back.
const STEP: u64 = 1000;
const PATIENCE: Duration = Duration::from_mins(2);

/// What is under way while brokers die.
struct Load {
    bus: Arc<KafkaBus>,
    stop: AtomicBool,
    /// Records that were acknowledged.
    acknowledged: AtomicU64,
    /// Records whose callers were told of a failure, after which they may be there or not.
    failed: AtomicU64,
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "two minutes of three brokers: cargo test -p streamforge-bus --all-features --test kafka -- --ignored"]
async fn what_was_acknowledged_survives_each_brokers_death() {
    let settings = Settings { nodes: NODES, ..Settings::default() };
    let mut kafka = tokio::task::spawn_blocking(move || Kafka::start(&settings).unwrap()).await.unwrap();
    let bus = Arc::new(KafkaBus::open(&kafka.url()).unwrap());
    bus.create_topic(TOPIC, &TopicConfig { partitions: 6, ..TopicConfig::default() }).await.unwrap();
    let load = Arc::new(Load {
        bus: Arc::clone(&bus),
        stop: AtomicBool::new(false),
        acknowledged: AtomicU64::new(0),
        failed: AtomicU64::new(0),
    });
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        callers.spawn(Arc::clone(&load).publish(caller));
    }
    let seat = Seat {
        group: GROUP.to_owned(),
        topic: TOPIC.to_owned(),
        initial_offset: InitialOffset::Earliest,
        instance: None,
    };
    let member = Arc::clone(&bus).join(seat).await.unwrap();
    let reader = tokio::spawn(Arc::clone(&load).read(member));

    for death in 0..DEATHS {
        let node = death % usize::from(NODES);
        load.progress(&format!("before death {death}, of broker {node}")).await;
        kafka.kill(node);
        load.progress(&format!("without broker {node}")).await;
        tokio::task::block_in_place(|| kafka.restart(node)).unwrap();
        load.progress(&format!("after the return of broker {node}")).await;
    }
    load.stop.store(true, Ordering::Relaxed);
    let mut acknowledged = BTreeSet::new();
    while let Some(values) = callers.join_next().await {
        acknowledged.extend(values.unwrap());
    }
    let ended = Instant::now();
    let effects = tokio::time::timeout(PATIENCE, reader).await.expect("the reader comes to the end").unwrap();

    eprintln!("the reader was at the end after {:?}", ended.elapsed());

    let mut records = 0;
    let mut stored = BTreeSet::new();
    for (partition, end) in (0..).zip(bus.end_offsets(TOPIC).await.unwrap()) {
        let mut next = 0;
        while next < end {
            let batch = bus.read(TOPIC, partition, next, 1000, usize::MAX).await.unwrap();
            next = batch.last().unwrap().offset + 1;
            records += batch.len() as u64;
            stored.extend(batch.into_iter().map(|stored| stored.record.value));
        }
    }
    let failed = load.failed.load(Ordering::Relaxed);
    eprintln!("{} records acknowledged, {failed} failed, {records} stored", acknowledged.len());
    let lost = acknowledged.difference(&stored).count();
    assert_eq!(lost, 0, "lost after they were acknowledged");
    let doubled = records - stored.len() as u64;
    assert!(doubled <= failed, "{doubled} of {records} records are there twice, {failed} were handed over again");
    assert_eq!(effects, stored, "what the group has done is what was appended");
}

impl Load {
    /// Appends records until it is told to stop, each until it is acknowledged, and returns them.
    async fn publish(self: Arc<Self>, caller: u64) -> BTreeSet<Vec<u8>> {
        let mut acknowledged = BTreeSet::new();
        for first in (0_u64..).step_by(usize::try_from(AT_ONCE).unwrap()) {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let values: Vec<Vec<u8>> =
                (first..first + AT_ONCE).map(|number| [caller.to_be_bytes(), number.to_be_bytes()].concat()).collect();
            let record =
                |value: &Vec<u8>| Record { key: Some(value.clone()), value: value.clone(), ..Record::default() };
            while let Err(error) = self.bus.publish_many(TOPIC, values.iter().map(record).collect()).await {
                assert!(error.is_retryable(), "{error}");
                self.failed.fetch_add(AT_ONCE, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            acknowledged.extend(values);
            self.acknowledged.fetch_add(AT_ONCE, Ordering::Relaxed);
        }
        acknowledged
    }

    /// Reads as a group does, until nothing more comes, and returns what it has done.
    async fn read(self: Arc<Self>, member: Arc<dyn Member>) -> BTreeSet<Vec<u8>> {
        let mut effects = BTreeSet::new();
        let mut positions = BTreeMap::new();
        loop {
            let is_over = self.stop.load(Ordering::Relaxed);
            let shares = member.shares().borrow().clone();
            positions.retain(|partition, _| shares.contains_key(partition));
            for (partition, share) in shares {
                positions.entry(partition).or_insert(share.start);
            }
            let wanted = positions.iter().map(|(partition, next)| (*partition, Some(*next))).collect();
            let Ok(partitions) = member.look(wanted, 1000, usize::MAX).await else { continue };
            for (partition, ahead) in partitions {
                let Ok(read) = ahead.records else { continue };
                let Some(last) = read.last() else { continue };
                let next = last.offset + 1;
                effects.extend(read.into_iter().map(|stored| stored.record.value));
                // One that fails may still have been written, and is tried again.
                if member.commit(partition, next).await.is_ok() {
                    positions.insert(partition, next);
                }
            }
            if is_over && self.bus.lag(GROUP, TOPIC).await.is_ok_and(|lag| lag.iter().sum::<u64>() == 0) {
                member.leave().await;
                return effects;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until so many more records are acknowledged.
    async fn progress(&self, what: &str) {
        let (started, target) = (Instant::now(), self.acknowledged.load(Ordering::Relaxed) + STEP);
        while self.acknowledged.load(Ordering::Relaxed) < target {
            assert!(started.elapsed() < PATIENCE, "nothing is acknowledged {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        eprintln!("{STEP} records {what}: {:?}", started.elapsed());
    }
}
