//! Figures that people ask for first, measured with the release binaries on this machine.

mod start;
mod way;

use std::path::PathBuf;

use anyhow::{Context, Result};

/// Runs every benchmark and prints a line for each.
pub(crate) fn run() -> Result<()> {
    way::run()?;
    start::run()
}

/// A release binary, built before by `make bench` into the folder that this one lies in.
fn binary(name: &str) -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    path.is_file().then_some(path).with_context(|| format!("{name} is not built: run `make bench`"))
}

#[expect(clippy::print_stdout, reason = "the figures are this program's output")]
fn tell(line: &str) {
    println!("{line}");
}
