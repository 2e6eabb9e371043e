//! Processes of the binary, with their workers; none of them outlives its test.

use std::{
    ffi::OsStr,
    fs,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::NamedTempFile;

use super::{binary, until};

/// A command that came to its end.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code; none for a process that was killed.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Returns what a command that succeeded printed.
    pub(crate) fn succeeded(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }

    /// Reads the last line that it printed.
    pub(crate) fn last_json(&self) -> Value {
        let line = self.stdout.lines().last().unwrap_or_default();
        serde_json::from_str(line).unwrap_or_else(|error| panic!("no line of JSON ({error}): {self:?}"))
    }
}

/// A process of the binary; killed with its workers when dropped.
pub(crate) struct Running {
    child: Child,
    stdout: NamedTempFile,
    stderr: NamedTempFile,
}

/// A process that a platform started.
#[derive(Debug, Clone)]
pub(crate) struct Worker {
    pub(crate) pid: u32,
    /// The function that it serves; empty for the instant before it is known.
    pub(crate) function: String,
}

impl Running {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::spawn(Command::new(binary::path()), arguments)
    }

    /// Starts the binary with more variables in its environment and with this standard input.
    pub(crate) fn start_in(arguments: &[&str], variables: &[(&str, &OsStr)], stdin: Stdio) -> Self {
        let mut command = Command::new(binary::path());
        command.envs(variables.iter().copied());
        Self::spawn_with(command, arguments, stdin)
    }

    /// Starts the binary by a command of the caller's own: one with an environment, or one that ends in the binary.
    pub(crate) fn spawn(command: Command, arguments: &[&str]) -> Self {
        Self::spawn_with(command, arguments, Stdio::null())
    }

    fn spawn_with(mut command: Command, arguments: &[&str], stdin: Stdio) -> Self {
        let file = || NamedTempFile::new().expect("a temporary file");
        let (stdout, stderr) = (file(), file());
        let open = |file: &NamedTempFile| Stdio::from(file.reopen().expect("a temporary file"));
        let child = command
            .args(arguments)
            .env_remove("STREAMFORGE_SEED")
            .env_remove("RUST_LOG")
            .stdin(stdin)
            .stdout(open(&stdout))
            .stderr(open(&stderr))
            .spawn()
            .expect("the binary starts");
        Self { child, stdout, stderr }
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child can be waited for").is_none()
    }

    /// Waits for the first line on stdout.
    pub(crate) fn first_json(&mut self) -> Value {
        until("the first line", || {
            let text = read(&self.stdout);
            let line = text.split_once('\n').map(|(line, _)| line.to_owned());
            assert!(line.is_some() || self.is_running(), "ended before its first line: {}", read(&self.stderr));
            line.map(|line| serde_json::from_str(&line).expect("the first line is JSON"))
        })
    }

    /// Waits for the end.
    pub(crate) fn wait(&mut self) -> Ended {
        let pid = self.child.id();
        let status =
            until(&format!("the end of process {pid}"), || self.child.try_wait().expect("a child can be waited for"));
        Ended { code: status.code(), stdout: read(&self.stdout), stderr: read(&self.stderr) }
    }

    /// Waits for the end, but not for ever: a process that is still there then is killed and has no exit code.
    pub(crate) fn wait_or_kill(&mut self, patience: Duration) -> Ended {
        let started = Instant::now();
        while self.is_running() {
            if started.elapsed() > patience {
                self.kill_with_workers();
            }
            thread::sleep(super::PAUSE);
        }
        self.wait()
    }

    /// Asks the process to stop and waits until it has.
    pub(crate) fn stop(mut self) -> Ended {
        self.signal("-TERM");
        self.wait()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to the process alone.
    pub(crate) fn signal(&self, name: &str) {
        signal(name, self.child.id());
    }

    /// What it said on stderr so far.
    pub(crate) fn said(&self) -> String {
        read(&self.stderr)
    }

    /// Returns the processes that this one started and that are still there.
    pub(crate) fn workers(&self) -> Vec<Worker> {
        let parent = self.child.id().to_string();
        let processes = fs::read_dir("/proc").expect("Linux lists its processes");
        let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
        let is_child = |pid: &u32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            // After the name, which may hold anything: state, then the parent's id.
            let (_, fields) = stat.rsplit_once(')').unwrap_or_default();
            fields.split_whitespace().nth(1) == Some(&parent)
        };
        let worker = |pid| {
            let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let mut words = line.split('\0').skip_while(|word| *word != "function");
            Worker { pid, function: words.nth(1).unwrap_or_default().to_owned() }
        };
        pids.filter(is_child).map(worker).collect()
    }

    /// Kills the process alone and returns the workers that it leaves behind.
    pub(crate) fn kill(&mut self) -> Vec<Worker> {
        let workers = self.workers();
        self.signal("-9");
        self.wait();
        workers
    }

    /// Kills the process and all its workers, as a loss of power would.
    pub(crate) fn kill_with_workers(&mut self) {
        for worker in self.kill() {
            worker.kill();
        }
    }
}

impl Worker {
    pub(crate) fn kill(&self) {
        self.signal("-9");
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(name, self.pid);
    }

    /// Whether the process lives; one that ended and that nobody waits for has no command line.
    pub(crate) fn is_running(&self) -> bool {
        fs::read(format!("/proc/{}/cmdline", self.pid)).is_ok_and(|line| !line.is_empty())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.kill_with_workers();
        }
    }
}

/// Sends a signal; a process that has gone meanwhile is as good as one that was reached.
pub(crate) fn signal(signal: &str, pid: u32) {
    let pid = pid.to_string();
    Command::new("kill").args([signal, &pid]).stderr(Stdio::null()).status().expect("`kill` is there");
}

fn read(file: &NamedTempFile) -> String {
    fs::read_to_string(file.path()).expect("the output is text")
}
