//! A Kubernetes to try things on: started, looked at, given images, stopped.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

use anyhow::{Context as _, Result, bail};
use streamforge_cluster::{Cluster, Image, install};

/// Builds and starts what does not run yet, and prints where it is.
pub(crate) fn up(options: &[String]) -> Result<()> {
    let mut is_json = false;
    let mut has_argocd = false;
    for option in options {
        match option.as_str() {
            "--json" => is_json = true,
            "--install" => install()?,
            "--argocd" => has_argocd = true,
            unknown => bail!("unknown option {unknown:?}"),
        }
    }
    let cluster = Cluster::own()?;
    cluster.up()?;
    if has_argocd {
        cluster.argocd()?;
    }
    let described = cluster.describe();
    let text = if is_json { described.to_string() } else { serde_json::to_string_pretty(&described)? };
    writeln!(io::stdout(), "{text}")?;
    Ok(())
}

/// Stops it and takes its data away.
pub(crate) fn down() -> Result<()> {
    let stopped = Cluster::own()?.down()?;
    writeln!(io::stdout(), "stopped {stopped} processes")?;
    Ok(())
}

/// Says what runs; fails where something has ended.
pub(crate) fn status() -> Result<()> {
    let state = Cluster::own()?.state();
    let mut output = io::stdout().lock();
    for (name, pid) in &state.running {
        writeln!(output, "{name}  {pid}")?;
    }
    if !state.ended.is_empty() {
        bail!("{} ended; start them again by `xtask cluster up`", state.ended.join(", "));
    }
    if state.running.is_empty() {
        writeln!(output, "no cluster is up")?;
    }
    Ok(())
}

/// Gives the node an image of a program.
pub(crate) fn load(name: &str, program: &str) -> Result<()> {
    let program = fs::canonicalize(program).with_context(|| format!("find {program}"))?;
    Cluster::own()?.load(&Image::of_program(name, Path::new(&program)))
}
