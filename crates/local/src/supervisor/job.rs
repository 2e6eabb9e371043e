//! One run of a job: a process that takes a task, says so, works on it and ends by itself.

use serde::Deserialize;
use streamforge_events::ControlCommand;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::worker::{LAST_WORDS, WorkerCommand, drain};

/// How a run ended.
#[derive(Debug, PartialEq, Eq)]
pub enum RunEnding {
    /// Its task is done, or there was nothing to take.
    Done,
    /// It was asked to go.
    Stopped,
    /// It ended otherwise, or never began.
    Failed(String),
}

/// A run has ended.
#[derive(Debug)]
pub struct RunExit {
    /// Its number.
    pub id: u64,
    /// How.
    pub ending: RunEnding,
}

/// A run has taken its task.
#[derive(Debug)]
pub struct Claimed {
    /// Number of the run.
    pub id: u64,
    /// What gave the task out.
    pub command: ControlCommand,
}

/// One run of a job.
pub struct Run {
    /// Its number.
    pub id: u64,
    /// What to start.
    pub command: WorkerCommand,
    /// Who is told that it has taken its task.
    pub claimed: mpsc::UnboundedSender<Claimed>,
    /// Tells it to leave off.
    pub stop: CancellationToken,
}

/// The line of JSON that a job prints once it has taken a task.
#[derive(Debug, Deserialize)]
struct Announcement {
    claimed: ControlCommand,
}

impl Run {
    /// Runs the process until it ends by itself or has been asked to stop.
    pub async fn run(self) -> RunExit {
        let ending = self.supervise().await.unwrap_or_else(RunEnding::Failed);
        RunExit { id: self.id, ending }
    }

    async fn supervise(&self) -> Result<RunEnding, String> {
        let mut child = self.command.spawn()?;
        // The job leaves off when this pipe closes, which the system does too if the platform is killed.
        let lifeline = child.stdin.take();
        let stdout = child.stdout.take().ok_or("its standard output is not a pipe")?;
        let mut lines = BufReader::new(stdout).lines();
        let job = &self.command.name;
        info!(%job, run = self.id, pid = child.id(), "job started");
        let status = loop {
            tokio::select! {
                Ok(Some(line)) = lines.next_line() => self.note(&line),
                status = child.wait() => break status,
                () = self.stop.cancelled() => {
                    drop(lifeline);
                    drain(&mut child, self.command.grace).await;
                    return Ok(RunEnding::Stopped);
                }
            }
        };
        // What it said before it ended counts.
        while let Ok(Ok(Some(line))) = tokio::time::timeout(LAST_WORDS, lines.next_line()).await {
            self.note(&line);
        }
        match status {
            Ok(status) if status.success() => Ok(RunEnding::Done),
            Ok(status) => Err(status.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn note(&self, line: &str) {
        if let Ok(Announcement { claimed: command }) = serde_json::from_str(line) {
            info!(job = %self.command.name, run = self.id, task = command.task, "job took its task");
            // Nobody listens only during a shutdown.
            self.claimed.send(Claimed { id: self.id, command }).ok();
        }
    }
}
