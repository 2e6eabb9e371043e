//! A process that dies with the one that started it, or outlives it on purpose.

use std::{
    ffi::OsStr,
    fs,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

const PAUSE: Duration = Duration::from_millis(20);

/// When a server ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// Killed when the process that started it is gone: for tests, whose process may end by a panic or a kill.
    WithStarter,
    /// Runs until it is stopped.
    Own,
}

/// A started process.
#[derive(Debug)]
pub struct Process {
    pid: u32,
    has_ended: Arc<AtomicBool>,
}

impl Process {
    /// Starts a program with standard output and error in a log file.
    ///
    /// # Errors
    /// If the program or its log cannot be opened.
    pub fn start<S: AsRef<OsStr>>(arguments: &[S], log: &Path, lifetime: Lifetime) -> Result<Self> {
        let [program, rest @ ..] = arguments else { bail!("no program is named") };
        let mut command = match lifetime {
            Lifetime::Own => Command::new(program),
            Lifetime::WithStarter => {
                let mut command = Command::new("setpriv");
                command.args(["--pdeathsig", "KILL", "--"]).arg(program);
                command
            }
        };
        let file = fs::File::options().create(true).append(true).open(log).context("open a log file")?;
        command.args(rest).stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).process_group(0);
        let has_ended = Arc::new(AtomicBool::new(false));
        let (sender, started) = mpsc::channel();
        let ended = Arc::clone(&has_ended);
        // The kernel counts the thread that started a process as its parent, so this one stays as long as the process.
        thread::spawn(move || match command.spawn() {
            Ok(mut child) => {
                sender.send(Ok(child.id())).ok();
                // An error means that there is nothing to wait for.
                child.wait().ok();
                ended.store(true, Ordering::Release);
            }
            Err(error) => {
                sender.send(Err(error)).ok();
            }
        });
        let pid = started.recv()?.with_context(|| format!("start {}", program.as_ref().display()))?;
        Ok(Self { pid, has_ended })
    }

    /// Its id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it is gone.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    /// Sends a signal, unless the process has gone.
    pub(crate) fn signal(&self, name: &str) {
        if !self.has_ended() {
            signal(self.pid, name);
        }
    }

    /// Kills it and waits until it is gone.
    pub(crate) fn kill(&self) {
        self.signal("-KILL");
        while !self.has_ended() {
            thread::sleep(PAUSE);
        }
    }

    /// Waits until the log holds a text.
    pub(crate) fn wait_for(&self, text: &str, log: &Path, patience: Duration) -> Result<()> {
        let started = Instant::now();
        loop {
            let said = fs::read_to_string(log).unwrap_or_default();
            if said.contains(text) {
                return Ok(());
            }
            if self.has_ended() {
                bail!("process ended before it was ready:\n{}", last_lines(&said));
            }
            if started.elapsed() > patience {
                self.kill();
                bail!("process was not ready within {patience:?}:\n{}", last_lines(&said));
            }
            thread::sleep(PAUSE);
        }
    }
}

/// Stops what outlived its starter, by what it was described as: its `pids`, its `folder` and the `signal` to send where
/// that is not `KILL`; answers how many processes there were.
pub fn stop(description: &Value) -> usize {
    let pids = description["pids"].as_array().into_iter().flatten().filter_map(Value::as_u64);
    let folder = description["folder"].as_str().unwrap_or_default();
    let is_ours = |pid: &u32| {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        // Numbers of processes are given again.
        !folder.is_empty() && line.contains(folder)
    };
    let running: Vec<u32> = pids.filter_map(|pid| u32::try_from(pid).ok()).filter(is_ours).collect();
    let name = format!("-{}", description["signal"].as_str().unwrap_or("KILL"));
    for pid in &running {
        signal(*pid, &name);
    }
    while running.iter().any(is_ours) {
        thread::sleep(PAUSE);
    }
    running.len()
}

/// Sends a signal to a process by its id.
fn signal(pid: u32, name: &str) {
    // A process that has gone meanwhile is as good as one that was reached.
    Command::new("kill").args([name, &pid.to_string()]).stderr(Stdio::null()).status().ok();
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
