//! The function as a process of its own.

fn main() -> std::process::ExitCode {
    streamforge_function::main(predictor::Predictor::from_config)
}
