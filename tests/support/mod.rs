//! What the end-to-end tests share: the binary, its processes and folders, an exchange, waiting.

pub(crate) mod binary;
pub(crate) mod dummy;
mod exchange;
mod folder;
mod http;
pub(crate) mod process;
pub(crate) mod python;
pub(crate) mod recorded;

use std::{
    thread,
    time::{Duration, Instant},
};

pub(crate) use exchange::Exchange;
pub(crate) use folder::{Folder, Log};
pub(crate) use http::Answer;
pub(crate) use process::{Ended, Running};

/// Longer than anything here takes; only a hang reaches it.
pub(crate) const PATIENCE: Duration = Duration::from_mins(5);

const PAUSE: Duration = Duration::from_millis(10);

/// Looks again and again until there is an answer.
pub(crate) fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    until_within(what, PATIENCE, look)
}

/// The same with another patience.
pub(crate) fn until_within<T>(what: &str, patience: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < patience, "waited too long for {what}");
        thread::sleep(PAUSE);
    }
}
