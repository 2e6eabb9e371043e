//! `streamforge backup restore`: a store and its models filled from a backup.

use queue_manager::document::Status;
use serde_json::{Value, json};
use streamforge_backup::{BackupName, Counts, Holdings, Restored, restore};
use streamforge_store::ModelRegistry;

use super::place;
use crate::{
    cli::{
        exit::{Failure, Outcome},
        output::{self, Output},
    },
    platform::Places,
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Name of the backup.
    name: BackupName,
    /// Where it is: `file:FOLDER` or `s3://BUCKET`; without it, beside the objects of the data folder.
    #[arg(long, value_name = "URL")]
    from: Option<String>,
}

pub(super) async fn execute(arguments: Arguments, places: &Places, output: Output) -> Outcome {
    let place = place::open_existing(arguments.from.as_deref(), places).await?;
    let manifest = place.manifest(&arguments.name).await?;
    let store = places.open_store().await?;
    // A place for models is made only where there are some.
    let models = if manifest.models.is_empty() { None } else { Some(places.open_objects().await?) };
    let models = models.map(ModelRegistry::new);
    let target = Holdings { store: store.as_ref(), models: models.as_ref() };
    let is_over = |status: &str| Status::parse(status).is_some_and(Status::is_terminal);
    let restored = restore(&place, &manifest, &target, is_over).await?;
    print(&arguments.name, &restored, output)?;
    if restored.conflicts.is_empty() {
        return Ok(());
    }
    let conflicts = restored.conflicts.join("; ");
    Err(Failure::Failed(format!("backup {} was restored but for what is there otherwise: {conflicts}", arguments.name)))
}

fn print(name: &BackupName, restored: &Restored, output: Output) -> Outcome {
    let Restored { rows, predictions, gaps, graphs, models, workflows, under_way, conflicts } = restored;
    let parts = [
        ("rows", rows),
        ("predictions", predictions),
        ("gaps", gaps),
        ("graphs", graphs),
        ("models", models),
        ("workflows", workflows),
    ];
    if output.is_json() {
        let mut value = json!({"name": name, "under_way": under_way, "conflicts": conflicts});
        for (part, counts) in parts {
            value[part] = of_counts(counts);
        }
        return Ok(output::value(&value)?);
    }
    let cells = parts.iter().map(|(part, counts)| {
        let Counts { inserted, updated, unchanged } = counts;
        vec![(*part).to_owned(), inserted.to_string(), updated.to_string(), unchanged.to_string()]
    });
    output::table(&["restored", "new", "newer", "there already"], &[1, 2, 3], &cells.collect::<Vec<_>>())?;
    for id in under_way {
        output::line(&format!("{id} was under way and is not restored; its request, run again, starts it anew"))?;
    }
    Ok(())
}

fn of_counts(counts: &Counts) -> Value {
    let Counts { inserted, updated, unchanged } = counts;
    json!({"new": inserted, "newer": updated, "there_already": unchanged})
}
