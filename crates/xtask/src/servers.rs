//! Servers to try things on: started, found again and stopped.

use std::{
    fs,
    io::{self, Write as _},
    path::PathBuf,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use streamforge_servers::{
    Kafka, Lifetime, Postgres, S3, Validity, cache,
    kafka::{Settings, Speed},
    stop,
};

/// Starts a Kafka that outlives this process, and prints where it is.
pub(crate) fn kafka(options: &[String]) -> Result<()> {
    let mut settings = Settings { lifetime: Lifetime::Own, speed: Speed::OfWork, ..Settings::default() };
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
    up("kafka", is_json, |folder| Ok(Kafka::start(&Settings { folder: Some(folder), ..settings })?.describe()))
}

/// Starts an S3 server that outlives this process, and prints where it is.
pub(crate) fn s3(options: &[String]) -> Result<()> {
    let (secured, options): (Vec<String>, Vec<String>) =
        options.iter().cloned().partition(|option| option == "--secured");
    let secured = secured.first().map(|_| Validity::Valid);
    up("s3", is_json(&options)?, |folder| Ok(S3::start(Lifetime::Own, Some(&folder), secured)?.describe()))
}

/// Starts a `PostgreSQL` that outlives this process, and prints where it is.
pub(crate) fn postgres(options: &[String]) -> Result<()> {
    up("postgres", is_json(options)?, |_| Ok(Postgres::start(Lifetime::Own, false)?.describe()))
}

/// Stops a server and takes its data away.
pub(crate) fn down(name: &str) -> Result<()> {
    let described = description(name)?.unwrap_or_default();
    writeln!(io::stdout(), "stopped {} processes", stop(&described))?;
    // Most servers keep their data in the folder below; one that runs as another user cannot.
    if let Some(folder) = described["folder"].as_str() {
        fs::remove_dir_all(folder).ok();
    }
    fs::remove_dir_all(folder(name)?).ok();
    Ok(())
}

fn up(name: &str, is_json: bool, start: impl FnOnce(PathBuf) -> Result<Value>) -> Result<()> {
    if description(name)?.is_some() {
        bail!("one is up already; stop it by `xtask {name} down`");
    }
    let folder = folder(name)?;
    fs::remove_dir_all(&folder).ok();
    fs::create_dir_all(&folder)?;
    let described = start(folder.join("data"))?;
    fs::write(folder.join("state.json"), described.to_string())?;
    let text = if is_json { described.to_string() } else { serde_json::to_string_pretty(&described)? };
    writeln!(io::stdout(), "{text}")?;
    Ok(())
}

fn is_json(options: &[String]) -> Result<bool> {
    match options {
        [] => Ok(false),
        [option] if option == "--json" => Ok(true),
        [unknown, ..] => bail!("unknown option {unknown:?}"),
    }
}

fn folder(name: &str) -> Result<PathBuf> {
    Ok(cache()?.join(format!("{name}-up")))
}

/// What is up, as far as it was told.
fn description(name: &str) -> Result<Option<Value>> {
    match fs::read_to_string(folder(name)?.join("state.json")) {
        Ok(text) => Ok(Some(serde_json::from_str(&text).with_context(|| format!("read the state of {name}"))?)),
        Err(_) => Ok(None),
    }
}
