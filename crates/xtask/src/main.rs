//! Developer chores, called by the Makefile.

use std::process::ExitCode;

mod bare_axum;
mod bench;
mod kafka;

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [chore, rest @ ..] = &arguments[..] else {
        return Ok(usage());
    };
    match (chore.as_str(), rest) {
        ("bench", names) => bench::run(names)?,
        ("kafka", [action, options @ ..]) if action == "up" => kafka::up(options)?,
        ("kafka", [action]) if action == "down" => kafka::down()?,
        ("bare-axum", [port]) => bare_axum::serve(port)?,
        _ => return Ok(usage()),
    }
    Ok(ExitCode::SUCCESS)
}

fn usage() -> ExitCode {
    let names: Vec<_> = bench::names().collect();
    eprintln!(
        "usage: xtask bench [{}]...\n       xtask kafka up [--nodes N] [--secured] [--json]\n       xtask kafka down\n       \
         xtask bare-axum PORT",
        names.join("|")
    );
    ExitCode::from(2)
}
