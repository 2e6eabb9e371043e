//! A member of a group: a client that joins, a thread that polls it, a queue for each of its partitions.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use async_trait::async_trait;
use rdkafka::{
    Message as _, TopicPartitionList,
    consumer::{Consumer as _, base_consumer::PartitionQueue},
    error::KafkaError,
    types::RDKafkaErrorCode,
};
use tokio::sync::watch;
use tracing::{debug, warn};

use super::{
    clients::{Cluster, Consumer, Context},
    cursors::{Batch, is_passing, stored},
    groups,
    membership::Membership,
    offsets::{self, at, number},
};
use crate::{Ahead, Error, InitialOffset, Member, Seat, Shares, StoredRecord};

/// How long the group's news may wait.
const TURN: Duration = Duration::from_millis(100);

/// Wait before a client that could not be made, or that has given up, is made anew.
const RETRY: Duration = Duration::from_secs(1);

/// A member of a group on Kafka.
struct KafkaMember {
    cluster: Arc<Cluster>,
    membership: Arc<Membership>,
    reading: Arc<Reading>,
    has_left: watch::Receiver<bool>,
}

/// What the reader and the thread share.
#[derive(Default)]
struct Reading {
    consumer: Mutex<Option<Arc<Consumer>>>,
    streams: Mutex<BTreeMap<u32, Stream>>,
}

/// What comes of one partition.
struct Stream {
    queue: PartitionQueue<Context>,
    /// Offset behind what was handed out.
    next: u64,
    /// Come, but not asked for yet.
    ahead: Option<StoredRecord>,
    /// Offsets before `ahead` that hold no records, as those of a transaction's end do: nothing was lost there.
    hole: Range<u64>,
}

/// What a stream had.
enum Found {
    Records {
        end: u64,
        records: Vec<StoredRecord>,
    },
    /// Offsets are left out: records that are held no longer, or a hole.
    LeftOut(Range<u64>),
}

/// Joins a group; it has an offset in each partition when this returns, unless other members are at it.
pub(super) fn join(cluster: Arc<Cluster>, seat: Seat) -> Result<Arc<dyn Member>, Error> {
    let Seat { group, topic, initial_offset, .. } = &seat;
    let ranges = offsets::ranges(&cluster, topic)?;
    for ((partition, held), range) in (0..).zip(groups::held(&cluster, group, topic)?).zip(ranges) {
        let start = match initial_offset {
            InitialOffset::Earliest => range.start,
            InitialOffset::Latest => range.end,
        };
        if held.next.is_none() {
            match groups::set(&cluster, group, topic, partition, start, true) {
                Ok(()) | Err(Error::GroupInUse { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }
    let membership = Arc::new(Membership::new(seat));
    let reading = Arc::new(Reading::default());
    let (ended, has_left) = watch::channel(false);
    let member = KafkaMember { cluster, membership, reading, has_left };
    let (cluster, membership, reading) =
        (Arc::clone(&member.cluster), Arc::clone(&member.membership), Arc::clone(&member.reading));
    thread::spawn(move || {
        while !membership.is_leaving() {
            if let Err(error) = reading.run(&cluster, &membership) {
                let Seat { group, topic, .. } = &membership.seat;
                warn!(%group, %topic, %error, "member of the group is out, and joins again");
                thread::sleep(RETRY);
            }
        }
        ended.send_replace(true);
    });
    Ok(Arc::new(member))
}

impl Reading {
    /// One client from its joining to its leaving.
    fn run(&self, cluster: &Cluster, membership: &Arc<Membership>) -> Result<(), Error> {
        let Seat { group, topic, instance, .. } = &membership.seat;
        let stamp = cluster.stamp();
        let consumer = cluster.member(group, instance.as_deref(), membership)?;
        let failed = |error: KafkaError| cluster.topic_error("join a group", topic, &error);
        consumer.subscribe(&[topic]).map_err(failed)?;
        *self.consumer() = Some(Arc::clone(&consumer));
        let mut outcome = Ok(());
        while !membership.is_leaving() && cluster.stamp() == stamp {
            match consumer.poll(TURN) {
                Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                    outcome = Err(failed(KafkaError::MessageConsumptionFatal(code)));
                    break;
                }
                Some(Err(error)) => debug!(%group, %topic, %error, "Kafka client"),
                // Nothing can come here: partitions are paused until they have queues.
                Some(Ok(_)) | None => {}
            }
            if let Err(error) = self.follow(&consumer, membership) {
                outcome = Err(failed(error));
                break;
            }
        }
        *self.consumer() = None;
        self.streams().clear();
        membership.lose_all();
        // The last one to have it waits for its end, and that must not be a task.
        while Arc::strong_count(&consumer) > 1 {
            thread::sleep(Duration::from_millis(5));
        }
        outcome
    }

    /// Follows what the group has given and taken.
    fn follow(&self, consumer: &Arc<Consumer>, membership: &Arc<Membership>) -> Result<(), KafkaError> {
        for partition in membership.take_revoked() {
            self.streams().remove(&partition);
        }
        let assigned = membership.take_assigned();
        if assigned.is_empty() {
            return Ok(());
        }
        let topic = &membership.seat.topic;
        let mut ready = TopicPartitionList::with_capacity(assigned.len());
        for (partition, start) in &assigned {
            let queue = consumer.split_partition_queue(topic, number(*partition));
            let mut queue = queue.ok_or(KafkaError::MessageConsumption(RDKafkaErrorCode::UnknownPartition))?;
            let told = Arc::clone(membership);
            queue.set_nonempty_callback(move || told.raise());
            self.streams().insert(*partition, Stream { queue, next: *start, ahead: None, hole: 0..0 });
            ready.add_partition(topic, number(*partition));
        }
        consumer.resume(&ready)?;
        membership.give(&assigned);
        Ok(())
    }

    fn consumer(&self) -> MutexGuard<'_, Option<Arc<Consumer>>> {
        self.consumer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn streams(&self) -> MutexGuard<'_, BTreeMap<u32, Stream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stream {
    /// What has come, within the limits; or the offsets that are left out before it.
    fn look(
        &mut self,
        topic: &str,
        partition: u32,
        position: Option<u64>,
        mut batch: Batch,
        consumer: &Consumer,
    ) -> Result<Found, KafkaError> {
        let is_here = |position: &u64| *position == self.next || self.hole.contains(position);
        if let Some(position) = position.filter(|position| !is_here(position)) {
            // Zero waits for nothing: what was on the way is dropped by the client.
            consumer.seek(topic, number(partition), at(position), Duration::ZERO)?;
            (self.next, self.ahead, self.hole) = (position, None, 0..0);
        }
        loop {
            if self.ahead.is_none() {
                self.ahead = self.poll(topic, partition)?;
            }
            let Some(ahead) = self.ahead.take() else { break };
            let (offset, is_left_out) = (ahead.offset, ahead.offset > self.next && self.hole.end != ahead.offset);
            if is_left_out && batch.records.is_empty() && position.is_some() {
                self.ahead = Some(ahead);
                return Ok(Found::LeftOut(self.next..offset));
            }
            // A batch ends where offsets are left out.
            self.ahead = if position.is_none() || is_left_out { Some(ahead) } else { batch.take(ahead) };
            if self.ahead.is_some() {
                break;
            }
            (self.next, self.hole) = (offset + 1, 0..0);
        }
        let end = self.ahead.as_ref().map_or(self.next, |ahead| ahead.offset + 1);
        Ok(Found::Records { end, records: batch.records })
    }

    fn poll(&self, topic: &str, partition: u32) -> Result<Option<StoredRecord>, KafkaError> {
        loop {
            match self.queue.poll(Duration::ZERO) {
                Some(Ok(message)) if u64::try_from(message.offset()).is_ok_and(|offset| offset >= self.next) => {
                    return Ok(Some(stored(&message, topic, partition)));
                }
                Some(Ok(_)) => {}
                Some(Err(KafkaError::MessageConsumption(code))) if is_passing(code) => {}
                Some(Err(error)) => return Err(error),
                None => return Ok(None),
            }
        }
    }
}

impl KafkaMember {
    fn find(
        &self,
        positions: Vec<(u32, Option<u64>)>,
        max_records: usize,
        max_bytes: usize,
    ) -> Result<Vec<(u32, Found)>, Error> {
        let topic = &self.membership.seat.topic;
        let Some(consumer) = self.reading.consumer().clone() else { return Ok(Vec::new()) };
        let mut streams = self.reading.streams();
        let shares = self.membership.shares.borrow().clone();
        let mut found = Vec::with_capacity(positions.len());
        for (partition, position) in positions {
            let Some(stream) = streams.get_mut(&partition).filter(|_| shares.contains_key(&partition)) else {
                continue;
            };
            let batch = Batch::new(max_records, max_bytes);
            let looked = stream.look(topic, partition, position, batch, &consumer);
            found.push((partition, looked.map_err(|error| self.cluster.topic_error("read", topic, &error))?));
        }
        Ok(found)
    }

    /// What it means that offsets are left out: the log begins behind them, or they never held anything.
    async fn left_out(&self, partition: u32, offsets: Range<u64>) -> Result<Ahead, Error> {
        let (cluster, topic) = (Arc::clone(&self.cluster), self.membership.seat.topic.clone());
        let asked = tokio::task::spawn_blocking(move || offsets::ranges(&cluster, &topic));
        let ranges = asked.await.map_err(|_| Error::Closed)??;
        let start = ranges.get(partition as usize).map_or(0, |range| range.start);
        if start > offsets.start {
            let topic = self.membership.seat.topic.clone();
            let gone = Error::RecordsGone { topic, partition, from: offsets.start, resume: start };
            return Ok(Ahead { end: offsets.end + 1, records: Err(gone) });
        }
        let end = offsets.end + 1;
        if let Some(stream) = self.reading.streams().get_mut(&partition).filter(|stream| stream.next == offsets.start) {
            stream.hole = offsets;
        }
        // The next look hands out what lies behind.
        Ok(Ahead { end, records: Ok(Vec::new()) })
    }

    /// Runs a call with the client of the group.
    async fn write(
        &self,
        partition: u32,
        write: impl FnOnce(&Consumer, &Membership) -> Result<(), KafkaError> + Send + 'static,
    ) -> Result<(), Error> {
        let topic = self.membership.seat.topic.clone();
        let consumer = self.reading.consumer().clone();
        let Some(consumer) = consumer.filter(|_| self.membership.committed(partition).is_some()) else {
            return Err(Error::NotAssigned { topic, partition });
        };
        let membership = Arc::clone(&self.membership);
        let written = tokio::task::spawn_blocking(move || write(&consumer, &membership));
        written.await.map_err(|_| Error::Closed)?.map_err(|error| {
            if self.membership.committed(partition).is_none() {
                return Error::NotAssigned { topic, partition };
            }
            self.cluster.error("commit", &error)
        })
    }
}

#[async_trait]
impl Member for KafkaMember {
    fn shares(&self) -> watch::Receiver<Shares> {
        self.membership.shares.subscribe()
    }

    fn appended(&self) -> watch::Receiver<u64> {
        self.membership.appended.subscribe()
    }

    async fn look(
        &self,
        positions: Vec<(u32, Option<u64>)>,
        max_records: usize,
        max_bytes: usize,
    ) -> Result<Vec<(u32, Ahead)>, Error> {
        let mut ahead = Vec::with_capacity(positions.len());
        for (partition, found) in self.find(positions, max_records, max_bytes)? {
            let found = match found {
                Found::Records { end, records } => Ahead { end, records: Ok(records) },
                Found::LeftOut(offsets) => self.left_out(partition, offsets).await?,
            };
            ahead.push((partition, found));
        }
        Ok(ahead)
    }

    async fn commit(&self, partition: u32, next: u64) -> Result<(), Error> {
        self.write(partition, move |consumer, membership| {
            let Some(mut held) = membership.committed(partition) else { return Ok(()) };
            if held.next.is_some_and(|held| next <= held) {
                return Ok(());
            }
            held.next = Some(next);
            groups::write(consumer, &membership.seat.topic, partition, next, &held.losses)?;
            membership.note_committed(partition, held);
            Ok(())
        })
        .await
    }

    async fn record_loss(&self, partition: u32, from: u64, to: u64) -> Result<(), Error> {
        self.write(partition, move |consumer, membership| {
            let Some(mut held) = membership.committed(partition) else { return Ok(()) };
            held.losses.add(from..to);
            let next = held.next.unwrap_or(from);
            groups::write(consumer, &membership.seat.topic, partition, next, &held.losses)?;
            membership.note_committed(partition, held);
            Ok(())
        })
        .await
    }

    fn release(&self, partition: u32) {
        self.membership.release(partition);
    }

    async fn leave(&self) {
        self.membership.leave();
        // An error means that the thread is gone already.
        self.has_left.clone().wait_for(|has_left| *has_left).await.ok();
    }
}

impl Drop for KafkaMember {
    fn drop(&mut self) {
        self.membership.leave();
    }
}
