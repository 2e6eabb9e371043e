//! [`LeaseStore`] on `ArangoDB`: one document a key, which stays so that its fence only grows.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use streamforge_events::Millis;

use super::{
    ArangoStore,
    cas::Decision,
    failure::Failure,
    names::{self, digest_key},
};
use crate::{Error, Fence, Lease, LeaseOutcome, LeaseStore, lease::check_lease};

/// A lease as it is stored; it belongs to an acquisition as long as it has a holder.
#[derive(Serialize, Deserialize)]
struct Stored {
    key: String,
    fence: u64,
    holder: Option<String>,
    since: Millis,
    until: Millis,
    done: bool,
}

#[async_trait]
impl LeaseStore for ArangoStore {
    async fn acquire(&self, key: &str, holder: &str, now: Millis, until: Millis) -> Result<LeaseOutcome, Error> {
        check_lease(key, holder, now, until)?;
        let take = |found: Option<Stored>| Ok(take(found, key, holder, now, until));
        self.named(self.decide(names::LEASES, &digest_key(&[key]), take).await)
    }

    async fn renew(&self, key: &str, fence: Fence, now: Millis, until: Millis) -> Result<bool, Error> {
        check_lease(key, "-", now, until)?;
        self.change_own(key, fence, |lease| Stored { since: now, until, ..lease }).await
    }

    async fn release(&self, key: &str, fence: Fence) -> Result<bool, Error> {
        self.change_own(key, fence, |lease| Stored { holder: None, ..lease }).await
    }

    async fn complete(&self, key: &str, fence: Fence) -> Result<bool, Error> {
        let end = |found: Option<Stored>| {
            Ok(match found {
                Some(lease) if lease.fence == fence.get() && lease.done => Decision::Keep(true),
                Some(lease) if is_owned(&lease, fence) => {
                    Decision::Write(Stored { holder: None, done: true, ..lease }, true)
                }
                _ => Decision::Keep(false),
            })
        };
        self.named(self.decide(names::LEASES, &digest_key(&[key]), end).await)
    }

    async fn lease(&self, key: &str) -> Result<Option<Lease>, Error> {
        let found: Option<Stored> = self.named(self.find_marked(names::LEASES, &digest_key(&[key])).await)?;
        let held =
            |lease: Stored| Some(Lease { holder: lease.holder?, fence: Fence::new(lease.fence), until: lease.until });
        Ok(found.and_then(held))
    }
}

impl ArangoStore {
    async fn change_own(
        &self,
        key: &str,
        fence: Fence,
        change: impl Fn(Stored) -> Stored + Send + Sync,
    ) -> Result<bool, Error> {
        let change = |found: Option<Stored>| -> Result<_, Failure> {
            Ok(match found {
                Some(lease) if is_owned(&lease, fence) => Decision::Write(change(lease), true),
                _ => Decision::Keep(false),
            })
        };
        self.named(self.decide(names::LEASES, &digest_key(&[key]), change).await)
    }
}

fn is_owned(lease: &Stored, fence: Fence) -> bool {
    lease.fence == fence.get() && lease.holder.is_some()
}

fn take(found: Option<Stored>, key: &str, holder: &str, now: Millis, until: Millis) -> Decision<Stored, LeaseOutcome> {
    let fence = match found {
        None => 1,
        Some(Stored { done: true, .. }) => return Decision::Keep(LeaseOutcome::Done),
        Some(lease) if lease.holder.is_some() && now < lease.until => return held(lease, now),
        Some(lease) => lease.fence + 1,
    };
    let lease = Stored { key: key.to_owned(), fence, holder: Some(holder.to_owned()), since: now, until, done: false };
    Decision::Write(lease, LeaseOutcome::Acquired(Fence::new(fence)))
}

/// When the clock was set back, the lease has its length to go from now on, so that one of a dead holder does end.
fn held(mut lease: Stored, now: Millis) -> Decision<Stored, LeaseOutcome> {
    let is_ahead = now < lease.since;
    if is_ahead {
        lease.until = now.saturating_add(lease.until.saturating_sub(lease.since));
        lease.since = now;
    }
    let outcome = LeaseOutcome::Held { holder: lease.holder.clone().unwrap_or_default(), until: lease.until };
    if is_ahead { Decision::Write(lease, outcome) } else { Decision::Keep(outcome) }
}
