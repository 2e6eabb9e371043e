//! `streamforge exchange serve`: the simulated exchange on its own, for loaders and tools that are run by hand.

use std::net::SocketAddr;

use streamforge_events::Millis;
use streamforge_exchange::simulator::{self, Clock, SWITCHES, SimulatorConfig, Source};
use tokio::net::TcpListener;

use super::{
    exit::{Failure, Outcome, chain},
    instant,
    output::{self, Output},
};
use crate::platform::shutdown_signal;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Serve until told to stop.
    Serve(Arguments),
}

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where the market comes from: `synthetic:SEED[,symbols=NUMBER][,pace=NUMBER]`, `replay:DIR` or `capture:DIR`.
    #[arg(long, value_name = "SOURCE", default_value = "synthetic:42")]
    source: String,
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// Time at which the exchange's clock begins; without it, that of this machine, or of a capture's first frame.
    #[arg(long, value_name = "INSTANT", value_parser = instant::parse)]
    start: Option<Millis>,
    /// How many times as fast as usual the exchange's clock runs.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = speed)]
    speed: f64,
    /// Failures to inject, such as `html:0.05,short:0.1,seed:7`; `--help` lists the switches.
    #[arg(long, value_name = "FAULTS", default_value = "", long_help = switches())]
    faults: String,
}

fn speed(text: &str) -> Result<f64, String> {
    let speed = text.parse::<f64>().ok().filter(|speed| (0.001..=10_000.0).contains(speed));
    speed.ok_or_else(|| "write a number from 0.001 to 10000".to_owned())
}

/// The help on `--faults`: every switch with what it does.
fn switches() -> String {
    let width = SWITCHES.iter().map(|(written, _)| written.len()).max().unwrap_or_default();
    let rows = SWITCHES.iter().map(|(written, meaning)| format!("  {written:width$}  {meaning}"));
    let rows = rows.collect::<Vec<_>>().join("\n");
    format!("Failures to inject, separated by commas; a share is the probability, from 0 to 1:\n\n{rows}\n\n")
}

pub(super) async fn execute(command: Command, output: Output) -> Outcome {
    let Command::Serve(arguments) = command;
    let source = Source::parse(&arguments.source).map_err(|error| Failure::Configuration(chain(&error)))?;
    let faults =
        arguments.faults.parse().map_err(|error: streamforge_exchange::Error| Failure::Configuration(chain(&error)))?;
    let unavailable =
        |error: std::io::Error| Failure::Unavailable(format!("failed to listen on `{}`: {error}", arguments.listen));
    let listener = TcpListener::bind(arguments.listen).await.map_err(unavailable)?;
    let address = listener.local_addr()?;
    if output.is_json() {
        output::value(&serde_json::json!({ "listening": address.to_string() }))?;
    } else {
        output::line(&format!("exchange {} at http://{address}", arguments.source))?;
    }
    let clock = match arguments.start.or_else(|| source.begins()) {
        Some(start) => Clock::StartingAt(start, arguments.speed),
        None if (arguments.speed - 1.0).abs() < f64::EPSILON => Clock::Real,
        None => Clock::StartingAt(crate::platform::now(), arguments.speed),
    };
    let config = SimulatorConfig { faults, clock, ..SimulatorConfig::new(source) };
    simulator::serve(listener, config, shutdown_signal()).await.map_err(|error| Failure::failed(&error))
}
