//! `streamforge completions SHELL`: a completion script, made from the command line's own definition.

use std::io::Write as _;

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Cli, exit::Outcome, output};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The shell that will read the script.
    shell: Shell,
}

pub(super) fn execute(arguments: &Arguments) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "streamforge", &mut script);
    let mut writer = output::writer();
    writer.write_all(&script)?;
    writer.flush()?;
    Ok(())
}
