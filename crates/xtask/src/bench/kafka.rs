//! A real Kafka: records a second through the bus, beside two clients that Python has.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use streamforge_bus::{Bus, InitialOffset, Record, Seat, TopicConfig};
use streamforge_servers::{
    Kafka, Server as _,
    kafka::{Settings, Speed},
};
use tokio::{runtime::Runtime, task::JoinSet, time::timeout};

use super::{Unit, figure, python::Program};

const RUNS: usize = 3;
const PARTITIONS: u32 = 4;
/// Bytes of a record, and how many of them.
const SIZES: [(usize, usize); 2] = [(200, 1_000_000), (1000, 300_000)];
/// Records that a caller hands over at once, and how many callers there are.
const AT_ONCE: usize = 1000;
const CALLERS: usize = 4;
/// Longer than a group takes to be formed.
const PATIENCE: Duration = Duration::from_mins(1);

/// Produces and consumes the same records in turns, each turn on a topic of its own.
pub(super) fn run() -> Result<()> {
    let runtime = Runtime::new()?;
    let kafka = Kafka::start(&Settings { speed: Speed::OfWork, ..Settings::default() })?;
    let bus = streamforge_bus::open(&kafka.url())?;
    let brokers = kafka.bootstrap();
    let mut others = Vec::new();
    for (name, script) in [("confluent-kafka", "confluent.py"), ("aiokafka", "asynchronous.py")] {
        others.push((name, Program::start(script, &[&brokers])?));
    }
    for (size, records) in SIZES {
        let mut seconds: BTreeMap<(&str, &str), Vec<f64>> = BTreeMap::new();
        // The first turn warms: the cluster's coordinators begin their work when they are asked for the first time.
        for turn in 0..=RUNS {
            let topic = |name: &str| format!("{name}-{size}-{turn}");
            let config = TopicConfig { partitions: PARTITIONS, ..TopicConfig::default() };
            let (produced, consumed) = runtime.block_on(async {
                let topic = topic("ours");
                bus.create_topic(&topic, &config).await?;
                let produced = produce(&bus, &topic, records, size).await?;
                anyhow::Ok((produced, consume(&bus, &topic, records).await?))
            })?;
            let mut count =
                |what, who, took| seconds.entry((what, who)).or_default().extend((turn > 0).then_some(took));
            count("produced", "the bus", produced);
            count("consumed", "the bus", consumed);
            for (name, program) in &mut others {
                let topic = topic(name);
                runtime.block_on(bus.create_topic(&topic, &config))?;
                for (what, order) in [("produced", "produce"), ("consumed", "consume")] {
                    let took = program.order(&format!("{order} {topic} {records} {size}"))?;
                    count(what, *name, took);
                }
            }
        }
        for ((what, who), seconds) in seconds {
            let rates = seconds.iter().map(|seconds| amount(records) / seconds).collect();
            figure(&format!("Kafka: records of {size} B {what} by {who}"), Unit::PerSecond("records"), rates);
        }
    }
    Ok(())
}

/// Seconds until all records are acknowledged by the cluster.
async fn produce(bus: &Arc<dyn Bus>, topic: &str, records: usize, size: usize) -> Result<f64> {
    let began = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (bus, topic) = (Arc::clone(bus), topic.to_owned());
        callers.spawn(async move {
            for _ in 0..records / CALLERS / AT_ONCE {
                let batch = vec![Record { value: vec![0; size], ..Record::default() }; AT_ONCE];
                bus.publish_many(&topic, batch).await?;
            }
            Ok::<_, streamforge_bus::Error>(())
        });
    }
    while let Some(ended) = callers.join_next().await {
        ended??;
    }
    Ok(began.elapsed().as_secs_f64())
}

/// Seconds from the first record that a member of a group reads until it has committed the last.
async fn consume(bus: &Arc<dyn Bus>, topic: &str, records: usize) -> Result<f64> {
    let (group, topic) = (format!("{topic}-readers"), topic.to_owned());
    let seat = Seat { group, topic, initial_offset: InitialOffset::Earliest, instance: None };
    let member = Arc::clone(bus).join(seat).await?;
    let mut shares = member.shares();
    timeout(PATIENCE, shares.wait_for(|shares| shares.len() == PARTITIONS as usize)).await??;
    let mut positions: BTreeMap<u32, u64> = (0..PARTITIONS).map(|partition| (partition, 0)).collect();
    let mut appended = member.appended();
    let (mut taken, mut began) = (0, None);
    while taken < records {
        appended.borrow_and_update();
        let wanted = positions.iter().map(|(partition, next)| (*partition, Some(*next))).collect();
        let before = taken;
        for (partition, ahead) in member.look(wanted, AT_ONCE, usize::MAX).await? {
            let read = ahead.records?;
            if let Some(last) = read.last() {
                positions.insert(partition, last.offset + 1);
            }
            taken += read.iter().filter(|stored| !stored.record.value.is_empty()).count();
        }
        if taken > before {
            began.get_or_insert_with(Instant::now);
        } else {
            timeout(PATIENCE, appended.changed()).await.context("no more records came")??;
        }
    }
    for (partition, next) in positions {
        member.commit(partition, next).await?;
    }
    let seconds = began.context("nothing was read")?.elapsed().as_secs_f64();
    member.leave().await;
    ensure!(taken == records, "{taken} of {records} records were read");
    Ok(seconds)
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52 records")]
fn amount(records: usize) -> f64 {
    records as f64
}
