//! Where partitions begin and end, asked for with one request for all of them.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use rdkafka::{Offset, TopicPartitionList, consumer::Consumer as _, error::KafkaError, types::RDKafkaErrorCode};

use super::{
    clients::{Cluster, PATIENCE},
    failure,
};
use crate::{Error, OffsetRange};

/// Wait before a leader is asked for again.
const PAUSE: Duration = Duration::from_millis(50);

/// Offsets of all partitions of a topic.
pub(super) fn ranges(cluster: &Cluster, topic: &str) -> Result<Vec<OffsetRange>, Error> {
    // The start first: what is deleted in between makes a range shorter, never one that ends before it begins.
    let starts = ask(cluster, topic, Offset::Beginning)?;
    let ends = ask(cluster, topic, Offset::End)?;
    Ok(starts.into_iter().zip(ends).map(|(start, end)| OffsetRange { start, end: end.max(start) }).collect())
}

/// The end of each partition of a topic.
pub(super) fn ends(cluster: &Cluster, topic: &str) -> Result<Vec<u64>, Error> {
    ask(cluster, topic, Offset::End)
}

/// Refuses a partition that the topic does not have.
pub(super) fn check(cluster: &Cluster, topic: &str, partition: u32) -> Result<(), Error> {
    if partition < cluster.partitions(topic)? {
        return Ok(());
    }
    Err(Error::UnknownPartition { topic: topic.to_owned(), partition })
}

/// As Kafka counts partitions; there are never more than fit.
pub(super) fn number(partition: u32) -> i32 {
    i32::try_from(partition).unwrap_or(i32::MAX)
}

/// As Kafka counts offsets; there are never more than fit.
pub(super) fn at(offset: u64) -> Offset {
    Offset::Offset(i64::try_from(offset).unwrap_or(i64::MAX))
}

/// The offset that Kafka counts so; none where it stands for something else.
pub(super) fn known(offset: Offset) -> Option<u64> {
    match offset {
        Offset::Offset(offset) => u64::try_from(offset).ok(),
        _ => None,
    }
}

/// Asks again while the partitions' leaders change hands.
fn ask(cluster: &Cluster, topic: &str, which: Offset) -> Result<Vec<u64>, Error> {
    let started = Instant::now();
    loop {
        match try_ask(cluster, topic, which)? {
            Ok(offsets) => return Ok(offsets),
            Err(error) if failure::code_of(&error).is_some_and(is_moving) && started.elapsed() < PATIENCE => {
                sleep(PAUSE);
            }
            Err(error) => {
                // Its partitions may have gone with it.
                cluster.forget_topics();
                return Err(cluster.topic_error("ask for offsets", topic, &error));
            }
        }
    }
}

fn try_ask(cluster: &Cluster, topic: &str, which: Offset) -> Result<Result<Vec<u64>, KafkaError>, Error> {
    let count = cluster.partitions(topic)?;
    let asking = || {
        let mut wanted = TopicPartitionList::with_capacity(count as usize);
        for partition in 0..count {
            // In place of a time: the protocol takes -1 and -2 for the end and the beginning.
            // <https://kafka.apache.org/protocol#The_Messages_ListOffsets>
            wanted.add_partition_offset(topic, number(partition), which)?;
        }
        let found = cluster.clients().asking.offsets_for_times(wanted, PATIENCE)?;
        let offsets = found.elements().into_iter().map(|element| {
            element.error()?;
            Ok(known(element.offset()).unwrap_or_default())
        });
        offsets.collect()
    };
    Ok(asking())
}

/// Whether a code says that another broker is to be asked, or will be.
fn is_moving(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::NotLeaderForPartition
            | RDKafkaErrorCode::LeaderNotAvailable
            | RDKafkaErrorCode::ReplicaNotAvailable
            | RDKafkaErrorCode::FencedLeaderEpoch
            | RDKafkaErrorCode::UnknownLeaderEpoch
            | RDKafkaErrorCode::OffsetNotAvailable
    )
}
