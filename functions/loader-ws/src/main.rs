//! The loader as a job: one task of its topic, until its workflow is stopped.

fn main() -> std::process::ExitCode {
    loader_ws::job::main()
}
