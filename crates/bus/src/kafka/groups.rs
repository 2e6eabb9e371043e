//! What groups have committed, where they lag, and what they have missed.

use std::collections::BTreeMap;

use rdkafka::{
    TopicPartitionList,
    consumer::{CommitMode, Consumer as _},
    error::KafkaError,
    types::RDKafkaErrorCode,
};

use super::{
    clients::{Cluster, Consumer, PATIENCE, admin_options, wait_for},
    failure,
    losses::Losses,
    offsets::{self, at, known, number},
    topics,
};
use crate::{Error, GroupOffset};

/// What a group has told of one partition.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    pub(super) next: Option<u64>,
    pub(super) losses: Losses,
}

/// What a group has told of each partition of a topic.
pub(super) fn held(cluster: &Cluster, group: &str, topic: &str) -> Result<Vec<Held>, Error> {
    let partitions: Vec<u32> = (0..cluster.partitions(topic)?).collect();
    let asked = ask(cluster.group(group)?.as_ref(), topic, &partitions);
    asked.map_err(|error| cluster.topic_error("ask for a group's offsets", topic, &error))
}

/// As [`held`], of these partitions, through a client of the group.
pub(super) fn ask(client: &Consumer, topic: &str, partitions: &[u32]) -> Result<Vec<Held>, KafkaError> {
    let mut wanted = TopicPartitionList::with_capacity(partitions.len());
    for partition in partitions {
        wanted.add_partition(topic, number(*partition));
    }
    let found = client.committed_offsets(wanted, PATIENCE)?;
    let held = found.elements().into_iter().map(|element| {
        element.error()?;
        Ok(Held { next: known(element.offset()), losses: Losses::parse(element.metadata()) })
    });
    held.collect()
}

/// Writes the offset of a partition and what was missed in it.
pub(super) fn write(
    client: &Consumer,
    topic: &str,
    partition: u32,
    next: u64,
    losses: &Losses,
) -> Result<(), KafkaError> {
    let mut offsets = TopicPartitionList::with_capacity(1);
    let mut place = offsets.add_partition(topic, number(partition));
    place.set_offset(at(next))?;
    place.set_metadata(losses.to_string());
    client.commit(&offsets, CommitMode::Sync)
}

/// Moves a group's offset: forward only, or anywhere.
pub(super) fn set(
    cluster: &Cluster,
    group: &str,
    topic: &str,
    partition: u32,
    next: u64,
    is_forward_only: bool,
) -> Result<(), Error> {
    offsets::check(cluster, topic, partition)?;
    let held = held_of(cluster, group, topic, partition)?;
    if is_forward_only && held.next.is_some_and(|held| next <= held) {
        return Ok(());
    }
    let end = offsets::ends(cluster, topic)?.get(partition as usize).copied().unwrap_or_default();
    if next > end {
        return Err(Error::OffsetOutOfRange { topic: topic.to_owned(), partition, next, end });
    }
    put(cluster, group, topic, partition, next, &held.losses)
}

/// Notes what a group has missed beside its offset.
pub(super) fn record_loss(
    cluster: &Cluster,
    group: &str,
    topic: &str,
    partition: u32,
    lost: std::ops::Range<u64>,
) -> Result<(), Error> {
    offsets::check(cluster, topic, partition)?;
    let mut held = held_of(cluster, group, topic, partition)?;
    let next = held.next.unwrap_or(lost.start);
    held.losses.add(lost);
    put(cluster, group, topic, partition, next, &held.losses)
}

/// Counts the records before each group's offset and the end, of those that are held.
pub(super) fn lag(cluster: &Cluster, group: &str, topic: &str) -> Result<Vec<u64>, Error> {
    let ranges = offsets::ranges(cluster, topic)?;
    let held = held(cluster, group, topic)?;
    let lags = ranges.iter().zip(held).map(|(range, held)| {
        let next = held.next.unwrap_or(range.start).max(range.start);
        range.end.saturating_sub(next)
    });
    Ok(lags.collect())
}

/// Everything that every group has committed.
pub(super) fn list(cluster: &Cluster) -> Result<Vec<GroupOffset>, Error> {
    let topics = topics::partitions(cluster)?;
    let found = cluster.clients().asking.fetch_group_list(None, PATIENCE);
    let found = found.map_err(|error| cluster.error("list the groups", &error))?;
    let mut by_place = BTreeMap::new();
    for group in found.groups() {
        let client = cluster.visit(group.name())?;
        for (topic, count) in &topics {
            let partitions: Vec<u32> = (0..*count).collect();
            let held = ask(client.as_ref(), topic, &partitions);
            let held = held.map_err(|error| cluster.topic_error("ask for a group's offsets", topic, &error))?;
            for (partition, held) in (0..).zip(held) {
                if held.next.is_some() {
                    by_place.insert((group.name().to_owned(), topic.clone(), partition), held);
                }
            }
        }
    }
    let offset = |((group, topic, partition), held): ((String, String, u32), Held)| {
        let (next, lost) = (held.next.unwrap_or_default(), held.losses.count());
        GroupOffset { group, topic, partition, next, lost }
    };
    Ok(by_place.into_iter().map(offset).collect())
}

/// Forgets a group without members.
pub(super) fn delete(cluster: &Cluster, group: &str) -> Result<(), Error> {
    let clients = cluster.clients();
    let deleted = wait_for(clients.admin.delete_groups(&[group], &admin_options()));
    let deleted = deleted.map_err(|error| cluster.error("forget a group", &error))?;
    match deleted.into_iter().next() {
        Some(Ok(_) | Err((_, RDKafkaErrorCode::GroupIdNotFound))) | None => Ok(()),
        Some(Err((_, code))) => Err(refused(cluster, group, "forget a group", &KafkaError::AdminOp(code))),
    }
}

fn held_of(cluster: &Cluster, group: &str, topic: &str, partition: u32) -> Result<Held, Error> {
    let asked = ask(cluster.group(group)?.as_ref(), topic, &[partition]);
    let held = asked.map_err(|error| cluster.topic_error("ask for a group's offsets", topic, &error))?;
    Ok(held.into_iter().next().unwrap_or_default())
}

fn put(cluster: &Cluster, group: &str, topic: &str, partition: u32, next: u64, losses: &Losses) -> Result<(), Error> {
    let written = write(cluster.group(group)?.as_ref(), topic, partition, next, losses);
    written.map_err(|error| refused(cluster, group, "commit", &error))
}

/// A refusal because the group has members is told as such.
pub(super) fn refused(cluster: &Cluster, group: &str, action: &'static str, error: &KafkaError) -> Error {
    match failure::code_of(error) {
        Some(
            RDKafkaErrorCode::NonEmptyGroup | RDKafkaErrorCode::UnknownMemberId | RDKafkaErrorCode::IllegalGeneration,
        ) => Error::GroupInUse { group: group.to_owned() },
        _ => cluster.error(action, error),
    }
}
