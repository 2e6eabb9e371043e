//! What tells a process to stop: SIGTERM, Ctrl-C, or the end of its standard input.

use std::io::Read;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// Installs the signal handlers at once and resolves at the first reason to stop.
///
/// # Errors
/// Where the system refuses a signal handler.
pub(crate) fn requested(watch_stdin: bool) -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let parent = watch_stdin.then(stdin_closed);
    Ok(async move {
        let parent_gone = async {
            match parent {
                Some(closed) => {
                    // A dropped sender means the same as a sent signal: nothing can be read any more.
                    let _ = closed.await;
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = parent_gone => {}
        }
    })
}

/// Reads on a thread of its own: a read on the runtime could not be given up at the end of the process.
fn stdin_closed() -> oneshot::Receiver<()> {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 1024];
        let mut stdin = std::io::stdin().lock();
        while stdin.read(&mut buffer).is_ok_and(|count| count > 0) {}
        drop(sender);
    });
    receiver
}
