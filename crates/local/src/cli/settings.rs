//! `streamforge settings`: what users have chosen, read and changed.

use serde_json::Value;
use streamforge_ledger::{Expected, Setting, SettingSwap};

use super::{
    exit::{Failure, Outcome},
    experiments,
    output::{self, Output},
};
use crate::platform::Places;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the settings of a user.
    List {
        /// The user.
        user: String,
    },
    /// Print a setting.
    Get {
        /// The user.
        user: String,
        /// What is set.
        name: String,
    },
    /// Change a setting.
    Set {
        /// The user.
        user: String,
        /// What is set.
        name: String,
        /// The value: JSON, or else taken as text.
        #[arg(allow_negative_numbers = true)]
        value: String,
        /// Change it only while it has this revision; 0 where it is not to be there yet.
        #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i64).range(0..))]
        revision: Option<i64>,
    },
}

pub(super) async fn execute(command: Command, places: &Places, output: Output) -> Outcome {
    match command {
        Command::List { user } => list(&experiments::open(places).await?.settings(&user).await?, output),
        Command::Get { user, name } => {
            let found = experiments::open(places).await?.setting(&user, &name).await?;
            let found = found.ok_or_else(|| Failure::Failed(format!("user `{user}` has no setting `{name}`")))?;
            show(&found, output)
        }
        Command::Set { user, name, value, revision } => {
            let value = serde_json::from_str(&value).unwrap_or(Value::String(value));
            let expected = match revision {
                None => Expected::Anything,
                Some(0) => Expected::Nothing,
                Some(revision) => Expected::Revision(revision),
            };
            match places.open_ledger().await?.set(&user, &name, &value, expected).await? {
                SettingSwap::Stored(stored) => show(&stored, output),
                SettingSwap::Lost(Some(current)) => Err(Failure::Failed(format!(
                    "setting `{name}` has revision {} by now, with the value {}",
                    current.revision, current.value
                ))),
                SettingSwap::Lost(None) => Err(Failure::Failed(format!("user `{user}` has no setting `{name}` yet"))),
            }
        }
    }
}

fn list(found: &[Setting], output: Output) -> Outcome {
    if output.is_json() {
        output::value(&found)?;
        return Ok(());
    }
    let row = |one: &Setting| vec![one.name.clone(), one.value.to_string(), one.revision.to_string()];
    let rows: Vec<Vec<String>> = found.iter().map(row).collect();
    Ok(output::table(&["setting", "value", "revision"], &[2], &rows)?)
}

fn show(one: &Setting, output: Output) -> Outcome {
    if output.is_json() {
        output::value(one)?;
        return Ok(());
    }
    Ok(output::line(&one.value.to_string())?)
}
