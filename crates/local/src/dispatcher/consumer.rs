//! The loop of a consumer group: read, filter, start deliveries, commit.
//!
//! All of it is one task: an answer that arrives wakes the loop once, whichever of its deliveries it belongs to, and
//! nothing is handed from thread to thread. Reads and commits go on beside the deliveries.

use std::{collections::VecDeque, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::{
    FutureExt as _, StreamExt as _,
    future::{BoxFuture, Fuse, FusedFuture as _, join_all},
    stream::FuturesUnordered,
};
use streamforge_bus::{Bus, OffsetRange, StoredRecord};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{
    InitialOffset, Options, Subscription,
    delivery::{Delivery, Outcome},
    progress::Progress,
    reading::{self, News},
    sender::Sender,
};
use crate::{Error, endpoints::Endpoints, manifest::DeliveryOrder, message::Message};

/// Wait before the log is read again after it failed.
const READ_RETRY: Duration = Duration::from_secs(1);

/// How long nothing may be left to do before that is committed. A commit costs the disk as much as an event does, so
/// events that follow each other closely share one.
const IDLE: Duration = Duration::from_millis(5);

/// One consumer group that delivers to one subscriber.
pub struct Dispatcher {
    subscription: Arc<Subscription>,
    bus: Arc<dyn Bus>,
    client: reqwest::Client,
    endpoints: Endpoints,
    options: Options,
    partitions: Vec<Partition>,
    has_failed_to_commit: bool,
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

/// A delivery that has ended: index of the partition, offset, what came of it.
struct Ended {
    index: usize,
    offset: u64,
    outcome: Outcome,
}

type Deliveries = FuturesUnordered<BoxFuture<'static, Ended>>;

/// A read under way; none if it failed.
type Reading = Fuse<BoxFuture<'static, Option<News>>>;

/// Commits under way: partitions by index, and how far they were committed; none where that failed.
type Committing = Fuse<BoxFuture<'static, Vec<(usize, Option<u64>)>>>;

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
        Ok(Self {
            subscription: Arc::new(subscription),
            bus,
            client,
            endpoints,
            options,
            partitions,
            has_failed_to_commit: false,
        })
    }

    /// Delivers until stopped; then lets requests in flight end, for a while, and commits.
    pub async fn run(mut self, stop: CancellationToken) {
        let delivery = Arc::new(Delivery {
            subscription: Arc::clone(&self.subscription),
            sender: Sender {
                bus: Arc::clone(&self.bus),
                client: self.client.clone(),
                endpoints: self.endpoints.clone(),
                namespace: self.subscription.trigger.namespace.clone(),
                timeout: self.subscription.timeout,
                stop: stop.clone(),
            },
        });
        let mut deliveries = Deliveries::new();
        let (mut reading, mut committing) = (Reading::terminated(), Committing::terminated());
        let mut appended = self.bus.appended();
        let mut commits = interval(self.options.commit_interval);
        commits.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_look_due = true;
        info!(trigger = %self.subscription.trigger, "dispatcher started");
        loop {
            self.start(&delivery, &mut deliveries);
            if reading.is_terminated() && (is_look_due || self.can_read()) {
                appended.borrow_and_update();
                is_look_due = false;
                reading = self.read();
            }
            let is_idle = deliveries.is_empty() && reading.is_terminated() && self.is_at_end();
            let can_commit = committing.is_terminated() && self.has_uncommitted();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                committed = &mut committing => self.note_committed(committed),
                _ = commits.tick(), if can_commit => committing = self.commit(),
                news = &mut reading => match news {
                    Some(news) => self.note_news(news),
                    None => is_look_due = true,
                },
                Some(ended) = deliveries.next() => {
                    self.end(&ended);
                    while let Some(Some(ended)) = deliveries.next().now_or_never() {
                        self.end(&ended);
                    }
                }
                changed = appended.changed(), if reading.is_terminated() => {
                    is_look_due = true;
                    if changed.is_err() {
                        error!(trigger = %self.subscription.trigger, "the event log is closed");
                        break;
                    }
                }
                // What failed waits for the next tick.
                () = sleep(IDLE), if is_idle && can_commit && !self.has_failed_to_commit => committing = self.commit(),
            }
        }
        self.drain(deliveries, committing).await;
        info!(trigger = %self.subscription.trigger, "dispatcher stopped");
    }

    async fn drain(&mut self, mut deliveries: Deliveries, committing: Committing) {
        let limit = self.options.drain;
        let all = async {
            while let Some(ended) = deliveries.next().await {
                self.end(&ended);
            }
        };
        if timeout(limit, all).await.is_err() {
            let trigger = &self.subscription.trigger;
            warn!(%trigger, "requests cut off; their events will be delivered again");
        }
        if !committing.is_terminated() {
            self.note_committed(committing.await);
        }
        self.commit().await;
    }

    /// Whether a partition that has nothing left to start has more in the log.
    fn can_read(&self) -> bool {
        self.partitions.iter().any(|partition| partition.buffer.is_empty() && partition.position < partition.end)
    }

    /// Looks how far the partitions reach, and reads on where nothing is left to start.
    fn read(&self) -> Reading {
        let (bus, subscription) = (Arc::clone(&self.bus), Arc::clone(&self.subscription));
        let batch = self.options.batch;
        // None for a partition that still has records to start.
        let positions: Vec<Option<u64>> = (self.partitions.iter())
            .map(|partition| partition.buffer.is_empty().then_some(partition.position))
            .collect();
        let reading = async move {
            match reading::read(bus.as_ref(), &subscription, positions, batch).await {
                Ok(news) => Some(news),
                Err(error) => {
                    warn!(topic = %subscription.topic, %error, "failed to read");
                    sleep(READ_RETRY).await;
                    None
                }
            }
        };
        reading.boxed().fuse()
    }

    fn note_news(&mut self, news: News) {
        for (index, (number, end)) in (0..).zip(news.ends).enumerate() {
            match self.partitions.get_mut(index) {
                Some(partition) => partition.end = end,
                // Added while running, so none of its records can have been delivered yet.
                None => self.partitions.push(Partition::new(number, 0, end)),
            }
        }
        for batch in news.batches {
            let partition = &mut self.partitions[batch.partition];
            if batch.from > partition.position {
                partition.progress.skip_to(batch.from);
            }
            partition.position = batch.records.last().map_or(batch.from, |last| last.offset + 1);
            partition.buffer.extend(batch.records);
        }
    }

    /// Starts deliveries, one partition after the other, as long as there is room.
    fn start(&mut self, delivery: &Arc<Delivery>, deliveries: &mut Deliveries) {
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
                let offset = stored.offset;
                let Some(event) = wanted(&self.subscription, stored) else {
                    partition.progress.finish(offset);
                    continue;
                };
                partition.in_flight += 1;
                let (delivery, number) = (Arc::clone(delivery), partition.number);
                let delivering = async move {
                    let delivered = AssertUnwindSafe(delivery.deliver(event, number, offset)).catch_unwind();
                    let outcome = delivered.await.unwrap_or_else(|_| {
                        // Its event stays uncommitted, so the next start delivers it again.
                        error!(trigger = %delivery.subscription.trigger, offset, "delivery broke");
                        Outcome::Abandoned
                    });
                    Ended { index, offset, outcome }
                };
                deliveries.push(delivering.boxed());
            }
        }
    }

    fn end(&mut self, ended: &Ended) {
        let partition = &mut self.partitions[ended.index];
        partition.in_flight -= 1;
        if ended.outcome == Outcome::Finished {
            partition.progress.finish(ended.offset);
        }
    }

    /// Commits what is finished; the log puts the partitions into one transaction.
    fn commit(&self) -> Committing {
        let finished = self.partitions.iter().enumerate();
        let finished = finished.filter(|(_, partition)| partition.progress.next() > partition.committed);
        let commits: Vec<_> = finished
            .map(|(index, partition)| {
                let (bus, subscription) = (Arc::clone(&self.bus), Arc::clone(&self.subscription));
                let (number, next) = (partition.number, partition.progress.next());
                async move {
                    let Subscription { group, topic, .. } = &*subscription;
                    match bus.commit(group, topic, number, next).await {
                        Ok(()) => (index, Some(next)),
                        Err(error) => {
                            warn!(%group, %topic, %error, "failed to commit");
                            (index, None)
                        }
                    }
                }
            })
            .collect();
        join_all(commits).boxed().fuse()
    }

    fn note_committed(&mut self, committed: Vec<(usize, Option<u64>)>) {
        self.has_failed_to_commit = false;
        for (index, next) in committed {
            match next {
                Some(next) => self.partitions[index].committed = next,
                None => self.has_failed_to_commit = true,
            }
        }
    }

    fn has_room(&self, in_flight: usize) -> bool {
        self.subscription.order == DeliveryOrder::Ordered || in_flight < self.options.max_in_flight
    }

    fn is_ready(&self, partition: &Partition) -> bool {
        self.subscription.order == DeliveryOrder::Unordered || partition.in_flight == 0
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

/// The event of a record that passes the filter; a record that is no event is passed over, as in Knative.
fn wanted(subscription: &Subscription, stored: StoredRecord) -> Option<Message> {
    let StoredRecord { topic, partition, offset, record } = stored;
    match Message::from_record(record) {
        Ok(event) => subscription.filter.matches(&event).then_some(event),
        Err(error) => {
            warn!(%topic, partition, offset, %error, "record passed over");
            None
        }
    }
}
