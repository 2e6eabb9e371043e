//! Programs, most of them in Python, that the others' libraries are measured by: started, told what to do, answering with seconds.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use super::tool;

/// A program that is ready; ended when dropped.
pub(super) struct Program {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Program {
    /// Starts one of `crates/xtask/python`, with what it needs in the cache.
    pub(super) fn start(script: &str, arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(interpreter()?);
        command.arg(folder().join(script)).args(arguments);
        Self::of(command).context(script.to_owned())
    }

    /// Starts a program that says when it is ready.
    pub(super) fn of(mut command: Command) -> Result<Self> {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = process.stdin.take().context("a piped stdin")?;
        let output = BufReader::new(process.stdout.take().context("a piped stdout")?);
        let mut program = Self { process, input, output };
        let ready = program.line()?;
        ensure!(ready == "ready", "it said {ready:?}");
        Ok(program)
    }

    /// Gives an order and answers the seconds that it took.
    pub(super) fn order(&mut self, order: &str) -> Result<f64> {
        writeln!(self.input, "{order}")?;
        let line = self.line()?;
        line.parse().with_context(|| format!("{order:?} was answered with {line:?}"))
    }

    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        ensure!(self.output.read_line(&mut line)? > 0, "the program ended");
        Ok(line.trim().to_owned())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python")
}

/// A Python with the libraries, fetched where they are missing.
fn interpreter() -> Result<PathBuf> {
    let cache = tool("kafka-clients")?;
    let fetched = Command::new("bash").arg(folder().join("fetch.sh")).arg(&cache).status()?;
    ensure!(fetched.success(), "fetch.sh failed");
    Ok(cache.join("bin/python"))
}
