//! The function as a process of its own.

fn main() -> std::process::ExitCode {
    streamforge_function::main(sample_listener::SampleListener::from_config)
}
