//! The loop of a consumer group: read, filter, start deliveries, commit.
//!
//! All of it is one task: an answer that arrives wakes the loop once, whichever of its deliveries it belongs to, and
//! nothing is handed from thread to thread. Reads and commits go on beside the deliveries. Partitions come and go as the
//! group shares them out; what is wanted back is finished, committed and let go.

use std::{
    collections::{BTreeMap, VecDeque},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use futures::{
    FutureExt as _, StreamExt as _,
    future::{BoxFuture, Fuse, FusedFuture as _, join_all},
    stream::FuturesUnordered,
};
use streamforge_bus::{Bus, Member, Seat, Share, Shares, StoredRecord};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{
    Options, Subscription,
    delivery::{Delivery, Outcome},
    progress::Progress,
    reading::{self, Found, Place},
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
    member: Arc<dyn Member>,
    client: reqwest::Client,
    endpoints: Endpoints,
    options: Options,
    /// Those of the group that are ours.
    partitions: BTreeMap<u32, Partition>,
    has_failed_to_commit: bool,
}

struct Partition {
    /// Which time it came to us: what is left of an earlier one does not count.
    epoch: u64,
    /// Offset of the next record to read.
    position: u64,
    /// End of the partition when last looked at.
    end: u64,
    buffer: VecDeque<StoredRecord>,
    in_flight: usize,
    progress: Progress,
    committed: u64,
    /// Nothing more of it is started.
    is_wanted_back: bool,
}

/// A delivery that has ended: partition and which time it was ours, offset, what came of it.
struct Ended {
    partition: u32,
    epoch: u64,
    offset: u64,
    outcome: Outcome,
}

type Deliveries = FuturesUnordered<BoxFuture<'static, Ended>>;

/// A read under way; none if it failed.
type Reading = Fuse<BoxFuture<'static, Option<Vec<Found>>>>;

/// Commits under way: partitions, and how far they were committed; none where that failed.
type Committing = Fuse<BoxFuture<'static, Vec<(u32, Option<u64>)>>>;

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
        let seat = Seat {
            group: subscription.group.clone(),
            topic: subscription.topic.clone(),
            initial_offset: options.initial_offset,
            instance: options.instance.clone(),
        };
        let joined = Arc::clone(&bus).join(seat).await;
        let topic = &subscription.topic;
        let member =
            joined.map_err(|source| Error::Bus { action: "join the group of", topic: topic.clone(), source })?;
        Ok(Self {
            subscription: Arc::new(subscription),
            bus,
            member,
            client,
            endpoints,
            options,
            partitions: BTreeMap::new(),
            has_failed_to_commit: false,
        })
    }

    /// Delivers until stopped; then lets requests in flight end, for a while, and commits.
    pub async fn run(mut self, stop: CancellationToken) {
        let metrics = self.options.metrics.of_trigger(&self.subscription.trigger);
        let delivery = Arc::new(Delivery {
            subscription: Arc::clone(&self.subscription),
            metrics: metrics.clone(),
            sender: Sender {
                bus: Arc::clone(&self.bus),
                client: self.client.clone(),
                endpoints: self.endpoints.clone(),
                namespace: self.subscription.trigger.namespace.clone(),
                timeout: self.subscription.timeout,
                stop: stop.clone(),
                metrics,
            },
        });
        let mut deliveries = Deliveries::new();
        let (mut reading, mut committing) = (Reading::terminated(), Committing::terminated());
        let (mut appended, mut shares) = (self.member.appended(), self.member.shares());
        shares.mark_changed();
        let mut commits = interval(self.options.commit_interval);
        commits.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_look_due = true;
        info!(trigger = %self.subscription.trigger, "dispatcher started");
        loop {
            if shares.has_changed().unwrap_or_default() {
                self.follow(&shares.borrow_and_update());
                is_look_due = true;
            }
            if committing.is_terminated() {
                self.let_go();
            }
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
                changed = shares.changed() => {
                    if changed.is_ok() {
                        // Looked at where the loop begins.
                        shares.mark_changed();
                    }
                }
                _ = commits.tick(), if can_commit => committing = self.commit(),
                found = &mut reading => match found {
                    Some(found) => self.note_found(found),
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
                () = sleep(IDLE), if (is_idle || self.is_waited_for()) && can_commit && !self.has_failed_to_commit => {
                    committing = self.commit();
                }
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
        self.member.leave().await;
    }

    /// Takes over the partitions that are ours now, and leaves those that are not.
    fn follow(&mut self, shares: &Shares) {
        self.partitions
            .retain(|number, partition| shares.get(number).is_some_and(|share| share.epoch == partition.epoch));
        for (number, share) in shares {
            match self.partitions.get_mut(number) {
                Some(partition) if share.is_wanted_back => {
                    partition.is_wanted_back = true;
                    partition.buffer.clear();
                }
                Some(_) => {}
                None if share.is_wanted_back => {}
                None => {
                    self.partitions.insert(*number, Partition::new(share));
                }
            }
        }
    }

    /// Lets go partitions that are wanted back, once all that was started is finished and committed.
    fn let_go(&mut self) {
        let member = &self.member;
        self.partitions.retain(|number, partition| {
            let is_done = partition.in_flight == 0 && partition.progress.next() <= partition.committed;
            let is_let_go = partition.is_wanted_back && is_done;
            if is_let_go {
                member.release(*number);
            }
            !is_let_go
        });
    }

    /// Whether others wait for a partition of which only the commit is missing.
    fn is_waited_for(&self) -> bool {
        self.partitions.values().any(|partition| partition.is_wanted_back && partition.in_flight == 0)
    }

    /// Whether a partition that has nothing left to start has more in the log.
    fn can_read(&self) -> bool {
        self.readable().any(|(_, partition)| partition.buffer.is_empty() && partition.position < partition.end)
    }

    /// Looks how far the partitions reach, and reads on where nothing is left to start.
    fn read(&self) -> Reading {
        let (bus, member) = (Arc::clone(&self.bus), Arc::clone(&self.member));
        let subscription = Arc::clone(&self.subscription);
        let batch = self.options.batch;
        let places: Vec<Place> = self
            .readable()
            .map(|(number, partition)| Place {
                partition: *number,
                epoch: partition.epoch,
                position: partition.buffer.is_empty().then_some(partition.position),
            })
            .collect();
        let reading = async move {
            match reading::read(bus.as_ref(), member.as_ref(), &subscription, &places, batch).await {
                Ok(found) => Some(found),
                Err(error) => {
                    warn!(topic = %subscription.topic, %error, "failed to read");
                    sleep(READ_RETRY).await;
                    None
                }
            }
        };
        reading.boxed().fuse()
    }

    fn note_found(&mut self, found: Vec<Found>) {
        for found in found {
            let partition = self.partitions.get_mut(&found.partition);
            let Some(partition) = partition.filter(|partition| partition.epoch == found.epoch) else { continue };
            partition.end = found.end;
            let Some(from) = found.from.filter(|_| !partition.is_wanted_back) else { continue };
            if from > partition.position {
                partition.progress.skip_to(from);
            }
            partition.position = found.records.last().map_or(from, |last| last.offset + 1);
            partition.buffer.extend(found.records);
        }
    }

    /// Partitions of which more may be started.
    fn readable(&self) -> impl Iterator<Item = (&u32, &Partition)> {
        self.partitions.iter().filter(|(_, partition)| !partition.is_wanted_back)
    }

    /// Starts deliveries, one partition after the other, as long as there is room.
    fn start(&mut self, delivery: &Arc<Delivery>, deliveries: &mut Deliveries) {
        let mut has_started = true;
        while has_started {
            has_started = false;
            let is_ordered = self.subscription.order == DeliveryOrder::Ordered;
            for (number, partition) in &mut self.partitions {
                if !is_ordered && deliveries.len() >= self.options.max_in_flight {
                    return;
                }
                if is_ordered && partition.in_flight > 0 {
                    continue;
                }
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
                let (delivery, number, epoch) = (Arc::clone(delivery), *number, partition.epoch);
                let delivering = async move {
                    let delivered = AssertUnwindSafe(delivery.deliver(event, number, offset)).catch_unwind();
                    let outcome = delivered.await.unwrap_or_else(|_| {
                        // Its event stays uncommitted, so the next start delivers it again.
                        error!(trigger = %delivery.subscription.trigger, offset, "delivery broke");
                        Outcome::Abandoned
                    });
                    Ended { partition: number, epoch, offset, outcome }
                };
                deliveries.push(delivering.boxed());
            }
        }
    }

    fn end(&mut self, ended: &Ended) {
        let partition = self.partitions.get_mut(&ended.partition);
        let Some(partition) = partition.filter(|partition| partition.epoch == ended.epoch) else { return };
        partition.in_flight -= 1;
        if ended.outcome == Outcome::Finished {
            partition.progress.finish(ended.offset);
        }
    }

    /// Commits what is finished; the log puts the partitions into one transaction.
    fn commit(&self) -> Committing {
        let finished = self.partitions.iter().filter(|(_, partition)| partition.progress.next() > partition.committed);
        let commits: Vec<_> = finished
            .map(|(number, partition)| {
                let (member, subscription) = (Arc::clone(&self.member), Arc::clone(&self.subscription));
                let (number, next) = (*number, partition.progress.next());
                async move {
                    let Subscription { group, topic, .. } = &*subscription;
                    match member.commit(number, next).await {
                        Ok(()) => (number, Some(next)),
                        Err(error) => {
                            warn!(%group, %topic, %error, "failed to commit");
                            (number, None)
                        }
                    }
                }
            })
            .collect();
        join_all(commits).boxed().fuse()
    }

    fn note_committed(&mut self, committed: Vec<(u32, Option<u64>)>) {
        self.has_failed_to_commit = false;
        for (number, next) in committed {
            match (next, self.partitions.get_mut(&number)) {
                // One that came anew meanwhile begins at what was committed, or behind.
                (Some(next), Some(partition)) => partition.committed = partition.committed.max(next),
                (Some(_), None) => {}
                (None, _) => self.has_failed_to_commit = true,
            }
        }
    }

    fn is_at_end(&self) -> bool {
        self.readable().all(|(_, partition)| partition.is_at_end())
    }

    fn has_uncommitted(&self) -> bool {
        self.partitions.values().any(|partition| partition.progress.next() > partition.committed)
    }
}

impl Partition {
    fn new(share: &Share) -> Self {
        Self {
            epoch: share.epoch,
            position: share.start,
            end: share.start,
            buffer: VecDeque::new(),
            in_flight: 0,
            progress: Progress::new(share.start),
            committed: share.start,
            is_wanted_back: false,
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
