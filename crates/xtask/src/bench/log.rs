//! The embedded log: durable records a second, the wait of one caller, and what the records already stored cost.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use streamforge_bus::{Bus, Record, SqliteBus, TopicConfig};
use tempfile::TempDir;
use tokio::{runtime::Runtime, task::JoinSet};

use super::{Unit, figure};

const RUNS: usize = 3;
const TOPIC: &str = "bench";
/// What a busy producer hands over at once.
const BATCH: usize = 1000;
/// Callers of the ingress at the same time, each with one record.
const CALLERS: usize = 256;
/// Records of the two ends of the growing log whose speeds are compared.
const SLICE: u64 = 100_000;

/// Appends, reads and commits on fresh logs.
pub(super) fn run() -> Result<()> {
    let runtime = runtime()?;
    for size in [200, 1000] {
        for writers in [1, 4] {
            let what = format!("log: durable records of {size} B, {writers} writers, {BATCH} at once");
            let rates = (0..RUNS).map(|_| runtime.block_on(append(size, writers, BATCH, 200_000)));
            figure(&what, Unit::PerSecond("records"), rates.collect::<Result<_>>()?);
        }
    }
    let rates = (0..RUNS).map(|_| runtime.block_on(append(1000, CALLERS, 1, 50_000)));
    let what = format!("log: durable records of 1000 B, {CALLERS} writers, one at once");
    figure(&what, Unit::PerSecond("records"), rates.collect::<Result<_>>()?);
    let rates = (0..RUNS).map(|_| runtime.block_on(read(1000, 200_000)));
    figure("log: records of 1000 B read, 50 at once", Unit::PerSecond("records"), rates.collect::<Result<_>>()?);
    let (published, read) = runtime.block_on(one_at_a_time(2000))?;
    figure("log: one record of 1000 B from publish to its durable answer", Unit::Milliseconds, published);
    figure("log: the same record from publish to a reader that waits for it", Unit::Milliseconds, read);
    Ok(())
}

/// The speed of appending to a log that already holds x1, x4 and x16 records, and of reading a lag and a batch there.
pub(super) fn growth() -> Result<()> {
    let runtime = runtime()?;
    runtime.block_on(async {
        let log = Log::open(TopicConfig { partitions: 4, ..TopicConfig::default() }).await?;
        let mut stored = 0;
        for times in [1, 4, 16] {
            let target = times * 4 * SLICE;
            log.fill(target - SLICE - stored, 200).await?;
            stored = target;
            let rate = log.fill(SLICE, 200).await?;
            figure(&format!("log: append with {target} records stored"), Unit::PerSecond("records"), vec![rate]);
            let mut waits = Vec::new();
            for turn in 0..1000u64 {
                let started = Instant::now();
                log.bus.lag("group", TOPIC).await?;
                let from = turn * 7919 % (target / 8);
                let read = log.bus.read(TOPIC, 0, from, 50, usize::MAX).await?;
                waits.push(milliseconds(started.elapsed()));
                ensure!(read.len() == 50, "{} records read", read.len());
            }
            let what = format!("log: lag and 50 records at a random place with {target} stored");
            figure(&what, Unit::Milliseconds, waits);
        }
        Ok(())
    })
}

/// Ten million records through a log that keeps the newest 64 MiB of each partition.
pub(super) fn retention() -> Result<()> {
    const RECORDS: u64 = 10_000_000;
    let runtime = runtime()?;
    runtime.block_on(async {
        let limit = 64 << 20;
        let config = TopicConfig { partitions: 4, retention_bytes: Some(limit), retention_ms: None };
        let log = Log::open(config).await?;
        let mut rates = Vec::new();
        let mut largest = 0.0f64;
        for _ in 0..RECORDS / (10 * SLICE) {
            rates.push(log.fill(10 * SLICE, 200).await?);
            largest = largest.max(mebibytes(log.bytes()?));
        }
        let first = rates.first().copied().context("no slice was written")?;
        let last = rates.last().copied().context("no slice was written")?;
        figure("log: ten million records of 200 B, by million", Unit::PerSecond("records"), rates);
        figure("log: the last million of the ten", Unit::PerSecond("records"), vec![last]);
        figure("log: the first million of the ten", Unit::PerSecond("records"), vec![first]);
        figure("log: largest size of its files with 4 x 64 MiB retained", Unit::Mebibytes, vec![largest]);
        Ok(())
    })
}

/// A log in a folder of its own.
struct Log {
    bus: Arc<SqliteBus>,
    path: PathBuf,
    _folder: TempDir,
}

impl Log {
    async fn open(config: TopicConfig) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("bus.db");
        let bus = Arc::new(SqliteBus::open(&path)?);
        bus.create_topic(TOPIC, &config).await?;
        Ok(Self { bus, path, _folder: folder })
    }

    /// Appends so many records and answers records a second.
    async fn fill(&self, records: u64, size: usize) -> Result<f64> {
        let started = Instant::now();
        for _ in 0..records / BATCH as u64 {
            self.bus.publish_many(TOPIC, batch(BATCH, size)).await?;
        }
        Ok(rate(records, started.elapsed()))
    }

    fn bytes(&self) -> Result<u64> {
        let wal = self.path.with_extension("db-wal");
        Ok(self.path.metadata()?.len() + wal.metadata()?.len())
    }
}

async fn append(size: usize, writers: usize, at_once: usize, records: usize) -> Result<f64> {
    let log = Log::open(TopicConfig { partitions: 4, ..TopicConfig::default() }).await?;
    let mut tasks = JoinSet::new();
    let started = Instant::now();
    let turns = records / writers / at_once;
    for _ in 0..writers {
        let bus = Arc::clone(&log.bus);
        tasks.spawn(async move {
            for _ in 0..turns {
                bus.publish_many(TOPIC, batch(at_once, size)).await?;
            }
            Ok::<_, streamforge_bus::Error>(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(rate((turns * at_once * writers) as u64, started.elapsed()))
}

async fn read(size: usize, records: usize) -> Result<f64> {
    let log = Log::open(TopicConfig::default()).await?;
    log.fill(records as u64, size).await?;
    let started = Instant::now();
    let mut next = 0;
    loop {
        let read = log.bus.read(TOPIC, 0, next, 50, usize::MAX).await?;
        let Some(last) = read.last() else { break };
        next = last.offset + 1;
    }
    Ok(rate(next, started.elapsed()))
}

/// Publishes one record after the other, while a reader waits for each and commits it.
async fn one_at_a_time(records: u64) -> Result<(Vec<f64>, Vec<f64>)> {
    let log = Log::open(TopicConfig::default()).await?;
    let (started, mut starts) = tokio::sync::mpsc::unbounded_channel::<Instant>();
    let (done, mut read) = tokio::sync::mpsc::unbounded_channel();
    let bus = Arc::clone(&log.bus);
    let reader = tokio::spawn(async move {
        let mut appended = bus.appended();
        let mut waits = Vec::new();
        while let Some(started) = starts.recv().await {
            let next = waits.len() as u64;
            loop {
                appended.borrow_and_update();
                if !bus.read(TOPIC, 0, next, 50, usize::MAX).await?.is_empty() {
                    break;
                }
                appended.changed().await?;
            }
            waits.push(milliseconds(started.elapsed()));
            done.send(())?;
            bus.commit("group", TOPIC, 0, next + 1).await?;
        }
        anyhow::Ok(waits)
    });
    let mut waits = Vec::new();
    for _ in 0..records {
        let now = Instant::now();
        started.send(now)?;
        log.bus.publish_many(TOPIC, batch(1, 1000)).await?;
        waits.push(milliseconds(now.elapsed()));
        read.recv().await.context("the reader has ended")?;
    }
    drop(started);
    Ok((waits, reader.await??))
}

fn batch(records: usize, size: usize) -> Vec<Record> {
    let key = Some(b"BTCUSDT".to_vec());
    let timestamp = 1_717_200_000_000;
    (0..records)
        .map(|index| Record {
            key: key.clone().filter(|_| index % 8 == 0),
            value: vec![7; size],
            timestamp,
            ..Record::default()
        })
        .collect()
}

fn runtime() -> Result<Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

#[expect(clippy::cast_precision_loss, reason = "no figure here needs more than 52 bits")]
fn rate(records: u64, time: Duration) -> f64 {
    records as f64 / time.as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "no figure here needs more than 52 bits")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
