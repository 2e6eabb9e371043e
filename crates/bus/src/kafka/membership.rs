//! What the group has given to a member: told by librdkafka in the middle of a poll, read by the member.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::sleep,
    time::Duration,
};

use rdkafka::{
    TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext},
    error::KafkaError,
    types::RDKafkaRespErr,
};
use tokio::sync::watch;
use tracing::{info, warn};

use super::{
    clients::{Consumer, Context, PATIENCE},
    groups::{self, Held},
    offsets::{at, number},
};
use crate::{InitialOffset, Seat, Share, Shares};

/// Longest wait for a reader to release what is wanted back; the other members wait as long.
const RELEASE: Duration = Duration::from_secs(20);

/// Wait before the group's offsets are asked for again.
const RETRY: Duration = Duration::from_millis(500);

/// What a member has, as the callbacks of its client and its reader share it.
pub(super) struct Membership {
    pub(super) seat: Seat,
    pub(super) shares: watch::Sender<Shares>,
    pub(super) appended: watch::Sender<u64>,
    state: Mutex<State>,
    has_changed: Condvar,
    is_leaving: AtomicBool,
}

#[derive(Default)]
struct State {
    /// Assigned by the group, but not yet readable: where each begins.
    assigned: BTreeMap<u32, u64>,
    /// Taken away by the group.
    revoked: BTreeSet<u32>,
    /// Let go by the reader.
    released: BTreeSet<u32>,
    /// What the group has committed of what is ours.
    held: BTreeMap<u32, Held>,
    epochs: u64,
}

impl ConsumerContext for Context {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, code: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let Some(membership) = &self.membership else { return };
        let done = match code {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => membership.assign(consumer, partitions),
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => membership.revoke(consumer, partitions),
            _ => consumer.unassign(),
        };
        if let Err(error) = done {
            let Seat { group, topic, .. } = &membership.seat;
            warn!(%group, %topic, %error, "partitions could not be taken over or let go");
        }
    }
}

impl Membership {
    pub(super) fn new(seat: Seat) -> Self {
        Self {
            seat,
            shares: watch::Sender::new(Shares::new()),
            appended: watch::Sender::new(0),
            state: Mutex::default(),
            has_changed: Condvar::new(),
            is_leaving: AtomicBool::new(false),
        }
    }

    fn assign(&self, consumer: &Consumer, partitions: &TopicPartitionList) -> Result<(), KafkaError> {
        let numbers = numbers(partitions);
        let mut places = TopicPartitionList::with_capacity(numbers.len());
        let mut begun = BTreeMap::new();
        if !numbers.is_empty() {
            for (partition, held) in numbers.iter().zip(self.held(consumer, &numbers)) {
                let start = match held.next {
                    Some(next) => next,
                    None => self.begin(consumer, *partition)?,
                };
                places.add_partition_offset(&self.seat.topic, number(*partition), at(start))?;
                begun.insert(*partition, (start, held));
            }
        }
        consumer.incremental_assign(&places)?;
        if begun.is_empty() {
            return Ok(());
        }
        // Until each has a queue of its own.
        consumer.pause(&places)?;
        let Seat { group, topic, .. } = &self.seat;
        info!(%group, %topic, partitions = ?begun.keys(), "partitions taken over");
        let mut state = self.state();
        for (partition, (start, held)) in begun {
            state.revoked.remove(&partition);
            state.released.remove(&partition);
            state.assigned.insert(partition, start);
            state.held.insert(partition, Held { next: Some(start), ..held });
        }
        Ok(())
    }

    /// Asks for the offsets of partitions until they are told: without them nothing can be read.
    fn held(&self, consumer: &Consumer, partitions: &[u32]) -> Vec<Held> {
        loop {
            match groups::ask(consumer, &self.seat.topic, partitions) {
                Ok(held) => return held,
                Err(_) if self.is_leaving() => return vec![Held::default(); partitions.len()],
                Err(error) => {
                    let Seat { group, topic, .. } = &self.seat;
                    warn!(%group, %topic, %error, "offsets of the group are not known yet");
                    sleep(RETRY);
                }
            }
        }
    }

    /// Where a partition begins that the group has never committed; it is committed, so that the lag is defined.
    fn begin(&self, consumer: &Consumer, partition: u32) -> Result<u64, KafkaError> {
        let (low, high) = consumer.fetch_watermarks(&self.seat.topic, number(partition), PATIENCE)?;
        let start = match self.seat.initial_offset {
            InitialOffset::Earliest => low,
            InitialOffset::Latest => high,
        };
        let start = u64::try_from(start).unwrap_or_default();
        if let Err(error) = groups::write(consumer, &self.seat.topic, partition, start, &Held::default().losses) {
            let Seat { group, topic, .. } = &self.seat;
            warn!(%group, %topic, partition, %error, "first offset was not committed");
        }
        Ok(start)
    }

    fn revoke(&self, consumer: &Consumer, partitions: &TopicPartitionList) -> Result<(), KafkaError> {
        let numbers = numbers(partitions);
        let is_lost = consumer.assignment_lost();
        if !is_lost && !self.is_leaving() {
            self.wait_until_released(&numbers);
        }
        let mut state = self.state();
        for partition in &numbers {
            state.assigned.remove(partition);
            state.held.remove(partition);
            state.revoked.insert(*partition);
        }
        drop(state);
        self.shares.send_modify(|shares| shares.retain(|partition, _| !numbers.contains(partition)));
        if !numbers.is_empty() {
            let Seat { group, topic, .. } = &self.seat;
            info!(%group, %topic, partitions = ?numbers, is_lost, "partitions given up");
        }
        consumer.incremental_unassign(partitions)
    }

    /// Asks the reader for partitions and waits, but not for ever.
    fn wait_until_released(&self, partitions: &[u32]) {
        self.state().released.clear();
        self.shares.send_modify(|shares| {
            for partition in partitions {
                if let Some(share) = shares.get_mut(partition) {
                    share.is_wanted_back = true;
                }
            }
        });
        let asked: Vec<u32> =
            self.shares.borrow().keys().filter(|partition| partitions.contains(partition)).copied().collect();
        let is_waiting =
            |state: &mut State| !self.is_leaving() && !asked.iter().all(|partition| state.released.contains(partition));
        let waited = self.has_changed.wait_timeout_while(self.state(), RELEASE, is_waiting);
        let (_state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            let Seat { group, topic, .. } = &self.seat;
            warn!(%group, %topic, "partitions taken away before their events were finished; they will come again");
        }
    }

    /// Partitions that were assigned since the last call, and where they begin.
    pub(super) fn take_assigned(&self) -> BTreeMap<u32, u64> {
        std::mem::take(&mut self.state().assigned)
    }

    /// Partitions that were taken away since the last call.
    pub(super) fn take_revoked(&self) -> BTreeSet<u32> {
        std::mem::take(&mut self.state().revoked)
    }

    /// Gives partitions to the reader.
    pub(super) fn give(&self, starts: &BTreeMap<u32, u64>) {
        let mut state = self.state();
        state.epochs += 1;
        let epoch = state.epochs;
        drop(state);
        let share = |start: u64| Share { epoch, start, is_wanted_back: false };
        self.shares.send_modify(|shares| shares.extend(starts.iter().map(|(number, start)| (*number, share(*start)))));
        self.raise();
    }

    /// Everything is gone with the client that had it.
    pub(super) fn lose_all(&self) {
        let epochs = self.state().epochs;
        *self.state() = State { epochs, ..State::default() };
        self.shares.send_modify(Shares::clear);
    }

    /// What the group has committed of a partition; none if it is not ours.
    pub(super) fn committed(&self, partition: u32) -> Option<Held> {
        self.state().held.get(&partition).cloned()
    }

    pub(super) fn note_committed(&self, partition: u32, held: Held) {
        if let Some(known) = self.state().held.get_mut(&partition) {
            *known = held;
        }
    }

    pub(super) fn release(&self, partition: u32) {
        self.state().released.insert(partition);
        self.has_changed.notify_all();
    }

    pub(super) fn leave(&self) {
        self.is_leaving.store(true, Ordering::Release);
        self.has_changed.notify_all();
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.is_leaving.load(Ordering::Acquire)
    }

    /// Tells the reader that there may be more.
    pub(super) fn raise(&self) {
        self.appended.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn numbers(partitions: &TopicPartitionList) -> Vec<u32> {
    partitions.elements().iter().filter_map(|element| u32::try_from(element.partition()).ok()).collect()
}
