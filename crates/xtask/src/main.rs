//! Developer chores, called by the Makefile.

use std::process::ExitCode;

mod bench;

fn main() -> anyhow::Result<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some("bench") {
        eprintln!("usage: xtask bench [{}]...", bench::names().collect::<Vec<_>>().join("|"));
        return Ok(ExitCode::from(2));
    }
    bench::run(&arguments.collect::<Vec<_>>())?;
    Ok(ExitCode::SUCCESS)
}
