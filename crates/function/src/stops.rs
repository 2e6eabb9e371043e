//! Which queues were told to stop: a memory of bounded size.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use streamforge_events::QueueId;

/// The most recent queues for which `control.stop` arrived in this process.
#[derive(Debug, Default)]
pub(crate) struct Stops(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    known: HashSet<QueueId>,
    oldest_first: VecDeque<QueueId>,
}

/// A queue id has at most some hundred bytes, so the memory stays below a few MiB.
const CAPACITY: usize = 10_000;

impl Stops {
    pub(crate) fn remember(&self, queue_id: QueueId) {
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !memory.known.insert(queue_id.clone()) {
            return;
        }
        memory.oldest_first.push_back(queue_id);
        if memory.oldest_first.len() > CAPACITY
            && let Some(forgotten) = memory.oldest_first.pop_front()
        {
            memory.known.remove(&forgotten);
        }
    }

    pub(crate) fn contains(&self, queue_id: &QueueId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).known.contains(queue_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(number: usize) -> QueueId {
        format!("wf-btcusdt-dummy-20240801-{number:06}").parse().unwrap()
    }

    #[test]
    fn the_oldest_stop_is_forgotten_when_the_memory_is_full() {
        let stops = Stops::default();
        for number in 0..=CAPACITY {
            stops.remember(queue(number));
            stops.remember(queue(number));
        }
        assert!(!stops.contains(&queue(0)));
        assert!(stops.contains(&queue(1)));
        assert!(stops.contains(&queue(CAPACITY)));
        assert_eq!(stops.0.lock().unwrap().known.len(), CAPACITY);
    }
}
