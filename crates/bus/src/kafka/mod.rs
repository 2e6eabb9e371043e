//! The log of a cluster: Apache Kafka through librdkafka.
//!
//! - Appending is idempotent and waits for all replicas in sync; see [`producing`].
//! - Who only looks reads by cursors, without a group; see [`cursors`]. Members of a group have partitions of their own
//!   and get what is appended as it comes; see [`member`].
//! - librdkafka's calls block, so they run on threads that may.
//! - Kafka knows nothing of losses; they are kept as the text beside a group's offset, see [`losses`].

mod clients;
mod cursors;
mod failure;
mod groups;
mod location;
mod losses;
mod member;
mod membership;
mod offsets;
mod producing;
mod tail;
mod topics;

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    Ahead, Bus, Error, GroupOffset, Member, Record, Seat, StoredRecord, TopicConfig, TopicDescription,
    partitioner::Turns, refusal,
};
use clients::Cluster;
use cursors::Wanted;
use location::Location;

/// An event log on Apache Kafka.
pub struct KafkaBus {
    cluster: Arc<Cluster>,
    turns: Turns,
}

impl KafkaBus {
    /// Connects to the cluster of a URL; see [`crate::open`].
    ///
    /// Blocks until the cluster has answered; needs no async runtime, its methods do.
    ///
    /// # Errors
    /// [`Error::Url`], [`Error::Open`] for a file that cannot be read, [`Error::Denied`] or [`Error::Cluster`].
    pub fn open(url: &str) -> Result<Self, Error> {
        let cluster = Arc::new(Cluster::connect(Location::parse(url)?)?);
        tail::start(&cluster);
        Ok(Self { cluster, turns: Turns::default() })
    }

    /// Runs a call that blocks.
    async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Cluster) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let cluster = Arc::clone(&self.cluster);
        tokio::task::spawn_blocking(move || call(&cluster)).await.map_err(|_| Error::Closed)?
    }
}

#[async_trait]
impl Bus for KafkaBus {
    async fn create_topic(&self, name: &str, config: &TopicConfig) -> Result<(), Error> {
        refusal::check_topic(name, config)?;
        let (name, config) = (name.to_owned(), config.clone());
        self.call(move |cluster| topics::create(cluster, &name, &config)).await
    }

    async fn topics(&self) -> Result<Vec<TopicDescription>, Error> {
        self.call(topics::describe).await
    }

    async fn publish_many(&self, topic: &str, records: Vec<Record>) -> Result<Vec<(u32, u64)>, Error> {
        refusal::check_records(topic, &records)?;
        let partitions = if let Some(partitions) = self.cluster.known_partitions(topic) {
            partitions
        } else {
            let topic = topic.to_owned();
            self.call(move |cluster| cluster.partitions(&topic)).await?
        };
        producing::publish(&self.cluster, &self.turns, topic, partitions, &records).await
    }

    async fn fetch(
        &self,
        topic: &str,
        partition: u32,
        from: u64,
        max_records: usize,
        max_bytes: usize,
    ) -> Result<Vec<StoredRecord>, Error> {
        let topic = topic.to_owned();
        self.call(move |cluster| {
            offsets::check(cluster, &topic, partition)?;
            tail::watch(cluster, &topic);
            let ranges = offsets::ranges(cluster, &topic)?;
            let range = ranges.get(partition as usize).copied().ok_or(Error::Closed)?;
            read(cluster, &topic, partition, (from, range), max_records, max_bytes)
        })
        .await
    }

    async fn look(
        &self,
        topic: &str,
        positions: Vec<Option<u64>>,
        max_records: usize,
        max_bytes: usize,
    ) -> Result<Vec<Ahead>, Error> {
        let topic = topic.to_owned();
        self.call(move |cluster| {
            tail::watch(cluster, &topic);
            let ranges = offsets::ranges(cluster, &topic)?;
            let positions = positions.into_iter().chain(std::iter::repeat(Some(0)));
            let ahead = (0..).zip(ranges).zip(positions).map(|((partition, range), position)| {
                let records = position.map_or_else(
                    || Ok(Vec::new()),
                    |from| read(cluster, &topic, partition, (from, range), max_records, max_bytes),
                );
                match records {
                    Err(error) if !matches!(error, Error::RecordsGone { .. }) => Err(error),
                    records => Ok(Ahead { end: range.end, records }),
                }
            });
            ahead.collect()
        })
        .await
    }

    async fn committed(&self, group: &str, topic: &str) -> Result<Vec<Option<u64>>, Error> {
        let (group, topic) = (group.to_owned(), topic.to_owned());
        self.call(move |cluster| {
            let held = groups::held(cluster, &group, &topic)?;
            Ok(held.into_iter().map(|held| held.next).collect())
        })
        .await
    }

    async fn commit(&self, group: &str, topic: &str, partition: u32, next: u64) -> Result<(), Error> {
        let (group, topic) = (group.to_owned(), topic.to_owned());
        self.call(move |cluster| groups::set(cluster, &group, &topic, partition, next, true)).await
    }

    async fn reset(&self, group: &str, topic: &str, partition: u32, next: u64) -> Result<(), Error> {
        let (group, topic) = (group.to_owned(), topic.to_owned());
        self.call(move |cluster| groups::set(cluster, &group, &topic, partition, next, false)).await
    }

    async fn record_loss(&self, group: &str, topic: &str, partition: u32, from: u64, to: u64) -> Result<(), Error> {
        let (group, topic) = (group.to_owned(), topic.to_owned());
        self.call(move |cluster| {
            if from >= to {
                return offsets::check(cluster, &topic, partition);
            }
            groups::record_loss(cluster, &group, &topic, partition, from..to)
        })
        .await
    }

    async fn join(self: Arc<Self>, seat: Seat) -> Result<Arc<dyn Member>, Error> {
        let cluster = Arc::clone(&self.cluster);
        self.call(move |_| member::join(cluster, seat)).await
    }

    async fn groups(&self) -> Result<Vec<GroupOffset>, Error> {
        self.call(groups::list).await
    }

    async fn delete_group(&self, group: &str) -> Result<(), Error> {
        let group = group.to_owned();
        self.call(move |cluster| groups::delete(cluster, &group)).await
    }

    async fn lag(&self, group: &str, topic: &str) -> Result<Vec<u64>, Error> {
        let (group, topic) = (group.to_owned(), topic.to_owned());
        self.call(move |cluster| groups::lag(cluster, &group, &topic)).await
    }

    async fn end_offsets(&self, topic: &str) -> Result<Vec<u64>, Error> {
        let topic = topic.to_owned();
        self.call(move |cluster| offsets::ends(cluster, &topic)).await
    }

    /// The brokers delete by themselves, by the limits that the topic was given.
    async fn enforce_retention(&self, _: i64) -> Result<u64, Error> {
        Ok(0)
    }

    fn appended(&self) -> tokio::sync::watch::Receiver<u64> {
        self.cluster.appended.subscribe()
    }
}

/// Reads of a partition whose offsets are known.
fn read(
    cluster: &Cluster,
    topic: &str,
    partition: u32,
    (from, range): (u64, crate::OffsetRange),
    max_records: usize,
    max_bytes: usize,
) -> Result<Vec<StoredRecord>, Error> {
    if max_records == 0 {
        return Ok(Vec::new());
    }
    let gone = |resume| Error::RecordsGone { topic: topic.to_owned(), partition, from, resume };
    if from < range.start {
        return Err(gone(range.start));
    }
    if from >= range.end {
        return Ok(Vec::new());
    }
    let wanted = Wanted { topic, partition, from, end: range.end, max_records, max_bytes };
    if let Some(records) = cluster.clients().cursors.read(cluster, &wanted)? {
        return Ok(records);
    }
    // Deleted since the offsets were asked for.
    let ranges = offsets::ranges(cluster, topic)?;
    Err(gone(ranges.get(partition as usize).map_or(range.end, |range| range.start)))
}
