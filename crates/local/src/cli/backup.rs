//! `streamforge backup`: what is stored copied to a folder or a bucket, listed there, and restored into any store.

mod create;
mod list;
mod place;
mod restore;

use super::{
    exit::{Failure, Outcome},
    output::Output,
};
use crate::platform::{Places, interrupted};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Copy series, workflows, graphs, predictions and models; the platform may run meanwhile.
    Create(create::Arguments),
    /// List backups, the newest first.
    List(list::Arguments),
    /// Restore a backup into a store that is empty, or beside what it holds: newer rows stay.
    Restore(restore::Arguments),
}

pub(super) async fn execute(command: Command, places: &Places, output: Output) -> Outcome {
    let work = async {
        match command {
            Command::Create(arguments) => create::execute(arguments, places, output).await,
            Command::List(arguments) => list::execute(arguments, places, output).await,
            Command::Restore(arguments) => restore::execute(arguments, places, output).await,
        }
    };
    tokio::select! {
        outcome = work => outcome,
        () = interrupted() => Err(Failure::Interrupted),
    }
}
