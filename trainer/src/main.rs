//! The trainer as a job: one training from its topic, then the end.

fn main() -> std::process::ExitCode {
    gnn_trainer::job::main()
}
