//! The dummy as a process of its own.

fn main() -> std::process::ExitCode {
    streamforge_function::main(dummy_service::Dummy::from_config)
}
