//! `streamforge function NAME`: any of the functions as a worker of its own.

use std::process::ExitCode;

use super::exit::{Failure, Outcome};
use crate::functions;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Name of the function.
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(functions::NAMES))]
    name: String,
}

pub(super) fn execute(arguments: &Arguments) -> Outcome {
    match functions::serve(&arguments.name) {
        Some(ExitCode::SUCCESS) => Ok(()),
        Some(code) => Err(Failure::Worker(code)),
        None => Err(Failure::Configuration(format!("function `{}` is not known", arguments.name))),
    }
}
