//! Being told to stop: Ctrl-C and SIGTERM.

use std::process;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::warn;

/// Exit code of a process that was interrupted while it was stopping already.
const INTERRUPTED: i32 = 130;

/// Resolves at SIGTERM or Ctrl-C, from the moment of this call; a second one ends the process at once.
pub fn shutdown_signal() -> impl Future<Output = ()> + Send + 'static {
    let (terminate, interrupt) = (listen(SignalKind::terminate()), listen(SignalKind::interrupt()));
    async move {
        let (mut terminate, mut interrupt) = (terminate, interrupt);
        either(&mut terminate, &mut interrupt).await;
        tokio::spawn(async move {
            either(&mut terminate, &mut interrupt).await;
            process::exit(INTERRUPTED);
        });
    }
}

/// Resolves at Ctrl-C or SIGTERM, for a command that has nothing to stop.
pub async fn interrupted() {
    either(&mut listen(SignalKind::terminate()), &mut listen(SignalKind::interrupt())).await;
}

fn listen(kind: SignalKind) -> Option<Signal> {
    match signal(kind) {
        Ok(signal) => Some(signal),
        Err(error) => {
            warn!(%error, "signals are not handled");
            None
        }
    }
}

async fn either(terminate: &mut Option<Signal>, interrupt: &mut Option<Signal>) {
    tokio::select! {
        () = next(terminate) => {}
        () = next(interrupt) => {}
    }
}

async fn next(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}
