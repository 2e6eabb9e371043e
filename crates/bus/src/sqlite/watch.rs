//! Wakes readers when this or another process has appended.
//!
//! The writers of all processes touch one small file beside the log after each commit that appended, and the operating
//! system tells every process about it. The WAL itself is no such signal: it is written before the commit can be seen.
//! It serves as a safety net for a process that dies between its commit and its signal.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use rusqlite::Connection;
use tokio::sync::watch;

use super::topics;
use crate::Error;

/// How long after a write to the WAL the missing signal of its writer is given up on.
const SIGNAL_GRACE: Duration = Duration::from_millis(500);

/// The path of the file that is touched after each append.
pub(super) fn signal_path(log: &Path) -> PathBuf {
    with_suffix(log, "-appended").into()
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

/// Watches the folder of the log until dropped.
pub(super) struct AppendWatch {
    watcher: Option<RecommendedWatcher>,
    thread: Option<JoinHandle<()>>,
}

impl AppendWatch {
    /// Starts to watch; from then on `count` follows the number of records that `connection` sees.
    pub(super) fn start(log: &Path, connection: Connection, count: Arc<watch::Sender<u64>>) -> Result<Self, Error> {
        let folder = match log.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let watch_error = |error: notify::Error| Error::Watch { path: folder.to_owned(), source: Arc::new(error) };
        let names = Names::of(log);
        let (hints, received) = mpsc::channel();
        let mut watcher = notify::recommended_watcher(move |event| {
            if let Some(hint) = names.interpret(event)
                && hints.send(hint).is_err()
            {
                tracing::error!("the watch of the event log has ended, readers are not woken");
            }
        })
        .map_err(watch_error)?;
        watcher.watch(folder, RecursiveMode::NonRecursive).map_err(watch_error)?;
        let thread = thread::Builder::new()
            .name("bus-watch".to_owned())
            .spawn(move || follow(&received, &connection, &count))
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

/// What a change in the folder may mean.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hint {
    /// A commit that appended is visible.
    Appended,
    /// A commit is under way; its signal should follow.
    Writing,
}

/// The names of the files whose changes matter.
struct Names {
    signal: OsString,
    wal: OsString,
}

impl Names {
    fn of(log: &Path) -> Self {
        let name = Path::new(log.file_name().unwrap_or_default());
        Self { signal: with_suffix(name, "-appended"), wal: with_suffix(name, "-wal") }
    }

    fn interpret(&self, event: Result<Event, notify::Error>) -> Option<Hint> {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                tracing::warn!(%error, "the watch of the event log reported an error");
                return Some(Hint::Appended);
            }
        };
        if event.need_rescan() {
            return Some(Hint::Appended);
        }
        if !event.kind.is_modify() && !event.kind.is_create() {
            return None;
        }
        let touches = |name: &OsStr| event.paths.iter().any(|path| path.file_name() == Some(name));
        if touches(&self.signal) {
            return Some(Hint::Appended);
        }
        touches(&self.wal).then_some(Hint::Writing)
    }
}

fn follow(hints: &Receiver<Hint>, connection: &Connection, count: &watch::Sender<u64>) {
    let mut look_at: Option<Instant> = None;
    loop {
        let received = match look_at {
            None => hints.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(at) => hints.recv_timeout(at.saturating_duration_since(Instant::now())),
        };
        let look_now = match received {
            Ok(first) => {
                let mut appended = false;
                for hint in std::iter::once(first).chain(hints.try_iter()) {
                    match hint {
                        Hint::Appended => {
                            appended = true;
                            look_at = None;
                        }
                        Hint::Writing => {
                            look_at = look_at.or_else(|| Some(Instant::now() + SIGNAL_GRACE));
                        }
                    }
                }
                appended
            }
            Err(RecvTimeoutError::Timeout) => {
                look_at = None;
                true
            }
            Err(RecvTimeoutError::Disconnected) => return,
        };
        if !look_now {
            continue;
        }
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

fn with_suffix(path: &Path, suffix: &str) -> OsString {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name
}
