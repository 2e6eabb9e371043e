//! The loop of a consumer group: read, filter, start deliveries, commit.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use streamforge_bus::{Bus, OffsetRange, StoredRecord};
use tokio::{
    task::{JoinError, JoinSet},
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{
    InitialOffset, Options, Subscription,
    delivery::{Delivery, Outcome},
    progress::Progress,
    sender::Sender,
};
use crate::{Error, endpoints::Endpoints, manifest::DeliveryOrder, message::Message};

/// Bytes read at once from a partition.
const READ_BYTES: usize = 4 << 20;

/// Wait before the log is read again after it failed.
const READ_RETRY: Duration = Duration::from_secs(1);

/// One consumer group that delivers to one subscriber.
pub struct Dispatcher {
    subscription: Arc<Subscription>,
    bus: Arc<dyn Bus>,
    client: reqwest::Client,
    endpoints: Endpoints,
    options: Options,
    partitions: Vec<Partition>,
}

struct Partition {
    number: u32,
    /// Offset of the next record to read.
    position: u64,
    /// End of the partition when last looked at.
    end: u64,
    buffer: VecDeque<StoredRecord>,
    in_flight: usize,
    progress: Progress,
    committed: u64,
}

type Deliveries = JoinSet<(usize, u64, Outcome)>;

impl Dispatcher {
    /// Prepares a dispatcher. A group without offsets has them committed when this returns, so that its lag is defined.
    ///
    /// # Errors
    /// [`Error::Bus`] if the topic does not exist or the log does not work.
    pub async fn open(
        subscription: Subscription,
        bus: Arc<dyn Bus>,
        endpoints: Endpoints,
        client: reqwest::Client,
        options: Options,
    ) -> Result<Self, Error> {
        let failed = |action| {
            let topic = subscription.topic.clone();
            move |source| Error::Bus { action, topic, source }
        };
        let (group, topic) = (&subscription.group, &subscription.topic);
        let topics = bus.topics().await.map_err(failed("find the offsets of"))?;
        let described = topics.into_iter().find(|described| described.name == *topic);
        let unknown = || streamforge_bus::Error::UnknownTopic { topic: topic.clone() };
        let ranges = described.ok_or_else(unknown).map_err(failed("find the end of"))?.offsets;
        let known = bus.committed(group, topic).await.map_err(failed("find the offsets of"))?;
        let mut partitions = Vec::new();
        for (number, OffsetRange { start, end }) in (0..).zip(ranges) {
            let known = known.get(number as usize).copied().flatten();
            let next = match (known, options.initial_offset) {
                (Some(next), _) => next,
                (None, InitialOffset::Earliest) => start,
                (None, InitialOffset::Latest) => end,
            };
            if known.is_none() {
                let committing = bus.commit(group, topic, number, next);
                committing.await.map_err(failed("commit the first offsets of"))?;
            }
            partitions.push(Partition::new(number, next, end));
        }
        Ok(Self { subscription: Arc::new(subscription), bus, client, endpoints, options, partitions })
    }

    /// Delivers until stopped; then lets requests in flight end, for a while, and commits.
    pub async fn run(mut self, stop: CancellationToken) {
        let delivery = Delivery {
            subscription: Arc::clone(&self.subscription),
            sender: Sender {
                bus: Arc::clone(&self.bus),
                client: self.client.clone(),
                endpoints: self.endpoints.clone(),
                namespace: self.subscription.trigger.namespace.clone(),
                timeout: self.subscription.timeout,
                stop: stop.clone(),
            },
        };
        let mut deliveries = Deliveries::new();
        let mut appended = self.bus.appended();
        let mut commits = interval(self.options.commit_interval);
        commits.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_look_due = true;
        info!(trigger = %self.subscription.trigger, "dispatcher started");
        loop {
            if is_look_due {
                appended.borrow_and_update();
                is_look_due = !self.look().await;
            }
            let is_broken = is_look_due || !self.fill().await;
            self.start(&delivery, &mut deliveries);
            if deliveries.is_empty() && self.is_at_end() {
                self.commit().await;
            }
            let has_more = !is_broken && self.has_room(deliveries.len()) && self.can_start();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = commits.tick(), if self.has_uncommitted() => self.commit().await,
                Some(ended) = deliveries.join_next() => {
                    self.end(ended);
                    while let Some(ended) = deliveries.try_join_next() {
                        self.end(ended);
                    }
                }
                () = std::future::ready(()), if has_more => {}
                changed = appended.changed(), if !is_broken => {
                    is_look_due = true;
                    if changed.is_err() {
                        error!(trigger = %self.subscription.trigger, "the event log is closed");
                        break;
                    }
                }
                () = tokio::time::sleep(READ_RETRY), if is_broken => {}
            }
        }
        self.drain(deliveries).await;
        info!(trigger = %self.subscription.trigger, "dispatcher stopped");
    }

    async fn drain(&mut self, mut deliveries: Deliveries) {
        let limit = self.options.drain;
        let all = async {
            while let Some(ended) = deliveries.join_next().await {
                self.end(ended);
            }
        };
        if timeout(limit, all).await.is_err() {
            let trigger = &self.subscription.trigger;
            warn!(%trigger, "requests cut off; their events will be delivered again");
        }
        self.commit().await;
    }

    /// Notes how far the partitions reach; false if the log does not say.
    async fn look(&mut self) -> bool {
        match self.bus.end_offsets(&self.subscription.topic).await {
            Ok(ends) => {
                for (number, end) in (0..).zip(ends) {
                    match self.partitions.get_mut(number as usize) {
                        Some(partition) => partition.end = end,
                        // Added while running, so none of its records can have been delivered yet.
                        None => self.partitions.push(Partition::new(number, 0, end)),
                    }
                }
                true
            }
            Err(error) => {
                let topic = &self.subscription.topic;
                warn!(%topic, %error, "failed to look for records");
                false
            }
        }
    }

    /// Reads on where nothing is left to start; false if the log cannot be read.
    async fn fill(&mut self) -> bool {
        let topic = &self.subscription.topic;
        for partition in &mut self.partitions {
            while partition.buffer.is_empty() && partition.position < partition.end {
                let (number, from) = (partition.number, partition.position);
                let read = match self.bus.fetch(topic, number, from, self.options.batch, READ_BYTES).await {
                    Err(streamforge_bus::Error::RecordsGone { resume, .. }) => {
                        lose(self.bus.as_ref(), &self.subscription, partition, resume).await
                    }
                    read => read,
                };
                match read {
                    Ok(records) => {
                        partition.position = records.last().map_or(partition.position, |last| last.offset + 1);
                        partition.buffer.extend(records);
                    }
                    Err(error) => {
                        warn!(%topic, partition = number, %error, "failed to read");
                        return false;
                    }
                }
            }
        }
        true
    }

    /// Starts deliveries, one partition after the other, as long as there is room.
    fn start(&mut self, delivery: &Delivery, deliveries: &mut Deliveries) {
        let mut has_started = true;
        while has_started {
            has_started = false;
            for index in 0..self.partitions.len() {
                if !self.has_room(deliveries.len()) {
                    return;
                }
                if !self.is_ready(&self.partitions[index]) {
                    continue;
                }
                let partition = &mut self.partitions[index];
                let Some(stored) = partition.buffer.pop_front() else {
                    continue;
                };
                has_started = true;
                partition.progress.start(stored.offset);
                let Some(event) = wanted(&self.subscription, &stored) else {
                    partition.progress.finish(stored.offset);
                    continue;
                };
                partition.in_flight += 1;
                let delivery = delivery.clone();
                deliveries.spawn(async move {
                    let (partition, offset) = (stored.partition, stored.offset);
                    let outcome = delivery.deliver(event, partition, offset).await;
                    (index, offset, outcome)
                });
            }
        }
    }

    fn end(&mut self, ended: Result<(usize, u64, Outcome), JoinError>) {
        match ended {
            Ok((index, offset, outcome)) => {
                let partition = &mut self.partitions[index];
                partition.in_flight -= 1;
                if outcome == Outcome::Finished {
                    partition.progress.finish(offset);
                }
            }
            // Its event stays uncommitted, so the next start delivers it again.
            Err(error) => error!(trigger = %self.subscription.trigger, %error, "delivery broke"),
        }
    }

    async fn commit(&mut self) {
        let Subscription { group, topic, .. } = &*self.subscription;
        for partition in &mut self.partitions {
            let next = partition.progress.next();
            if next <= partition.committed {
                continue;
            }
            match self.bus.commit(group, topic, partition.number, next).await {
                Ok(()) => partition.committed = next,
                Err(error) => warn!(%group, %topic, %error, "failed to commit"),
            }
        }
    }

    fn has_room(&self, in_flight: usize) -> bool {
        self.subscription.order == DeliveryOrder::Ordered || in_flight < self.options.max_in_flight
    }

    fn is_ready(&self, partition: &Partition) -> bool {
        self.subscription.order == DeliveryOrder::Unordered || partition.in_flight == 0
    }

    /// Whether a partition that may start a delivery has something left to read or to start.
    fn can_start(&self) -> bool {
        self.partitions.iter().any(|partition| self.is_ready(partition) && !partition.is_at_end())
    }

    fn is_at_end(&self) -> bool {
        self.partitions.iter().all(Partition::is_at_end)
    }

    fn has_uncommitted(&self) -> bool {
        self.partitions.iter().any(|partition| partition.progress.next() > partition.committed)
    }
}

impl Partition {
    fn new(number: u32, next: u64, end: u64) -> Self {
        Self {
            number,
            position: next,
            end,
            buffer: VecDeque::new(),
            in_flight: 0,
            progress: Progress::new(next),
            committed: next,
        }
    }

    fn is_at_end(&self) -> bool {
        self.buffer.is_empty() && self.position >= self.end
    }
}

/// Goes on at the next record held, after saying and keeping in mind what the group has missed.
async fn lose(
    bus: &dyn Bus,
    subscription: &Subscription,
    partition: &mut Partition,
    resume: u64,
) -> Result<Vec<StoredRecord>, streamforge_bus::Error> {
    let Subscription { group, topic, .. } = subscription;
    let (number, from) = (partition.number, partition.position);
    bus.record_loss(group, topic, number, from, resume).await?;
    let lost = resume.saturating_sub(from);
    error!(%group, %topic, partition = number, from, resume, lost, "records were gone before they were delivered");
    partition.progress.skip_to(resume);
    partition.position = resume;
    Ok(Vec::new())
}

/// The event of a record that passes the filter; a record that is no event is passed over, as in Knative.
fn wanted(subscription: &Subscription, stored: &StoredRecord) -> Option<Message> {
    match Message::from_record(&stored.record) {
        Ok(event) => subscription.filter.matches(&event).then_some(event),
        Err(error) => {
            let StoredRecord { topic, partition, offset, .. } = stored;
            warn!(%topic, partition, offset, %error, "record passed over");
            None
        }
    }
}
