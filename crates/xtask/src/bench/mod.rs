//! Figures that people ask for first, measured with the release binaries on this machine.

mod book;
mod connector;
mod correlation;
mod effect;
mod epoch;
mod frames;
mod function;
mod growth;
mod kafka;
mod live;
mod load;
mod log;
mod market;
mod model;
mod path;
mod peers;
mod platform;
mod predict;
mod process;
mod python;
mod report;
mod scrape;
mod start;
mod store;
mod way;

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use report::{Unit, figure};

/// A benchmark: its name on the command line, and what runs it.
type Bench = (&'static str, fn() -> Result<()>);

const BENCHES: &[Bench] = &[
    ("way", way::run),
    ("start", start::run),
    ("correlation", correlation::run),
    ("log", log::run),
    ("log-growth", log::growth),
    ("log-retention", log::retention),
    ("store", store::run),
    ("growth", growth::run),
    ("function", function::run),
    ("path", path::run),
    ("effect", effect::run),
    ("predict", predict::run),
    ("epoch", epoch::run),
    ("kafka", kafka::run),
    ("connector", connector::run),
    ("book", book::run),
    ("frames", frames::run),
    ("live", live::run),
];

/// The benchmarks that can be named.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    BENCHES.iter().map(|(name, _)| *name)
}

/// Runs the benchmarks of these names, or all, and prints a line of a Markdown table for each figure.
pub(crate) fn run(chosen: &[String]) -> Result<()> {
    if let Some(unknown) = chosen.iter().find(|name| !names().any(|known| known == name.as_str())) {
        bail!("no benchmark is called {unknown:?}; there are: {}", names().collect::<Vec<_>>().join(", "));
    }
    report::head();
    for (name, bench) in BENCHES {
        if chosen.is_empty() || chosen.iter().any(|wanted| wanted == name) {
            bench().with_context(|| format!("benchmark {name}"))?;
        }
    }
    Ok(())
}

/// A release binary, built before by `make bench` into the folder that this one lies in.
fn binary(name: &str) -> Result<PathBuf> {
    let path = env::current_exe()?.with_file_name(name);
    path.is_file().then_some(path).with_context(|| format!("{name} is not built: run `make bench`"))
}

/// Folder in the cache for what a benchmark compares with.
fn tool(name: &str) -> Result<PathBuf> {
    let cache = env::var_os("CACHE").map_or_else(
        || env::var_os("HOME").map(|home| Path::new(&home).join(".cache/streamforge")),
        |cache| Some(cache.into()),
    );
    Ok(cache.context("neither CACHE nor HOME is set")?.join("tools").join(name))
}
