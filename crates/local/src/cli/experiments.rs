//! `streamforge experiments`: trainings listed and shown, as the ledger has them.

use serde_json::Value;
use streamforge_events::{ModelName, QueueId, rfc3339};
use streamforge_ledger::{Experiment, Ledger};

use super::{
    exit::{Failure, Outcome},
    output::{self, Output},
    scores,
};
use crate::platform::Places;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List trainings, newest first.
    List {
        /// Only trainings of this model.
        #[arg(long, value_name = "NAME")]
        model: Option<ModelName>,
        /// Most trainings to list.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// Show the training of a workflow with its parameters and scores.
    Show {
        /// Id of the workflow.
        queue_id: QueueId,
    },
}

pub(super) async fn execute(command: Command, places: &Places, output: Output) -> Outcome {
    let ledger = open(places).await?;
    match command {
        Command::List { model, limit } => list(&ledger.experiments(model.as_ref(), limit).await?, output),
        Command::Show { queue_id } => {
            let found = ledger.experiments_of(&queue_id).await?;
            if found.is_empty() {
                return Err(Failure::Failed(format!("workflow `{queue_id}` has no training in the ledger")));
            }
            if output.is_json() {
                output::value(&found)?;
                return Ok(());
            }
            found.iter().try_for_each(show)
        }
    }
}

/// Opens the ledger of a data folder that has one.
pub(super) async fn open(places: &Places) -> Result<Ledger, Failure> {
    places.existing_ledger().await?.ok_or_else(|| {
        let shown = places.folder().root().display();
        Failure::Unavailable(format!("there is no ledger in `{shown}`; name another folder by --data-dir"))
    })
}

fn list(found: &[Experiment], output: Output) -> Outcome {
    if output.is_json() {
        output::value(&found)?;
        return Ok(());
    }
    let text = |value: Option<String>| value.unwrap_or_default();
    let row = |one: &Experiment| {
        vec![
            one.id.queue_id.to_string(),
            text(one.model.as_ref().map(ToString::to_string)),
            text(one.version.as_ref().map(ToString::to_string)),
            one.state.as_str().to_owned(),
            text(one.started.map(rfc3339)),
            text(one.ended.map(rfc3339)),
            text(one.scores.as_ref().and_then(error_of)),
        ]
    };
    let rows: Vec<Vec<String>> = found.iter().map(row).collect();
    output::table(&["workflow", "model", "version", "state", "started", "ended", "volatility error"], &[6], &rows)?;
    Ok(())
}

fn show(one: &Experiment) -> Outcome {
    let model = one.model.as_ref().map_or("a model without a name", ModelName::as_str);
    let version = one.version.as_ref().map(|version| format!(" version {version}")).unwrap_or_default();
    let reason = one.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    output::line(&format!("{model}{version} of {}: {}{reason}", one.id.queue_id, one.state.as_str()))?;
    let lines = [
        ("task", Some(format!("{}, attempt {}", one.id.task, one.attempt))),
        ("started", one.started.map(rfc3339)),
        ("ended", one.ended.map(rfc3339)),
        ("interval", one.interval.map(|interval| interval.to_string())),
        ("from", one.from.map(rfc3339)),
        ("to", one.to.map(rfc3339)),
        ("graph", one.graph.clone()),
        ("seed", one.seed.map(|seed| seed.to_string())),
        ("parameters", one.parameters.as_ref().map(Value::to_string)),
        ("settings", one.settings.as_ref().map(Value::to_string)),
    ];
    let rows: Vec<Vec<String>> =
        lines.into_iter().filter_map(|(name, value)| Some(vec![name.to_owned(), value?])).collect();
    output::table(&["", ""], &[], &rows)?;
    scores::print(one.scores.as_ref())
}

/// Mean squared error of the network's volatility, by which trainings are compared at a glance.
fn error_of(scores: &Value) -> Option<String> {
    scores["volatility"]["network"]["mean"].as_f64().map(|mean| format!("{mean:.4}"))
}
