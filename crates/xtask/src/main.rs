//! Developer chores, called by the Makefile.

use std::process::ExitCode;

mod bare_axum;
mod bench;
mod cluster;
mod images;
mod new_function;
mod servers;

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [chore, rest @ ..] = &arguments[..] else {
        return Ok(usage());
    };
    match (chore.as_str(), rest) {
        ("bench", names) => bench::run(names)?,
        ("cluster", [action, options @ ..]) if action == "up" => cluster::up(options)?,
        ("cluster", [action]) if action == "down" => cluster::down()?,
        ("cluster", [action]) if action == "status" => cluster::status()?,
        ("cluster", [action, name, program]) if action == "load" => cluster::load(name, program)?,
        ("images", [programs, folder]) => images::images(programs.as_ref(), folder.as_ref())?,
        ("new-function", [name, options @ ..]) => new_function::new_function(name, options)?,
        ("kafka", [action, options @ ..]) if action == "up" => servers::kafka(options)?,
        ("s3", [action, options @ ..]) if action == "up" => servers::s3(options)?,
        ("postgres", [action, options @ ..]) if action == "up" => servers::postgres(options)?,
        (name @ ("kafka" | "postgres" | "s3"), [action]) if action == "down" => servers::down(name)?,
        ("bare-axum", [port]) => bare_axum::serve(port)?,
        _ => return Ok(usage()),
    }
    Ok(ExitCode::SUCCESS)
}

fn usage() -> ExitCode {
    let names: Vec<_> = bench::names().collect();
    eprintln!(
        "usage: xtask bench [{}]...\n       xtask kafka up [--nodes N] [--secured] [--json]\n       xtask postgres up [--json]\n       xtask s3 up [--secured] [--json]\n       xtask kafka|postgres|s3 down\n       \
         xtask cluster up [--install] [--argocd] [--json]\n       xtask cluster down|status\n       \
         xtask cluster load IMAGE PROGRAM\n       \
         xtask images PROGRAMS FOLDER\n       \
         xtask new-function NAME [--accepts TYPE]\n       \
         xtask bare-axum PORT",
        names.join("|")
    );
    ExitCode::from(2)
}
