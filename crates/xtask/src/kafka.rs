//! A Kafka to try things on: started, found again and stopped.

use std::{
    fs,
    io::{self, Write as _},
    path::PathBuf,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use streamforge_servers::{
    Kafka, Lifetime, cache,
    kafka::{Settings, Validity, stop},
};

/// Starts a cluster that outlives this process, and prints where it is.
pub(crate) fn up(options: &[String]) -> Result<()> {
    let mut settings =
        Settings { lifetime: Lifetime::Own, folder: Some(folder()?.join("data")), ..Settings::default() };
    let mut is_json = false;
    let mut options = options.iter();
    while let Some(option) = options.next() {
        match option.as_str() {
            "--nodes" => {
                let nodes = options.next().and_then(|nodes| nodes.parse().ok());
                settings.nodes = nodes.filter(|nodes| (1..=9).contains(nodes)).context("--nodes takes 1 to 9")?;
            }
            "--secured" => settings.secured = Some(Validity::Valid),
            "--json" => is_json = true,
            unknown => bail!("unknown option {unknown:?}"),
        }
    }
    if description()?.is_some() {
        bail!("a Kafka is up already; stop it by `xtask kafka down`");
    }
    fs::remove_dir_all(folder()?).ok();
    fs::create_dir_all(folder()?)?;
    let described = Kafka::start(&settings)?.describe();
    fs::write(folder()?.join("state.json"), described.to_string())?;
    let text = if is_json { described.to_string() } else { serde_json::to_string_pretty(&described)? };
    writeln!(io::stdout(), "{text}")?;
    Ok(())
}

/// Stops it and takes its data away.
pub(crate) fn down() -> Result<()> {
    let stopped = description()?.map_or(0, |described| stop(&described));
    writeln!(io::stdout(), "stopped {stopped} nodes")?;
    fs::remove_dir_all(folder()?).ok();
    Ok(())
}

fn folder() -> Result<PathBuf> {
    Ok(cache()?.join("kafka-up"))
}

/// What is up, as far as it was told.
fn description() -> Result<Option<Value>> {
    match fs::read_to_string(folder()?.join("state.json")) {
        Ok(text) => Ok(Some(serde_json::from_str(&text).context("read the state of Kafka")?)),
        Err(_) => Ok(None),
    }
}
