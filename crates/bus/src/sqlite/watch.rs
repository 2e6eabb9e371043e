//! Wakes readers when this or another process has appended.
//!
//! The writers of all processes touch one small file beside the log after each commit that appended, and the operating
//! system tells every process about it. The WAL itself is no such signal: it is written before the commit can be seen.
//! A look now and then is the safety net for a process that dies between its commit and its signal.

use std::{
    fs::File,
    io::{self, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use rusqlite::Connection;
use streamforge_salvage::beside;
use tokio::sync::watch;

use super::topics;
use crate::Error;

/// How often to look without a signal.
const LOOK_PERIOD: Duration = Duration::from_secs(1);

/// The path of the file that is touched after each append.
pub(super) fn signal_path(log: &Path) -> PathBuf {
    beside(log, "-appended")
}

/// Tells readers, here and in other processes, that records were appended.
pub(super) struct Appends {
    count: Arc<watch::Sender<u64>>,
    signal: File,
}

impl Appends {
    pub(super) fn new(count: Arc<watch::Sender<u64>>, signal: File) -> Self {
        Self { count, signal }
    }

    /// Announces that this process has appended, and how many records were ever appended.
    pub(super) fn announce(&self, count: u64) {
        raise(&self.count, count);
        let mut signal = &self.signal;
        let touched = signal.seek(SeekFrom::Start(0)).and_then(|_| signal.write_all(b"\n"));
        if let Err(error) = touched {
            tracing::warn!(%error, "failed to signal an append, other processes will notice it late");
        }
    }
}

/// Watches for the signals of all processes until dropped.
pub(super) struct AppendWatch {
    watcher: Option<RecommendedWatcher>,
    thread: Option<JoinHandle<()>>,
}

impl AppendWatch {
    /// Starts to watch; from then on `count` follows the number of records that `connection` sees.
    pub(super) fn start(log: &Path, connection: Connection, count: Arc<watch::Sender<u64>>) -> Result<Self, Error> {
        let file = signal_path(log);
        let watch_error = |error: notify::Error| Error::Watch { path: file.clone(), source: Arc::new(error) };
        let (sender, touches) = mpsc::channel();
        let mut watcher = notify::recommended_watcher(move |event| {
            if is_touched(event) && sender.send(()).is_err() {
                tracing::error!("the watch of the event log has ended, readers are not woken");
            }
        })
        .map_err(watch_error)?;
        watcher.watch(&file, RecursiveMode::NonRecursive).map_err(watch_error)?;
        let thread = thread::Builder::new()
            .name("bus-watch".to_owned())
            .spawn(move || follow(&touches, &connection, &count))
            .map_err(|error: io::Error| Error::Open { path: log.to_owned(), source: Arc::new(error) })?;
        Ok(Self { watcher: Some(watcher), thread: Some(thread) })
    }
}

impl Drop for AppendWatch {
    fn drop(&mut self) {
        self.watcher = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the watch of the event log panicked");
        }
    }
}

/// Whether the file was touched, or may have been.
fn is_touched(event: Result<Event, notify::Error>) -> bool {
    match event {
        Ok(event) => event.need_rescan() || event.kind.is_modify(),
        Err(error) => {
            tracing::warn!(%error, "the watch of the event log reported an error");
            true
        }
    }
}

fn follow(touches: &Receiver<()>, connection: &Connection, count: &watch::Sender<u64>) {
    loop {
        if touches.recv_timeout(LOOK_PERIOD) == Err(RecvTimeoutError::Disconnected) {
            return;
        }
        // One look answers all that came meanwhile.
        while touches.try_recv().is_ok() {}
        match topics::records_appended(connection) {
            Ok(appended) => raise(count, appended),
            Err(error) => tracing::warn!(%error, "failed to look for appended records"),
        }
    }
}

/// Sets the count, and wakes its receivers, if that raises it.
pub(super) fn raise(count: &watch::Sender<u64>, appended: u64) {
    count.send_if_modified(|current| {
        let grown = appended > *current;
        *current = appended.max(*current);
        grown
    });
}
