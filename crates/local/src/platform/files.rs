//! How many files and connections the process may hold at once.

use tracing::warn;

/// Two thousand streams of each interface, workers, and the files of the data folder.
const ENOUGH: u64 = 8192;

/// Allows as many as the system lets a process allow itself.
///
/// Many systems begin at 1,024 for the sake of programs that use `select`, which none of ours does.
///
/// # Source
/// <https://0pointer.net/blog/file-descriptor-limits.html>
pub(super) fn allow_many() {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(allowed) if allowed < ENOUGH => {
            warn!(allowed, "few files may be open at once: many watchers will not be served; see `ulimit -Hn`");
        }
        Ok(_) => {}
        Err(error) => warn!(%error, "the limit of open files could not be raised"),
    }
}
