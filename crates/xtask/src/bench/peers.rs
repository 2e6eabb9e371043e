//! Libraries of others for frames and books: fetched or built where they are missing, and said to be absent otherwise.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use super::{Unit, figure, python::Program, report::absent, tool};

const RUNS: usize = 3;

/// The programs, or why they are not there.
pub(super) struct Peers {
    python: Result<Program, String>,
    rust: Result<Program, String>,
}

impl Peers {
    pub(super) fn start() -> Self {
        let told = |error: anyhow::Error| format!("{error:#}");
        Self { python: python().map_err(told), rust: rust().map_err(told) }
    }

    /// Prints a figure of what an order takes, or why there is none.
    pub(super) fn figure(&mut self, what: &str, order: &str, unit: Unit, of_seconds: impl Fn(f64) -> f64) {
        let is_python = ["cryptofeed", "order_book"].iter().any(|name| order.starts_with(name));
        let program = match if is_python { &mut self.python } else { &mut self.rust } {
            Ok(program) => program,
            Err(reason) => return absent(what, reason),
        };
        match (0..RUNS).map(|_| program.order(order)).collect::<Result<Vec<_>>>() {
            Ok(runs) => figure(what, unit, runs.into_iter().map(of_seconds).collect()),
            Err(error) => absent(what, &format!("{error:#}")),
        }
    }
}

fn python() -> Result<Program> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/feeds");
    let cache = tool("feeds")?;
    let fetched = Command::new("bash").arg(folder.join("fetch.sh")).arg(&cache).status()?;
    ensure!(fetched.success(), "the libraries for Python could not be fetched");
    let mut command = Command::new(cache.join("bin/python"));
    command.arg(folder.join("feeds.py"));
    Program::of(command).context("the libraries for Python")
}

fn rust() -> Result<Program> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/Cargo.toml");
    let cache = tool("peers")?;
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--quiet", "--locked", "--release", "--manifest-path"]).arg(manifest);
    // What it says goes where errors go: the figures are a table.
    let built =
        cargo.arg("--target-dir").arg(&cache).stdout(Stdio::null()).status().context("cargo cannot be started")?;
    ensure!(built.success(), "the libraries for Rust could not be built");
    Program::of(Command::new(cache.join("release/peers"))).context("the libraries for Rust")
}
