//! No key is in two batches at once: the server would refuse one of them, or take them in any order.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Mutex, PoisonError},
};

use tokio::sync::Notify;

/// The keys that are on their way.
#[derive(Default)]
pub(super) struct InFlight {
    /// Hashes; two keys of one hash wait for each other, which is rare and does no harm.
    keys: Mutex<HashSet<u64>>,
    freed: Notify,
}

/// Keys that are the holder's until this is dropped.
pub(super) struct Claim<'a> {
    keys: Vec<u64>,
    of: &'a InFlight,
}

impl InFlight {
    /// Waits until none of the keys is on its way, and takes them all.
    pub(super) async fn claim(&self, collection: &str, keys: impl Iterator<Item = &str>) -> Claim<'_> {
        let hashes: Vec<u64> = keys.map(|key| hash(collection, key)).collect();
        loop {
            // Registered before the look, so that no key is freed unseen in between.
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if self.take(&hashes) {
                return Claim { keys: hashes, of: self };
            }
            freed.await;
        }
    }

    fn take(&self, hashes: &[u64]) -> bool {
        let mut held = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let is_free = hashes.iter().all(|hash| !held.contains(hash));
        if is_free {
            held.extend(hashes);
        }
        is_free
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut held = self.of.keys.lock().unwrap_or_else(PoisonError::into_inner);
        for hash in &self.keys {
            held.remove(hash);
        }
        drop(held);
        self.of.freed.notify_waiters();
    }
}

fn hash(collection: &str, key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (collection, key).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;

    #[tokio::test]
    async fn who_wants_a_taken_key_waits_for_it() {
        let in_flight = Arc::new(InFlight::default());
        let first = in_flight.claim("c", ["a", "b"].into_iter()).await;
        drop(in_flight.claim("d", ["a"].into_iter()).await);
        drop(in_flight.claim("c", ["x"].into_iter()).await);
        let other = Arc::clone(&in_flight);
        let second = tokio::spawn(async move { drop(other.claim("c", ["b", "c"].into_iter()).await) });
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        drop(first);
        tokio::time::timeout(Duration::from_secs(30), second).await.unwrap().unwrap();
    }
}
