//! The command line: one file a command, one place for exit codes, one for output.

mod backup;
mod book;
mod completions;
mod control;
mod coverage;
mod dead_letters;
mod dummy;
mod exchange;
mod exit;
mod experiments;
mod export;
mod function;
mod instant;
mod models;
mod output;
mod progress;
mod publish;
mod queues;
mod record;
mod remote;
mod repair;
mod replay;
mod roi;
mod run;
mod scores;
mod settings;
mod status;
mod streams;
mod up;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::platform::{Error, Places, Urls};
use exit::Outcome;
use output::Output;

/// From one event to stored market data and a graph of its symbols, on one machine.
#[derive(Debug, Parser)]
#[command(name = "streamforge", version, propagate_version = true, after_long_help = exit::HELP)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Args)]
struct Global {
    /// Folder of the log, the store, the worker logs and the lock.
    #[arg(long, global = true, value_name = "DIR", env = "STREAMFORGE_DATA_DIR", default_value = ".streamforge")]
    data_dir: PathBuf,
    #[command(flatten)]
    backends: Backends,
    /// Print JSON for programs instead of text for people.
    #[arg(long, global = true)]
    json: bool,
}

/// What to use instead of the data folder.
#[derive(Debug, clap::Args)]
struct Backends {
    /// Event log: `sqlite` in the data folder, or `kafka://HOST:PORT`.
    #[arg(long, global = true, value_name = "URL", env = "STREAMFORGE_BUS_URL", default_value = "sqlite")]
    bus: String,
    /// Store: `sqlite` in the data folder, or `arangodb://HOST:PORT/DB`.
    #[arg(long, global = true, value_name = "URL", env = "STREAMFORGE_STORE_URL", default_value = "sqlite")]
    store: String,
    /// Objects, such as models: `file` in the data folder, or `s3://BUCKET`.
    #[arg(long, global = true, value_name = "URL", env = "STREAMFORGE_OBJECTS_URL", default_value = "file")]
    objects: String,
    /// Ledger of experiments, predictions and settings: `sqlite` in the data folder, or `postgres://HOST:PORT/DB`.
    #[arg(long, global = true, value_name = "URL", env = "STREAMFORGE_LEDGER_URL", default_value = "sqlite")]
    ledger: String,
}

impl Global {
    fn places(&self) -> Result<Places, Error> {
        let named = |url: &str, own: &str| (url != own).then(|| url.to_owned());
        let Backends { bus, store, objects, ledger } = &self.backends;
        let urls = Urls {
            bus: named(bus, "sqlite"),
            store: named(store, "sqlite"),
            objects: named(objects, "file"),
            ledger: named(ledger, "sqlite"),
        };
        Places::new(&self.data_dir, urls)
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the platform until it is told to stop.
    Up(up::Arguments),
    /// Run one workflow to its end.
    Run(run::Arguments),
    /// Publish an event to a Broker.
    Publish(publish::Arguments),
    /// List, show, watch or stop workflows.
    #[command(subcommand)]
    Queues(queues::Command),
    /// Send a control command to the workers of a workflow.
    Control(control::Arguments),
    /// Serve one function as a worker.
    Function(function::Arguments),
    /// Serve the diagnostic function with a chosen behaviour.
    Dummy(dummy::Arguments),
    /// Serve a simulated exchange.
    #[command(subcommand)]
    Exchange(exchange::Command),
    /// Print an order book made of recorded frames.
    Book(book::Arguments),
    /// Record streams of the exchange into a folder.
    Record(record::Arguments),
    /// Play a recording through the whole platform.
    Replay(replay::Arguments),
    /// Print or write stored klines, trades, a graph, predictions or what a training learns from.
    Export(export::Arguments),
    /// Show how complete what is stored of a symbol is, and what is missing.
    Coverage(coverage::Arguments),
    /// List, show, promote or export trained models.
    #[command(subcommand)]
    Models(models::Command),
    /// List or show trainings.
    #[command(subcommand)]
    Experiments(experiments::Command),
    /// Show predictions against what came.
    Roi(roi::Arguments),
    /// List, print or change what users have chosen.
    #[command(subcommand)]
    Settings(settings::Command),
    /// List, show or replay events that no retry would fix.
    #[command(subcommand)]
    DeadLetters(dead_letters::Command),
    /// Copy what is stored to another place, and back into any store.
    #[command(subcommand)]
    Backup(backup::Command),
    /// Show topics, consumer groups, lag and workers.
    Status(status::Arguments),
    /// Make a new log and a new store of all that can be read of damaged ones.
    Repair(repair::Arguments),
    /// Print a completion script for a shell.
    Completions(completions::Arguments),
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    exit::code(execute(cli))
}

fn execute(cli: Cli) -> Outcome {
    let output = Output::new(cli.global.json);
    let places = cli.global.places()?;
    match cli.command {
        // Workers and the simulator bring a runtime and a log format of their own.
        Command::Function(arguments) => return function::execute(&arguments),
        Command::Dummy(arguments) => return dummy::execute(&arguments, &places),
        Command::Completions(arguments) => return completions::execute(&arguments),
        _ => {}
    }
    exit::start_logging(if matches!(cli.command, Command::Up(_)) { "info" } else { "warn" });
    let runtime = exit::runtime()?;
    runtime.block_on(async move {
        match cli.command {
            Command::Up(arguments) => up::execute(arguments, &places, output).await,
            Command::Run(arguments) => run::execute(arguments, &places, output).await,
            Command::Publish(arguments) => publish::execute(arguments, &places, output).await,
            Command::Queues(command) => queues::execute(command, &places, output).await,
            Command::Control(arguments) => control::execute(arguments, &places, output).await,
            Command::Exchange(command) => exchange::execute(command, output).await,
            Command::Book(arguments) => book::execute(&arguments),
            Command::Record(arguments) => record::execute(arguments, output).await,
            Command::Replay(arguments) => replay::execute(arguments, &places, output).await,
            Command::Export(arguments) => export::execute(arguments, &places, output).await,
            Command::Coverage(arguments) => coverage::execute(arguments, &places, output).await,
            Command::Models(command) => models::execute(command, &places, output).await,
            Command::Experiments(command) => experiments::execute(command, &places, output).await,
            Command::Roi(arguments) => roi::execute(arguments, &places, output).await,
            Command::Settings(command) => settings::execute(command, &places, output).await,
            Command::DeadLetters(command) => dead_letters::execute(command, &places, output).await,
            Command::Backup(command) => backup::execute(command, &places, output).await,
            Command::Repair(arguments) => repair::execute(arguments, &places, output).await,
            Command::Status(arguments) => status::execute(arguments, &places, output).await,
            Command::Function(_) | Command::Dummy(_) | Command::Completions(_) => Ok(()),
        }
    })
}

#[cfg(test)]
mod tests;
