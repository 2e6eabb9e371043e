//! One worker process, from its start over its announcement to its end.

use std::{net::SocketAddr, path::PathBuf, process::Stdio, time::Duration};

use serde::Deserialize;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    sync::mpsc,
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{liveness, log};
use crate::manifest::LivenessProbe;

/// How long the last words of a process may take, and its end where it did not come up.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(1);

/// How to start a worker of a function.
#[derive(Debug, Clone)]
pub struct WorkerCommand {
    /// The function's name, for logs.
    pub name: String,
    /// The program, usually the running binary itself.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Variables set on top of the platform's own environment.
    pub environment: Vec<(String, String)>,
    /// Variables of the platform's environment that the worker must not see.
    pub without: Vec<String>,
    /// File that takes the worker's stderr.
    pub log: PathBuf,
    /// How long a worker may take until it listens.
    pub start_timeout: Duration,
    /// How long a worker may take to finish its last events.
    pub grace: Duration,
    /// How to notice that a worker hangs.
    pub liveness: Option<LivenessProbe>,
}

/// How a worker ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// It was asked to go and went.
    Drained,
    /// It was asked to go and had to be killed.
    Killed,
    /// It went, or never came up, without being asked.
    Crashed { reason: String, lived: Duration },
}

#[derive(Debug)]
pub(super) struct Exit {
    pub(super) id: u64,
    pub(super) ending: Ending,
}

/// A worker listens.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) id: u64,
    pub(super) address: SocketAddr,
}

pub(super) struct Worker {
    pub(super) id: u64,
    pub(super) command: WorkerCommand,
    pub(super) ready: mpsc::UnboundedSender<Ready>,
    pub(super) stop: CancellationToken,
}

/// The line of JSON that a worker prints once it listens.
#[derive(Debug, Deserialize)]
struct Announcement {
    listening: SocketAddr,
}

impl Worker {
    /// Runs the process until it ends by itself or is asked to stop.
    pub(super) async fn run(self) -> Exit {
        let started = Instant::now();
        let ending = match self.supervise().await {
            Ok(ending) => ending,
            Err(reason) => Ending::Crashed { reason, lived: started.elapsed() },
        };
        Exit { id: self.id, ending }
    }

    /// Returns how the worker ended, or why it ended unasked.
    async fn supervise(&self) -> Result<Ending, String> {
        let mut child = self.command.spawn()?;
        // The worker drains when this pipe closes, which the system does too if the platform is killed.
        let lifeline = child.stdin.take();
        let stdout = child.stdout.take().ok_or("its standard output is not a pipe")?;
        let mut lines = BufReader::new(stdout).lines();
        let announced = tokio::select! {
            announced = tokio::time::timeout(self.command.start_timeout, announcement(&mut lines)) => announced,
            () = self.stop.cancelled() => {
                drop(lifeline);
                return Ok(drain(&mut child, self.command.grace).await);
            }
        };
        let address = match announced {
            Ok(Ok(address)) => address,
            Ok(Err(reason)) => return Err(self.describe_failed_start(&mut child, &reason).await),
            Err(_) => {
                let seconds = self.command.start_timeout.as_secs();
                return Err(self
                    .describe_failed_start(&mut child, &format!("it did not listen within {seconds} s"))
                    .await);
            }
        };
        info!(function = %self.command.name, worker = self.id, %address, pid = child.id(), "worker ready");
        // The pool may be gone during a shutdown; it then stops this worker anyway.
        self.ready.send(Ready { id: self.id, address }).ok();
        let hanging = liveness::lost(self.command.liveness.as_ref(), address);
        tokio::pin!(hanging);
        let status = loop {
            tokio::select! {
                status = child.wait() => break Some(status),
                () = self.stop.cancelled() => break None,
                failures = &mut hanging => {
                    // An error means that the process is gone already.
                    child.kill().await.ok();
                    return Err(format!("it hung and was killed: {failures} liveness probes in a row failed"));
                }
                // A full pipe would block a worker that prints more than it promised.
                Ok(Some(_)) = lines.next_line() => {}
            }
        };
        if let Some(status) = status {
            return Err(status.map_or_else(|error| error.to_string(), |status| status.to_string()));
        }
        drop(lifeline);
        Ok(drain(&mut child, self.command.grace).await)
    }

    async fn describe_failed_start(&self, child: &mut Child, reason: &str) -> String {
        if let Ok(Ok(status)) = tokio::time::timeout(LAST_WORDS, child.wait()).await {
            return format!("{reason} ({status})");
        }
        // An error means that the process is gone already.
        child.kill().await.ok();
        reason.to_owned()
    }
}

impl WorkerCommand {
    /// Starts the process with pipes for its standard input and output.
    pub(super) fn spawn(&self) -> Result<Child, String> {
        let log = log::open(&self.log).map_err(|error| format!("failed to open `{}`: {error}", self.log.display()))?;
        let mut process = Command::new(&self.program);
        for name in &self.without {
            process.env_remove(name);
        }
        process
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            // A group of its own keeps the terminal's Ctrl-C from workers: the platform drains them in order.
            .process_group(0)
            .spawn()
            .map_err(|error| format!("failed to start `{}`: {error}", self.program.display()))
    }
}

async fn announcement(lines: &mut Lines<BufReader<ChildStdout>>) -> Result<SocketAddr, String> {
    match lines.next_line().await {
        Ok(Some(line)) => parse_announcement(&line),
        Ok(None) => Err("it ended before it listened".to_owned()),
        Err(error) => Err(format!("failed to read its announcement: {error}")),
    }
}

fn parse_announcement(line: &str) -> Result<SocketAddr, String> {
    let shown: String = line.chars().take(80).collect();
    let announcement: Announcement =
        serde_json::from_str(line).map_err(|error| format!("its announcement `{shown}` is not valid: {error}"))?;
    Ok(announcement.listening)
}

/// Waits for a worker whose lifeline is closed, and kills it after the grace.
pub(super) async fn drain(child: &mut Child, grace: Duration) -> Ending {
    if matches!(tokio::time::timeout(grace, child.wait()).await, Ok(Ok(_))) {
        return Ending::Drained;
    }
    // An error means that the process is gone already.
    child.kill().await.ok();
    Ending::Killed
}

#[cfg(test)]
mod tests {
    use super::parse_announcement;

    #[test]
    fn only_an_address_announces_a_worker() {
        let line = r#"{"listening":"127.0.0.1:41234","metrics":"127.0.0.1:41235"}"#;
        assert_eq!(parse_announcement(line), Ok("127.0.0.1:41234".parse().unwrap()));
        for line in ["", "hello", "{}", r#"{"listening":"nowhere"}"#] {
            assert!(parse_announcement(line).unwrap_err().contains("announcement"), "{line}");
        }
    }
}
