//! Leases: one holder at a time, an end without the holder's help, and fences that keep former holders out.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::{Backend, samples::START};
use crate::{Error, Fence, Lease, LeaseOutcome, Store};

const LENGTH: i64 = 30_000;

async fn acquired(store: &dyn Store, holder: &str, now: i64) -> Result<Fence, Error> {
    match store.acquire("work", holder, now, now + LENGTH).await? {
        LeaseOutcome::Acquired(fence) => Ok(fence),
        other => panic!("{holder} did not get the lease: {other:?}"),
    }
}

fn held(holder: &str, until: i64) -> LeaseOutcome {
    LeaseOutcome::Held { holder: holder.to_owned(), until }
}

/// Who comes second is told who has it and until when, also if it bears the same name; other keys are free.
pub async fn second_caller_is_told_of_the_first(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    acquired(&*store, "first ü", START).await?;
    let other = backend.open().await?;
    for holder in ["second", "first ü"] {
        let outcome = other.acquire("work", holder, START + 1, START + 1 + LENGTH).await?;
        assert_eq!(outcome, held("first ü", START + LENGTH));
    }
    assert!(matches!(other.acquire("Work", "second", START, START + 1).await?, LeaseOutcome::Acquired(_)));
    Ok(())
}

/// A lease ends by itself, to the millisecond; the next one has a higher fence.
pub async fn lease_ends_by_itself(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let first = acquired(&*store, "first", START).await?;
    let end = START + LENGTH;
    assert_eq!(store.acquire("work", "second", end - 1, end + LENGTH).await?, held("first", end));
    let second = acquired(&*store, "second", end).await?;
    assert!(second > first);
    Ok(())
}

/// A former holder can neither renew, release nor complete, and its tries do not harm the present one.
pub async fn old_fence_is_kept_out(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let old = acquired(&*store, "first", START).await?;
    let now = START + LENGTH;
    let fence = acquired(&*store, "second", now).await?;
    assert!(!store.renew("work", old, now + 1, now + 9 * LENGTH).await?);
    assert!(!store.release("work", old).await?);
    assert!(!store.complete("work", old).await?);
    assert_eq!(store.acquire("work", "third", now + 1, now + LENGTH).await?, held("second", now + LENGTH));
    assert!(store.renew("work", fence, now + 1, now + 2 * LENGTH).await?);
    assert_eq!(store.acquire("work", "third", now + LENGTH, now + 3 * LENGTH).await?, held("second", now + 2 * LENGTH));
    assert!(!store.complete("other work", fence).await?);
    Ok(())
}

/// A lease that has ended is the holder's again as long as nobody took it.
pub async fn late_renewal_wins_if_nobody_came(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let fence = acquired(&*store, "first", START).await?;
    let late = START + 5 * LENGTH;
    assert!(store.renew("work", fence, late, late + LENGTH).await?);
    assert_eq!(store.acquire("work", "second", late + 1, late + LENGTH).await?, held("first", late + LENGTH));
    Ok(())
}

/// What is given back can be taken at once, and no longer renewed or completed.
pub async fn released_lease_is_free(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let first = acquired(&*store, "first", START).await?;
    assert!(store.release("work", first).await?);
    assert!(!store.release("work", first).await?);
    assert!(!store.renew("work", first, START + 1, START + LENGTH).await?);
    assert!(!store.complete("work", first).await?);
    let second = acquired(&*store, "second", START + 1).await?;
    assert!(second > first);
    Ok(())
}

/// Others see whose the work is, before and after the end of the lease, and can give it back in the holder's place.
pub async fn stuck_holder_is_fenced_by_others(backend: &impl Backend) -> Result<(), Error> {
    let (store, other) = (backend.open().await?, backend.open().await?);
    assert_eq!(other.lease("work").await?, None);
    let fence = acquired(&*store, "stuck", START).await?;
    let seen = Lease { holder: "stuck".to_owned(), fence, until: START + LENGTH };
    assert_eq!(other.lease("work").await?, Some(seen.clone()));
    assert!(store.renew("work", fence, START + 5, START + 5 + LENGTH).await?);
    assert_eq!(other.lease("work").await?, Some(Lease { until: START + 5 + LENGTH, ..seen }));
    assert_eq!(other.lease("other work").await?, None);

    assert!(other.release("work", fence).await?);
    assert_eq!(other.lease("work").await?, None);
    assert!(!store.renew("work", fence, START + 6, START + 9 * LENGTH).await?);
    assert!(!store.complete("work", fence).await?);
    let second = acquired(&*store, "second", START + 6).await?;
    assert!(!other.release("work", fence).await?);
    assert!(store.complete("work", second).await?);
    assert_eq!(other.lease("work").await?, None);
    Ok(())
}

/// Nobody gets what is done, however late, and whoever did it may say so twice.
pub async fn done_work_is_never_given_out(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let old = acquired(&*store, "first", START).await?;
    let fence = acquired(&*store, "second", START + LENGTH).await?;
    assert!(store.complete("work", fence).await?);
    assert!(store.complete("work", fence).await?);
    assert!(!store.complete("work", old).await?);
    assert!(!store.release("work", fence).await?);
    assert!(!store.renew("work", fence, START, START + 9 * LENGTH).await?);
    let again = backend.open().await?;
    for now in [START, START + LENGTH + 1, START + 900 * LENGTH] {
        assert_eq!(again.acquire("work", "third", now, now + LENGTH).await?, LeaseOutcome::Done);
    }
    Ok(())
}

/// Of many processes that ask at once, one gets the lease; the fences of a row of holders only grow.
pub async fn racing_callers_get_one_lease(backend: &impl Backend) -> Result<(), Error> {
    let stores = [backend.open().await?, backend.open().await?];
    let mut last = None;
    for round in 0..4 {
        let now = START + round * LENGTH;
        let mut callers = JoinSet::new();
        for caller in 0..12 {
            let store = Arc::clone(&stores[caller % 2]);
            callers.spawn(async move { store.acquire("work", &format!("{caller}"), now, now + LENGTH).await });
        }
        let mut fences = Vec::new();
        for outcome in callers.join_all().await {
            match outcome? {
                LeaseOutcome::Acquired(fence) => fences.push(fence),
                LeaseOutcome::Held { until, .. } => assert_eq!(until, now + LENGTH),
                LeaseOutcome::Done => panic!("nobody has done it"),
            }
        }
        assert!(fences.len() == 1 && fences.first() > last.as_ref(), "{fences:?} after {last:?}");
        last = fences.pop();
    }
    Ok(())
}

/// A lease that was taken while the clock was ahead ends its own length after somebody asked for it.
pub async fn clock_set_back_ends_a_lease_in_time(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let ahead = START + 1_000_000 * LENGTH;
    let first = acquired(&*store, "first", ahead).await?;
    assert_eq!(store.acquire("work", "second", START, START + 1).await?, held("first", START + LENGTH));
    assert_eq!(store.acquire("work", "second", START + 5, START + 6).await?, held("first", START + LENGTH));
    let second = acquired(&*store, "second", START + LENGTH).await?;
    assert!(second > first);
    Ok(())
}

/// What cannot be a lease is refused.
pub async fn impossible_lease_is_refused(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let long = "k".repeat(255);
    for (key, holder, until) in
        [("", "a", 1), (&long, "a", 1), ("k\n", "a", 1), ("k", "", 1), ("k", "a\0", 1), ("k", "a", 0), ("k", "a", -1)]
    {
        let outcome = store.acquire(key, holder, START, START + until).await;
        assert!(matches!(outcome, Err(Error::Lease { .. })), "{key:?} {holder:?} {until}: {outcome:?}");
    }
    let fence = acquired(&*store, "a", START).await?;
    assert!(matches!(store.renew("work", fence, START, START).await, Err(Error::Lease { .. })));
    Ok(())
}
