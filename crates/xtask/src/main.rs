//! Developer chores, called by the Makefile.

use std::process::ExitCode;

mod bench;

fn main() -> anyhow::Result<ExitCode> {
    if std::env::args().nth(1).as_deref() != Some("bench") {
        eprintln!("usage: cargo run -p xtask -- bench");
        return Ok(ExitCode::from(2));
    }
    bench::run()?;
    Ok(ExitCode::SUCCESS)
}
