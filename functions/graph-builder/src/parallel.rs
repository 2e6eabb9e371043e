//! Work on independent pieces, spread over the processors at hand.

use std::{
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
    thread,
};

/// More threads than this gain little on one graph, and a machine has other work.
const MOST_THREADS: usize = 8;

/// Whether the work is worth other threads, whose start costs as much as some ten thousand operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    Small,
    Large,
}

impl Size {
    /// The size of a number of operations.
    pub(crate) fn of(operations: usize) -> Self {
        if operations < 1 << 20 { Self::Small } else { Self::Large }
    }
}

/// Does the work on each item; a thread that is free takes the next one.
pub(crate) fn for_each<T: Send>(size: Size, items: impl Iterator<Item = T> + Send, work: impl Fn(T) + Sync) {
    let threads = match size {
        Size::Small => 1,
        Size::Large => thread::available_parallelism().map_or(1, NonZeroUsize::get).min(MOST_THREADS),
    };
    if threads == 1 {
        items.for_each(work);
        return;
    }
    let items = Mutex::new(items);
    let next = || items.lock().unwrap_or_else(PoisonError::into_inner).next();
    let run = || {
        while let Some(item) = next() {
            work(item);
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(run);
        }
        run();
    });
}
