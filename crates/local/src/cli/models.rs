//! `streamforge models`: trained models listed, shown, put into use and copied out.

mod export;

use std::path::PathBuf;

use serde_json::{Value, json};
use streamforge_events::{ModelName, ModelVersion, rfc3339};
use streamforge_store::{Model, ModelManifest, ModelRegistry};

use super::{
    exit::{Failure, Outcome},
    output::{self, Output},
};
use crate::platform::Places;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the versions of all models, the newest of each first.
    List,
    /// Show a version with its card, after checking its files.
    #[command(disable_version_flag = true)]
    Show {
        /// The model.
        name: ModelName,
        /// The version; without it, the one in use.
        #[arg(long)]
        version: Option<ModelVersion>,
    },
    /// Put a version into use, be it older or newer than the present one.
    #[command(disable_version_flag = true)]
    Promote {
        /// The model.
        name: ModelName,
        /// The version.
        version: ModelVersion,
    },
    /// Write a version's files into a folder, after checking them.
    #[command(disable_version_flag = true)]
    Export {
        /// The model.
        name: ModelName,
        /// The version; without it, the one in use.
        #[arg(long)]
        version: Option<ModelVersion>,
        /// Folder to write to: one that is not there, is empty, or holds the same files already.
        #[arg(long, value_name = "FOLDER")]
        to: PathBuf,
    },
}

pub(super) async fn execute(command: Command, places: &Places, output: Output) -> Outcome {
    let Some(models) = open_if_there(places).await? else {
        let shown = places.folder().root().display();
        return Err(Failure::Unavailable(format!(
            "no models are stored in `{shown}`; name another folder by --data-dir"
        )));
    };
    match command {
        Command::List => list(&models, output).await,
        Command::Show { name, version } => {
            let model = models.load(&name, version.as_ref()).await?;
            show(&model, models.is_latest(&model.manifest).await, output)
        }
        Command::Promote { name, version } => {
            models.promote(&name, &version).await?;
            if output.is_json() {
                output::value(&json!({"name": name, "version": version, "latest": true}))?;
                return Ok(());
            }
            output::line(&format!("version {version} of {name} is in use"))?;
            Ok(())
        }
        Command::Export { name, version, to } => {
            let model = models.load(&name, version.as_ref()).await?;
            export::write(&model.files, &to)?;
            let ModelManifest { name, version, .. } = &model.manifest;
            if output.is_json() {
                output::value(&json!({"name": name, "version": version, "folder": to.display().to_string()}))?;
                return Ok(());
            }
            output::line(&format!("version {version} of {name} is in {}", to.display()))?;
            Ok(())
        }
    }
}

/// The models of a data folder; none if it has none.
pub(super) async fn open_if_there(places: &Places) -> Result<Option<ModelRegistry>, Failure> {
    Ok(places.existing_objects().await?.map(ModelRegistry::new))
}

async fn list(models: &ModelRegistry, output: Output) -> Outcome {
    let mut found = Vec::new();
    for name in models.names().await? {
        for manifest in models.versions(&name).await? {
            let is_latest = models.is_latest(&manifest).await;
            found.push((manifest, is_latest));
        }
    }
    if output.is_json() {
        output::value(&found.iter().map(|(manifest, is_latest)| manifest.shown(*is_latest)).collect::<Vec<_>>())?;
        return Ok(());
    }
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|(manifest, is_latest)| {
            let bytes: u64 = manifest.files.values().map(|sum| sum.bytes).sum();
            let in_use = if *is_latest { "latest" } else { "" };
            let ModelManifest { name, version, created, .. } = manifest;
            vec![name.to_string(), version.to_string(), rfc3339(*created), bytes.to_string(), in_use.to_owned()]
        })
        .collect();
    output::table(&["model", "version", "created", "bytes", ""], &[3], &rows)?;
    Ok(())
}

fn show(model: &Model, is_latest: bool, output: Output) -> Outcome {
    let card: Value = serde_json::from_slice(&model.files.card).map_err(|error| Failure::failed(&error))?;
    if output.is_json() {
        let mut value = model.manifest.shown(is_latest);
        value["card"] = card;
        output::value(&value)?;
        return Ok(());
    }
    let ModelManifest { name, version, created, files } = &model.manifest;
    let in_use = if is_latest { ", the latest" } else { "" };
    output::line(&format!("{name}: version {version} of {}{in_use}", rfc3339(*created)))?;
    let rows: Vec<Vec<String>> = files
        .iter()
        .map(|(file, sum)| vec![file.as_str().to_owned(), sum.bytes.to_string(), sum.sha256.clone()])
        .collect();
    output::table(&["file", "bytes", "SHA-256"], &[1], &rows)?;
    output::line(&serde_json::to_string_pretty(&card).map_err(|error| Failure::failed(&error))?)?;
    Ok(())
}
