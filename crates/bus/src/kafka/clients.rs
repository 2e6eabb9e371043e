//! The clients of a cluster: one that produces, one that administers, one that asks, and one for each group.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError, RwLock, Weak},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, ClientContext,
    admin::{AdminClient, AdminOptions},
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
    metadata::MetadataTopic,
    producer::{FutureProducer, Producer as _},
    types::RDKafkaErrorCode,
};
use tokio::sync::watch;
use tracing::{debug, info, warn};

use super::{
    cursors::Cursors,
    failure::{self, Trouble},
    location::{Location, Stamp},
    membership::Membership,
};
use crate::Error;

/// Longest wait for an answer of the cluster.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);

/// How long the number of a topic's partitions is taken for granted.
const FRESH: Duration = Duration::from_secs(5);

/// Clients of groups that are kept; each has threads and connections of its own.
const MOST_GROUPS: usize = 48;

pub(super) type Consumer = BaseConsumer<Context>;

/// What librdkafka tells about itself.
pub(super) struct Context {
    trouble: Arc<Trouble>,
    /// Of a client that is a member of its group.
    pub(super) membership: Option<Arc<Membership>>,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // What matters comes back as the outcome of a call; these are its many details.
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                warn!(facility, message, "Kafka client");
            }
            _ => debug!(facility, message, "Kafka client"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let Some(code) = error.rdkafka_error_code().filter(|code| *code != RDKafkaErrorCode::PartitionEOF) else {
            return;
        };
        debug!(%code, reason, "Kafka client");
        self.trouble.note(code, reason);
    }
}

/// Everything that goes by the same credentials.
pub(super) struct Clients {
    pub(super) producer: FutureProducer<Context>,
    pub(super) admin: AdminClient<Context>,
    /// Asks for topics, offsets and groups.
    pub(super) asking: Arc<Consumer>,
    pub(super) cursors: Cursors,
    groups: Mutex<HashMap<String, (Instant, Arc<Consumer>)>>,
    config: ClientConfig,
    stamp: Stamp,
}

/// A cluster, as all parts of the bus share it.
pub(super) struct Cluster {
    location: Location,
    /// The brokers, as errors name them.
    pub(super) name: String,
    pub(super) trouble: Arc<Trouble>,
    clients: RwLock<Arc<Clients>>,
    topics: Mutex<HashMap<String, (Instant, u32)>>,
    members: Mutex<HashMap<String, Weak<Consumer>>>,
    /// Raised with each append that this process knows of.
    pub(super) appended: watch::Sender<u64>,
    /// End of each topic that is looked at, so that appends of others are noticed.
    pub(super) watched: Mutex<BTreeMap<String, super::tail::Watched>>,
}

impl Cluster {
    /// Makes the clients and waits until the cluster has answered.
    pub(super) fn connect(location: Location) -> Result<Self, Error> {
        let trouble = Arc::new(Trouble::default());
        let name = location.to_string();
        let clients = Clients::new(&location, &name, &trouble)?;
        let cluster = Self {
            location,
            name,
            trouble,
            clients: RwLock::new(Arc::new(clients)),
            topics: Mutex::default(),
            members: Mutex::default(),
            appended: watch::Sender::new(0),
            watched: Mutex::default(),
        };
        cluster.wait_until_reached()?;
        Ok(cluster)
    }

    fn wait_until_reached(&self) -> Result<(), Error> {
        let started = Instant::now();
        let asking = Arc::clone(&self.clients().asking);
        loop {
            // An error of a client is told by its queue.
            asking.poll(Duration::ZERO);
            match asking.fetch_metadata(None, Duration::from_secs(1)) {
                Ok(_) => {
                    self.trouble.clear();
                    return Ok(());
                }
                Err(error) if self.trouble.is_refusal() || started.elapsed() > PATIENCE => {
                    asking.poll(Duration::ZERO);
                    return Err(self.error("reach it", &error));
                }
                Err(_) => {}
            }
        }
    }

    pub(super) fn clients(&self) -> Arc<Clients> {
        Arc::clone(&self.clients.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes new clients where user, password or authority have changed, or where the producer has given up.
    pub(super) fn renew(&self) -> Result<(), Error> {
        let now = self.clients();
        let is_broken = now.producer.client().fatal_error();
        if now.stamp == self.location.stamp() && is_broken.is_none() {
            return Ok(());
        }
        let clients = Arc::new(Clients::new(&self.location, &self.name, &self.trouble)?);
        *self.clients.write().unwrap_or_else(PoisonError::into_inner) = clients;
        self.trouble.clear();
        info!(cluster = %self.name, "connecting to Kafka anew");
        Ok(())
    }

    /// When the credentials in use were read; members connect anew when it changes.
    pub(super) fn stamp(&self) -> Stamp {
        self.clients().stamp.clone()
    }

    /// Number of a topic's partitions.
    pub(super) fn partitions(&self, topic: &str) -> Result<u32, Error> {
        if let Some(count) = self.known_partitions(topic) {
            return Ok(count);
        }
        let clients = self.clients();
        // All at once: there are not many, and each is asked for soon.
        let asked = clients.asking.fetch_metadata(None, PATIENCE);
        let metadata = asked.map_err(|error| self.error("ask for the topics", &error))?;
        let now = Instant::now();
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        topics.clear();
        topics.extend(metadata.topics().iter().map(|found| (found.name().to_owned(), (now, count(found)))));
        let found = topics.get(topic).filter(|(_, count)| *count > 0).map(|(_, count)| *count);
        drop(topics);
        found.map_or_else(|| self.unlisted_partitions(&clients, topic), Ok)
    }

    /// A topic that is not listed may be there, but not for us.
    fn unlisted_partitions(&self, clients: &Clients, topic: &str) -> Result<u32, Error> {
        // The brokers create no topic for clients that read.
        let asked = clients.asking.fetch_metadata(Some(topic), PATIENCE);
        let metadata = asked.map_err(|error| self.topic_error("ask for a topic", topic, &error))?;
        let found = metadata.topics().first();
        if let Some(code) = found.and_then(MetadataTopic::error).map(RDKafkaErrorCode::from) {
            return Err(self.topic_error("use a topic", topic, &KafkaError::MetadataFetch(code)));
        }
        let count = found.map(count).filter(|count| *count > 0);
        count.ok_or_else(|| Error::UnknownTopic { topic: topic.to_owned() })
    }

    /// Number of a topic's partitions where it was asked for lately, which is nearly always.
    pub(super) fn known_partitions(&self, topic: &str) -> Option<u32> {
        let topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        topics.get(topic).filter(|(asked, count)| asked.elapsed() < FRESH && *count > 0).map(|(_, count)| *count)
    }

    pub(super) fn forget_topics(&self) {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// A client for the offsets of a group: that of a member of this process, if there is one, for the cluster takes
    /// none but members' commits while there are any.
    pub(super) fn group(&self, group: &str) -> Result<Arc<Consumer>, Error> {
        let members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(member) = members.get(group).and_then(Weak::upgrade) {
            return Ok(member);
        }
        drop(members);
        self.clients().group(group).map_err(|error| self.error("make a client", &error))
    }

    /// A client for the offsets of a group that is not kept.
    pub(super) fn visit(&self, group: &str) -> Result<Arc<Consumer>, Error> {
        let clients = self.clients();
        let known = clients.groups.lock().unwrap_or_else(PoisonError::into_inner).contains_key(group);
        let is_member = self.members.lock().unwrap_or_else(PoisonError::into_inner).contains_key(group);
        if known || is_member {
            return self.group(group);
        }
        clients.consumer(group, None, &self.trouble).map_err(|error| self.error("make a client", &error))
    }

    /// A client that is going to join its group.
    pub(super) fn member(
        &self,
        group: &str,
        instance: Option<&str>,
        membership: &Arc<Membership>,
    ) -> Result<Arc<Consumer>, Error> {
        let clients = self.clients();
        // One that only looks after the offsets would be refused while there are members.
        clients.groups.lock().unwrap_or_else(PoisonError::into_inner).remove(group);
        let made = clients.consumer(group, Some((instance, membership)), &self.trouble);
        let consumer = made.map_err(|error| self.error("make a client", &error))?;
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        members.retain(|_, member| member.strong_count() > 0);
        members.insert(group.to_owned(), Arc::downgrade(&consumer));
        Ok(consumer)
    }

    pub(super) fn error(&self, action: &'static str, source: &KafkaError) -> Error {
        failure::error(&self.name, &self.trouble, action, source)
    }

    pub(super) fn topic_error(&self, action: &'static str, topic: &str, source: &KafkaError) -> Error {
        failure::topic_error(&self.name, &self.trouble, action, topic, source)
    }

    pub(super) fn raise(&self, records: usize) {
        self.appended.send_modify(|count| *count = count.wrapping_add(records as u64));
    }
}

impl Clients {
    fn new(location: &Location, name: &str, trouble: &Arc<Trouble>) -> Result<Self, Error> {
        // Before the files are read: one that changes meanwhile is read again.
        let stamp = location.stamp();
        let config = location.config()?;
        let context = || Context { trouble: Arc::clone(trouble), membership: None };
        let failed = |error: KafkaError| failure::error(name, trouble, "make a client", &error);
        let mut producing = config.clone();
        producing
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("compression.type", "lz4")
            .set("linger.ms", "1")
            .set("delivery.timeout.ms", "30000")
            // The brokers decide what is too large; see `create_topic`.
            .set("message.max.bytes", "2000000");
        let producer = producing.create_with_context(context()).map_err(failed)?;
        let admin = config.create_with_context(context()).map_err(failed)?;
        let asking = consumer(&config, "streamforge-readers", None, trouble).map_err(failed)?;
        let cursors = Cursors::default();
        Ok(Self { producer, admin, asking, cursors, groups: Mutex::default(), config, stamp })
    }

    /// A client that reads, or asks for a group's offsets, or joins.
    pub(super) fn consumer(
        &self,
        group: &str,
        member: Option<(Option<&str>, &Arc<Membership>)>,
        trouble: &Arc<Trouble>,
    ) -> Result<Arc<Consumer>, KafkaError> {
        consumer(&self.config, group, member, trouble)
    }

    fn group(&self, group: &str) -> Result<Arc<Consumer>, KafkaError> {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((used, client)) = groups.get_mut(group) {
            *used = Instant::now();
            return Ok(Arc::clone(client));
        }
        let oldest = groups.iter().min_by_key(|(_, (used, _))| *used).map(|(name, _)| name.clone());
        if let Some(oldest) = oldest.filter(|_| groups.len() >= MOST_GROUPS) {
            groups.remove(&oldest);
        }
        let client = self.consumer(group, None, &self.asking.context().trouble)?;
        groups.insert(group.to_owned(), (Instant::now(), Arc::clone(&client)));
        Ok(client)
    }
}

fn consumer(
    config: &ClientConfig,
    group: &str,
    member: Option<(Option<&str>, &Arc<Membership>)>,
    trouble: &Arc<Trouble>,
) -> Result<Arc<Consumer>, KafkaError> {
    let mut config = reading(config);
    config.set("group.id", group);
    let mut membership = None;
    if let Some((instance, joining)) = member {
        config
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", "10000")
            .set("heartbeat.interval.ms", "2000")
            .set("enable.partition.eof", "false")
            // A client that ends in an error cannot be sent elsewhere; its reader sees that offsets are left out.
            .set("auto.offset.reset", "earliest");
        if let Some(instance) = instance {
            config.set("group.instance.id", instance);
        }
        membership = Some(Arc::clone(joining));
    }
    let context = Context { trouble: Arc::clone(trouble), membership };
    config.create_with_context(context).map(Arc::new)
}

/// Reading never commits by itself, and never skips what is gone without a word.
fn reading(config: &ClientConfig) -> ClientConfig {
    let mut config = config.clone();
    config
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("enable.partition.eof", "true")
        .set("allow.auto.create.topics", "false")
        .set("queued.max.messages.kbytes", "8192")
        .set("queued.min.messages", "10000")
        .set("fetch.wait.max.ms", "500")
        .set("fetch.error.backoff.ms", "100");
    config
}

/// Number of a topic's partitions.
pub(super) fn count(topic: &MetadataTopic) -> u32 {
    u32::try_from(topic.partitions().len()).unwrap_or(u32::MAX)
}

/// How administration waits.
pub(super) fn admin_options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(PATIENCE)).request_timeout(Some(PATIENCE))
}

/// Waits for administration, on a thread of the runtime that may block.
pub(super) fn wait_for<T>(administration: impl Future<Output = T>) -> T {
    tokio::runtime::Handle::current().block_on(administration)
}
