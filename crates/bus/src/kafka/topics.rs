//! Topics of a cluster: created, grown, described.

use std::{
    collections::{BTreeMap, HashMap},
    thread::sleep,
    time::{Duration, Instant},
};

use rdkafka::{
    admin::{AlterConfig, ConfigResource, ConfigSource, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication},
    consumer::Consumer as _,
    error::KafkaError,
    types::RDKafkaErrorCode,
};

use super::{
    clients::{Cluster, PATIENCE, admin_options, count, wait_for},
    offsets,
};
use crate::{Error, MAX_RECORD_BYTES, TopicConfig, TopicDescription};

/// What a batch may have beside key, value and headers of its one record.
const OVERHEAD: usize = 64 << 10;

/// Milliseconds and bytes that a topic keeps.
type Limits = (Option<u64>, Option<u64>);

const PAUSE: Duration = Duration::from_millis(20);

/// Creates a topic, or gives it the partitions that it lacks and other limits.
pub(super) fn create(cluster: &Cluster, name: &str, config: &TopicConfig) -> Result<(), Error> {
    let held = match partitions(cluster)?.get(name) {
        Some(held) => *held,
        None => create_missing(cluster, name, config)?,
    };
    if held < config.partitions {
        grow(cluster, name, config.partitions)?;
    }
    let has_limits = || -> Result<bool, Error> {
        let held = limits(cluster, &[name])?;
        Ok(held.first().is_some_and(|held| *held == (config.retention_ms, config.retention_bytes)))
    };
    if !has_limits()? {
        limit(cluster, name, config)?;
        wait_until(cluster, "set the limits of a topic", has_limits)?;
    }
    cluster.forget_topics();
    // A partition can be used once it has a leader.
    wait_until(cluster, "create a topic", || Ok(led(cluster, name)? >= held.max(config.partitions) as usize))
}

/// Describes all topics that are no business of the cluster's own.
pub(super) fn describe(cluster: &Cluster) -> Result<Vec<TopicDescription>, Error> {
    let partitions = partitions(cluster)?;
    let names: Vec<&str> = partitions.keys().map(String::as_str).collect();
    let mut described = Vec::with_capacity(names.len());
    for (name, (retention_ms, retention_bytes)) in names.iter().zip(limits(cluster, &names)?) {
        let offsets = match offsets::ranges(cluster, name) {
            // Deleted meanwhile.
            Err(Error::UnknownTopic { .. }) => continue,
            offsets => offsets?,
        };
        let config = TopicConfig { partitions: partitions[*name], retention_ms, retention_bytes };
        described.push(TopicDescription { name: (*name).to_owned(), config, offsets });
    }
    Ok(described)
}

/// Number of partitions of each topic, as the cluster has them now.
pub(super) fn partitions(cluster: &Cluster) -> Result<BTreeMap<String, u32>, Error> {
    let metadata = cluster.clients().asking.fetch_metadata(None, PATIENCE);
    let metadata = metadata.map_err(|error| cluster.error("list the topics", &error))?;
    // Kafka's own begin with two underscores.
    let topics = metadata.topics().iter().filter(|topic| !topic.name().starts_with("__"));
    Ok(topics.map(|topic| (topic.name().to_owned(), count(topic))).collect())
}

fn create_missing(cluster: &Cluster, name: &str, config: &TopicConfig) -> Result<u32, Error> {
    let (age, bytes) = (text(config.retention_ms), text(config.retention_bytes));
    let largest = (MAX_RECORD_BYTES + OVERHEAD).to_string();
    let count = i32::try_from(config.partitions).unwrap_or(i32::MAX);
    // Minus one: as many replicas as the brokers' settings say.
    let topic = NewTopic::new(name, count, TopicReplication::Fixed(-1))
        .set("retention.ms", &age)
        .set("retention.bytes", &bytes)
        .set("max.message.bytes", &largest);
    let clients = cluster.clients();
    let created = wait_for(clients.admin.create_topics([&topic], &admin_options()));
    let created = created.map_err(|error| cluster.error("create a topic", &error))?;
    match created.into_iter().next() {
        Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => {
            // Somebody was faster, with another number of partitions perhaps.
            Ok(partitions(cluster)?.get(name).copied().unwrap_or(config.partitions))
        }
        Some(Err((_, RDKafkaErrorCode::InvalidTopic))) => {
            Err(Error::InvalidTopic { topic: name.to_owned(), reason: "the cluster does not take its name" })
        }
        Some(Err((_, code))) => Err(cluster.error("create a topic", &KafkaError::AdminOp(code))),
        Some(Ok(_)) | None => Ok(config.partitions),
    }
}

fn grow(cluster: &Cluster, name: &str, partitions: u32) -> Result<(), Error> {
    let wanted = NewPartitions::new(name, partitions as usize);
    let clients = cluster.clients();
    let grown = wait_for(clients.admin.create_partitions([&wanted], &admin_options()));
    let grown = grown.map_err(|error| cluster.error("add partitions", &error))?;
    match grown.into_iter().next() {
        // Somebody was faster.
        Some(Err((_, RDKafkaErrorCode::InvalidPartitions)) | Ok(_)) | None => Ok(()),
        Some(Err((_, code))) => Err(cluster.error("add partitions", &KafkaError::AdminOp(code))),
    }
}

/// Age and bytes that each topic keeps.
fn limits(cluster: &Cluster, names: &[&str]) -> Result<Vec<Limits>, Error> {
    let found = configs(cluster, names)?;
    let limit = |found: &ConfigResource, name: &str| found.get(name)?.value.as_deref()?.parse().ok();
    Ok(found.iter().map(|found| (limit(found, "retention.ms"), limit(found, "retention.bytes"))).collect())
}

fn configs(cluster: &Cluster, names: &[&str]) -> Result<Vec<ConfigResource>, Error> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let wanted: Vec<ResourceSpecifier<'_>> = names.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
    let clients = cluster.clients();
    let found = wait_for(clients.admin.describe_configs(&wanted, &admin_options()));
    let found = found.map_err(|error| cluster.error("ask for the limits of topics", &error))?;
    let failed = |code| cluster.error("ask for the limits of topics", &KafkaError::AdminOp(code));
    found.into_iter().map(|found| found.map_err(failed)).collect()
}

/// Sets the limits and leaves everything else that was set for the topic as it is.
fn limit(cluster: &Cluster, name: &str, config: &TopicConfig) -> Result<(), Error> {
    let mut entries: HashMap<String, String> = HashMap::new();
    for found in configs(cluster, &[name])? {
        let set = found.entries.into_iter().filter(|entry| entry.source == ConfigSource::DynamicTopic);
        entries.extend(set.filter_map(|entry| Some((entry.name, entry.value?))));
    }
    entries.insert("retention.ms".to_owned(), text(config.retention_ms));
    entries.insert("retention.bytes".to_owned(), text(config.retention_bytes));
    let wanted = entries
        .iter()
        .fold(AlterConfig::new(ResourceSpecifier::Topic(name)), |wanted, (name, value)| wanted.set(name, value));
    let clients = cluster.clients();
    let altered = wait_for(clients.admin.alter_configs([&wanted], &admin_options()));
    let altered = altered.map_err(|error| cluster.error("set the limits of a topic", &error))?;
    let failed = |code| cluster.error("set the limits of a topic", &KafkaError::AdminOp(code));
    altered.into_iter().try_for_each(|altered| altered.map(drop).map_err(|(_, code)| failed(code)))
}

/// How many partitions of a topic have a leader that the brokers know of.
fn led(cluster: &Cluster, name: &str) -> Result<usize, Error> {
    let metadata = cluster.clients().asking.fetch_metadata(None, PATIENCE);
    let metadata = metadata.map_err(|error| cluster.error("list the topics", &error))?;
    let found = metadata.topics().iter().find(|topic| topic.name() == name);
    Ok(found.map_or(0, |topic| topic.partitions().iter().filter(|held| held.leader() >= 0).count()))
}

/// Waits until the brokers know what was changed: they are told one by one.
fn wait_until(
    cluster: &Cluster,
    action: &'static str,
    is_known: impl Fn() -> Result<bool, Error>,
) -> Result<(), Error> {
    let started = Instant::now();
    while !is_known()? {
        if started.elapsed() > PATIENCE {
            return Err(cluster.error(action, &KafkaError::AdminOp(RDKafkaErrorCode::OperationTimedOut)));
        }
        sleep(PAUSE);
    }
    Ok(())
}

/// A limit as Kafka writes it; minus one is none.
fn text(limit: Option<u64>) -> String {
    limit.map_or_else(|| "-1".to_owned(), |limit| i64::try_from(limit).unwrap_or(i64::MAX).to_string())
}
