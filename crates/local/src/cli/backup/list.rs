//! `streamforge backup list`: which backups there are and what they hold.

use std::cmp::Reverse;

use serde_json::{Value, json};
use streamforge_backup::{BackupName, Manifest, ModelPart};
use streamforge_events::rfc3339;

use super::place;
use crate::{
    cli::{
        exit::{Outcome, chain},
        output::{self, Output},
    },
    platform::Places,
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Where they are: `file:FOLDER` or `s3://BUCKET`; without it, beside the objects of the data folder.
    #[arg(long, value_name = "URL")]
    from: Option<String>,
}

/// A backup, or why it cannot be read.
struct Listed {
    name: BackupName,
    manifest: Result<Manifest, String>,
}

pub(super) async fn execute(arguments: Arguments, places: &Places, output: Output) -> Outcome {
    let place = place::open_existing(arguments.from.as_deref(), places).await?;
    let mut found = Vec::new();
    for name in place.names().await? {
        let manifest = match place.manifest(&name).await {
            Ok(manifest) => Ok(manifest),
            Err(error @ streamforge_backup::Error::Store(_)) => return Err(error.into()),
            Err(error) => Err(chain(&error)),
        };
        found.push(Listed { name, manifest });
    }
    found.sort_by_key(|listed| Reverse(listed.manifest.as_ref().ok().map(|manifest| manifest.created)));
    if output.is_json() {
        return Ok(output::value(&found.iter().map(Listed::json).collect::<Vec<_>>())?);
    }
    let rows: Vec<Vec<String>> = found.iter().map(Listed::row).collect();
    let header = ["backup", "created", "rows", "bytes", "from", "to", "models", ""];
    Ok(output::table(&header, &[2, 3, 6], &rows)?)
}

impl Listed {
    fn json(&self) -> Value {
        let Self { name, manifest } = self;
        let manifest = match manifest {
            Ok(manifest) => manifest,
            Err(reason) => return json!({"name": name, "damaged": reason}),
        };
        let series = manifest.series.iter().map(|part| {
            let (first, last) = (part.chunks.first(), part.chunks.last());
            json!({
                "series": part.series.to_string(),
                "rows": part.rows(),
                "from": first.map(|chunk| rfc3339(chunk.first)),
                "to": last.map(|chunk| rfc3339(chunk.last)),
                "loaded": part.loaded.iter().map(ToString::to_string).collect::<Vec<_>>(),
            })
        });
        let mut value = json!({
            "name": name,
            "created": rfc3339(manifest.created),
            "program": manifest.program,
            "rows": manifest.rows(),
            "bytes": manifest.bytes(),
            "limits": {"symbols": manifest.limits.symbols, "range": manifest.limits.range.map(|range| range.to_string())},
            "series": series.collect::<Vec<_>>(),
            "left_out": manifest.left_out,
        });
        for (what, count) in manifest.others() {
            value[what] = json!(count);
        }
        let model = |model: &ModelPart| {
            let versions: Vec<_> = model.versions.iter().map(|version| &version.version).collect();
            json!({"name": model.name, "latest": model.latest, "versions": versions})
        };
        value["models"] = manifest.models.iter().map(model).collect();
        value
    }

    fn row(&self) -> Vec<String> {
        let Self { name, manifest } = self;
        match manifest {
            Ok(manifest) => {
                let (from, to) = manifest.span().map(|(from, to)| (rfc3339(from), rfc3339(to))).unwrap_or_default();
                let models: usize = manifest.models.iter().map(|model| model.versions.len()).sum();
                let remark = match (manifest.limits.is_none(), manifest.left_out.is_empty()) {
                    (false, _) => "a part",
                    (true, false) => "without what was damaged",
                    (true, true) => "",
                };
                let (rows, bytes) = (manifest.rows().to_string(), manifest.bytes().to_string());
                let created = rfc3339(manifest.created);
                vec![name.to_string(), created, rows, bytes, from, to, models.to_string(), remark.to_owned()]
            }
            Err(reason) => {
                let empty = || "-".to_owned();
                vec![name.to_string(), empty(), empty(), empty(), empty(), empty(), empty(), reason.clone()]
            }
        }
    }
}
