//! The container's process.

use std::process::ExitCode;

use visualizer::Visualizer;

fn main() -> ExitCode {
    streamforge_function::main(Visualizer::from_config)
}
