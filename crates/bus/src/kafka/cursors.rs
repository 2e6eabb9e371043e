//! Reading at any offset without a group: a few clients, each at one place, that go on where they are when they can.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rdkafka::{
    Message as _, TopicPartitionList,
    consumer::Consumer as _,
    error::KafkaError,
    message::{BorrowedMessage, Headers as _},
    types::RDKafkaErrorCode,
};

use super::{
    clients::{Cluster, Consumer, PATIENCE},
    offsets::{at, number},
};
use crate::{Error, Record, StoredRecord};

/// Clients that are kept.
const MOST: usize = 16;

/// Longest wait for a client before something else is considered.
const TURN: Duration = Duration::from_millis(500);

/// Clients that read for nobody in particular, the least recently used first.
#[derive(Default)]
pub(super) struct Cursors(Mutex<Vec<Cursor>>);

/// A client at a place in a partition.
struct Cursor {
    consumer: Arc<Consumer>,
    topic: String,
    partition: u32,
    next: u64,
    /// Read, but not asked for yet.
    ahead: Option<StoredRecord>,
    /// Whether all that the client tells is of this place: it may still tell of an end that was one before.
    is_fresh: bool,
}

/// Which records are wanted.
pub(super) struct Wanted<'a> {
    pub(super) topic: &'a str,
    pub(super) partition: u32,
    pub(super) from: u64,
    /// The end of the partition, which lies behind `from`.
    pub(super) end: u64,
    pub(super) max_records: usize,
    pub(super) max_bytes: usize,
}

/// What is read of a partition for one call, within its limits.
pub(super) struct Batch {
    pub(super) records: Vec<StoredRecord>,
    bytes: usize,
    max_records: usize,
    max_bytes: usize,
}

impl Cursors {
    /// Reads records that are there; none only where the offsets up to the end hold no records, as those of a
    /// transaction's end do. `None` if the first one is held no longer.
    pub(super) fn read(&self, cluster: &Cluster, wanted: &Wanted<'_>) -> Result<Option<Vec<StoredRecord>>, Error> {
        let mut cursor = self.take(cluster, wanted)?;
        let read = cursor.read(wanted);
        match read {
            Ok(records) => {
                let mut cursors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                if cursors.len() >= MOST {
                    cursors.remove(0);
                }
                cursors.push(cursor);
                Ok(records)
            }
            Err(error) => Err(cluster.topic_error("read", wanted.topic, &error)),
        }
    }

    fn take(&self, cluster: &Cluster, wanted: &Wanted<'_>) -> Result<Cursor, Error> {
        let mut cursors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_there = |cursor: &Cursor| {
            cursor.topic == wanted.topic && cursor.partition == wanted.partition && cursor.next == wanted.from
        };
        if let Some(index) = cursors.iter().rposition(is_there) {
            return Ok(cursors.remove(index));
        }
        let idle = (cursors.len() >= MOST).then(|| cursors.remove(0));
        drop(cursors);
        let failed = |error: KafkaError| cluster.topic_error("read", wanted.topic, &error);
        let consumer = match idle {
            Some(idle) => idle.consumer,
            None => cluster.clients().consumer("streamforge-readers", None, &cluster.trouble).map_err(failed)?,
        };
        let (topic, partition) = (wanted.topic.to_owned(), wanted.partition);
        let mut cursor = Cursor { consumer, topic, partition, next: wanted.from, ahead: None, is_fresh: true };
        cursor.go_to(wanted.from).map_err(failed)?;
        Ok(cursor)
    }
}

impl Cursor {
    fn read(&mut self, wanted: &Wanted<'_>) -> Result<Option<Vec<StoredRecord>>, KafkaError> {
        let mut batch = Batch::new(wanted.max_records, wanted.max_bytes);
        if let Some(ahead) = self.ahead.take() {
            self.ahead = batch.take(ahead);
        }
        let (started, mut ended) = (Instant::now(), None);
        while self.ahead.is_none() && !batch.is_full() && batch.next(wanted.from) < wanted.end {
            // What has begun to come is answered as it is.
            let patience = if batch.records.is_empty() { TURN } else { Duration::ZERO };
            match self.consumer.poll(patience) {
                Some(Ok(message)) => {
                    let stored = stored(&message, wanted.topic, wanted.partition);
                    // What the client had on the way when it was told to go elsewhere.
                    let is_here = message.topic() == wanted.topic && message.partition() == number(wanted.partition);
                    if is_here && stored.offset >= batch.next(wanted.from) {
                        self.ahead = batch.take(stored);
                    }
                }
                Some(Err(error)) if is_gone(&error) => return Ok(None),
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    if self.is_fresh {
                        break;
                    }
                    ended.get_or_insert_with(Instant::now);
                }
                Some(Err(KafkaError::MessageConsumption(code))) if is_passing(code) => {}
                Some(Err(error)) => return Err(error),
                None if !batch.records.is_empty() => break,
                None if ended.is_some_and(|ended: Instant| ended.elapsed() >= TURN) => {
                    // Either an end that was one before, or offsets without records; a new start tells.
                    ended = None;
                    self.go_to(wanted.from)?;
                }
                None if started.elapsed() > PATIENCE => {
                    return Err(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut));
                }
                None => {}
            }
        }
        self.next = batch.next(wanted.from);
        self.is_fresh = false;
        Ok(Some(batch.records))
    }

    fn go_to(&mut self, offset: u64) -> Result<(), KafkaError> {
        let mut place = TopicPartitionList::with_capacity(1);
        place.add_partition_offset(&self.topic, number(self.partition), at(offset))?;
        self.consumer.assign(&place)?;
        self.is_fresh = true;
        Ok(())
    }
}

impl Batch {
    pub(super) fn new(max_records: usize, max_bytes: usize) -> Self {
        Self { records: Vec::new(), bytes: 0, max_records, max_bytes }
    }

    /// Takes a record, or gives it back where it would exceed a limit; the first one is always taken.
    pub(super) fn take(&mut self, stored: StoredRecord) -> Option<StoredRecord> {
        let bytes = self.bytes.saturating_add(stored.record.size());
        if self.is_full() || !self.records.is_empty() && bytes > self.max_bytes {
            return Some(stored);
        }
        self.bytes = bytes;
        self.records.push(stored);
        None
    }

    pub(super) fn is_full(&self) -> bool {
        self.records.len() >= self.max_records
    }

    fn next(&self, from: u64) -> u64 {
        self.records.last().map_or(from, |last| last.offset + 1)
    }
}

/// Whether an error says that the records at the place are held no longer.
pub(super) fn is_gone(error: &KafkaError) -> bool {
    matches!(
        error,
        KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange)
    )
}

/// Whether an error of a client mends itself.
pub(super) fn is_passing(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::AllBrokersDown
            | RDKafkaErrorCode::Resolve
            | RDKafkaErrorCode::OperationTimedOut
            | RDKafkaErrorCode::NotLeaderForPartition
            | RDKafkaErrorCode::LeaderNotAvailable
            | RDKafkaErrorCode::GroupAuthorizationFailed
    )
}

/// A message as the bus knows it; a value that is absent is taken for an empty one.
pub(super) fn stored(message: &BorrowedMessage<'_>, topic: &str, partition: u32) -> StoredRecord {
    let headers = message.headers().map(|headers| {
        let header = |header: rdkafka::message::Header<'_, &[u8]>| {
            (header.key.to_owned(), header.value.unwrap_or_default().to_vec())
        };
        headers.iter().map(header).collect()
    });
    StoredRecord {
        topic: topic.to_owned(),
        partition,
        offset: u64::try_from(message.offset()).unwrap_or_default(),
        record: Record {
            key: message.key().map(<[u8]>::to_vec),
            headers: headers.unwrap_or_default(),
            value: message.payload().unwrap_or_default().to_vec(),
            timestamp: message.timestamp().to_millis().unwrap_or_default(),
        },
    }
}
