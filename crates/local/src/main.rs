//! The binary `streamforge`.

use std::process::ExitCode;

fn main() -> ExitCode {
    streamforge_local::cli::main()
}
